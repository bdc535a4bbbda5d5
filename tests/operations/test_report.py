"""`pf report`: the list, one report on an 80-column terminal, as JSON and as a page."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from operations.errors import OperationError
from operations.report import report_store
from operations.stack import Stack
from reports.store import ReportStore
from tests.operations.test_cli import pf
from tests.reports.samples import deployment, rollback

pytestmark = pytest.mark.rows("R4")

LATER = "20261125T010000.000Z"

SUMMARY = """\
Rollback of sandbox: failed

version      41, no new one; was to bring 40 back
why          the engine stopped: the key is disabled
reason       payments fail since 41
change       infrastructure
commit       bff42b4f6757 Rotate keys twice as often
who          ada@example.com on runner-7
when         2026-11-25 00:40:45 UTC, for 12.2 s
environment  production
API calls    7 of Supabase's Management API, which allows 60 a minute
report       20261125T010000.000Z

Errors
  error: update failed
    KMSInvalidStateException: key-pii is disabled

Steps
step    result     after    took  detail
check   succeeded  0.0 s   1.0 s
update  failed     1.0 s  11.2 s  KMSInvalidStateException

Benchmarks
row  what                at most  measured  verdict
P5   emergency rollback   10.0 s    12.2 s  missed

Performance
endpoint               n  errors  p50 ms  p95 ms  max ms  change of p50
encrypt-data  before  40       0      40      55      81
encrypt-data  after   40       1      44      61      90           +10%
rest          before  40      40       -       -       -
rest          after   40       0      22      31      40

Checks
part          state    ms  what it said
encrypt-data  healthy  95  release e593c86b6ac11280
key pii       healthy      rotates every 180 days

Resources
change  resource           kind
update  key-general        Key
create  encrypt-data-slow  MetricAlarm

Edge functions
function      before        after
encrypt-data  a1a1a1a1a1a1  b2b2b2b2b2b2

Approvals
role      by                 statement
security  grace@example.com  approvals/production/3f2a9c01.json
devops    linus@example.com  approvals/production/3f2a9c01.json
"""

LIST = """\
report                kind        result     version    took  commit
  who and why
20261125T010000.000Z  rollback    failed     41       12.2 s  bff42b4f
  ada@example.com: the engine stopped: the key is disabled
20261125T004045.123Z  deployment  succeeded  41 → 42  23.4 s  bff42b4f
  ada@example.com: Rotate keys twice as often
"""


@pytest.fixture
def store(tmp_path: Path) -> ReportStore:
    """The sandbox's, with a deployment and a later rollback."""
    store = ReportStore.of(tmp_path / "reports", "sandbox", {})
    store.write(deployment(stack="sandbox"))
    store.write(rollback(stack="sandbox", id=LATER))
    return store


@pytest.mark.usefixtures("store")
def test_the_list_is_the_newest_first_and_fits_a_terminal(tmp_path: Path) -> None:
    shown = pf("report", state=tmp_path)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, LIST, "")
    assert LATER in pf("report", "--limit", "1", state=tmp_path).stdout
    assert deployment().id not in pf("report", "--limit", "1", state=tmp_path).stdout


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("which", ["latest", LATER, "20261125T01", f"rollback-report-{LATER}.json"])
def test_a_summary_says_everything_and_fits_a_terminal(tmp_path: Path, which: str) -> None:
    shown = pf("report", which, state=tmp_path)
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, SUMMARY, "")
    assert max(map(len, shown.stdout.splitlines())) <= 80


def test_the_list_says_that_a_checkout_had_changes(tmp_path: Path) -> None:
    ReportStore.of(tmp_path / "reports", "sandbox", {}).write(deployment(stack="sandbox", dirty=True))
    assert "bff42b4f and changes" in pf("report", state=tmp_path).stdout


def test_machines_get_the_reports_as_they_are(tmp_path: Path, store: ReportStore) -> None:
    shown = pf("report", "latest", "--json", state=tmp_path)
    assert json.loads(shown.stdout) == json.loads(store.read(store.find(LATER)).model_dump_json())
    listed = json.loads(pf("report", "--json", state=tmp_path).stdout)
    assert [one["report"]["kind"] for one in listed] == ["rollback", "deployment"]
    assert json.loads(pf("report", "--json", state=tmp_path / "empty").stdout) == []


def test_a_damaged_report_is_a_line_of_the_list(tmp_path: Path, store: ReportStore) -> None:
    (Path(store.url) / "deployment-report-20261125T020000.000Z.json").write_text("{")
    shown = pf("report", state=tmp_path)
    assert shown.returncode == 0
    assert "20261125T020000.000Z  deployment  unreadable" in shown.stdout
    assert LATER in shown.stdout
    assert deployment().id in shown.stdout
    assert json.loads(pf("report", "--json", state=tmp_path).stdout)[0]["report"] is None
    refused = pf("report", "latest", state=tmp_path)
    assert refused.returncode == 3
    assert "is damaged" in refused.stderr


def test_text_of_others_cannot_repaint_the_screen(tmp_path: Path) -> None:
    store = ReportStore.of(tmp_path / "reports", "sandbox", {})
    store.write(rollback(who="Jörg\x1b[2J", why="\u202edetrever\rover", errors=["\x1b]0;title\x07"]))
    for arguments in (("report",), ("report", "latest")):
        shown = pf(*arguments, state=tmp_path).stdout
        assert "Jörg\\x1b[2J" in shown
        assert "\\u202edetrever\\rover" in shown
        assert not set("\x1b\x07\r\u202e") & set(shown)


@pytest.mark.usefixtures("store")
def test_a_page_is_written_over_no_file(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    written = pf("report", "latest", "--html", str(file), state=tmp_path)
    assert (written.returncode, written.stdout) == (0, "")
    assert str(file) in written.stderr
    page = file.read_text()
    assert "<title>Rollback of sandbox: failed</title>" in page
    refused = pf("report", "2026", "--html", str(file), state=tmp_path)
    assert refused.returncode == 3
    assert pf("report", deployment().id, "--html", str(file), state=tmp_path).returncode == 3
    assert file.read_text() == page
    assert pf("report", "latest", "--html", str(tmp_path / "none/page.html"), state=tmp_path).returncode == 4


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("report", "2025"), 3, "no report begins so"),
        (("report", "2026"), 3, "2 reports begin so"),
        (("report", "--html", "x.html"), 64, "pf report latest --html"),
        (("report", "latest", "--json", "--html", "x.html"), 64, "--html"),
    ],
)
def test_what_cannot_be_shown_says_why(tmp_path: Path, arguments: tuple[str, ...], code: int, said: str) -> None:
    refused = pf(*arguments, state=tmp_path)
    assert (refused.returncode, refused.stdout) == (code, "")
    assert said in refused.stderr


def test_before_the_first_report_there_is_none_and_nothing_is_made(tmp_path: Path) -> None:
    shown = pf("report", state=tmp_path)
    assert (shown.returncode, shown.stdout) == (0, "")
    assert "no report of sandbox yet" in shown.stderr
    refused = pf("report", "latest", state=tmp_path)
    assert refused.returncode == 3
    assert "there is no report in" in refused.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_environment_says_where_reports_are(tmp_path: Path, make_stack: Callable[..., Stack]) -> None:
    written = report_store(make_stack(PF_REPORTS=f"file://{tmp_path}/kept")).write(deployment(stack="sandbox"))
    assert written == f"file://{tmp_path}/kept/sandbox/deployment-report-{deployment().id}.json"
    shown = pf("report", state=tmp_path / "empty", PF_REPORTS=f"file://{tmp_path}/kept")
    assert deployment().id in shown.stdout
    assert report_store(make_stack()).url == str(tmp_path / "state/reports/sandbox")
    with pytest.raises(OperationError, match="ftp://x"):
        report_store(make_stack(PF_REPORTS="ftp://x"))


def test_a_bucket_is_in_the_stack_s_region_where_its_address_names_none(make_stack: Callable[..., Stack]) -> None:
    assert report_store(make_stack(PF_REPORTS="s3://reports/x")).url == "s3://reports/x/sandbox"
