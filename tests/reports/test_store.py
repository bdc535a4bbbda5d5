"""The report store: what was written stays, whole and under its own name, in a folder as in a bucket."""

import os
import resource
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from reports.models import OperationReport, report_id
from reports.store import ReportError, ReportStore
from tests.reports.samples import BEGAN, deployment, rollback

pytestmark = pytest.mark.rows("R4")

VARIABLES = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "us-east-1"}
TAKEN = "deployment-report-20261125T004045.123Z.json"
NEXT = "deployment-report-20261125T004045.124Z.json"


@pytest.fixture(scope="module")
def s3() -> Generator[str]:
    """The address of a moto server with the bucket `reports`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    client.create_bucket(Bucket="reports")
    yield url
    server.stop()


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    """No credentials but those that a test gives."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: str) -> ReportStore:
    """A new one of each kind."""
    if request.param == "folder":
        return ReportStore.of(f"file://{tmp_path}/not yet/there", "sandbox", {})
    return ReportStore.of(f"s3://reports/{tmp_path.name}?endpoint={s3}", "sandbox", VARIABLES)


def names(store: ReportStore) -> list[str]:
    return [filed.name for filed in store.list()]


def test_what_was_written_is_what_is_read(store: ReportStore) -> None:
    assert store.list() == []
    for report in (deployment(reason="naïve\n\x1b[2J 👍"), rollback()):
        url = store.write(report)
        assert url.startswith(store.url)
        assert store.read(store.find(url.rpartition("/")[2])) == report


def test_a_report_is_never_overwritten(store: ReportStore) -> None:
    first, second = deployment(who="first"), deployment(who="second")
    assert store.write(first).endswith(TAKEN)
    assert store.write(second).endswith(NEXT)
    assert names(store) == [NEXT, TAKEN]
    assert store.read(store.find(first.id)) == first
    moved = store.read(store.list()[0])
    assert moved == second.model_copy(update={"id": "20261125T004045.124Z"})


def test_a_report_that_is_written_again_is_one(store: ReportStore) -> None:
    assert store.write(deployment()) == store.write(deployment())
    assert names(store) == [TAKEN]


def test_of_many_writers_at_once_none_loses_its_report(store: ReportStore) -> None:
    start = threading.Barrier(6)

    def write(number: int) -> None:
        start.wait()
        store.write(deployment(who=str(number)))

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(store.read(filed).who for filed in store.list()) == list("012345")


def test_the_newest_comes_first_and_a_prefix_finds_one(store: ReportStore) -> None:
    older = deployment(id="20261124T235959.999Z")
    newer = rollback(id="20261125T010000.000Z")
    for report in (newer, older):
        store.write(report)
    assert [filed.id for filed in store.list()] == [newer.id, older.id]
    assert store.find("latest").id == newer.id
    for which in ("20261125", newer.id, "rollback", f"rollback-report-{newer.id}.json"):
        assert store.find(which).id == newer.id


@pytest.mark.parametrize(("which", "said"), [("2026", "2 reports begin so"), ("2025", "no report begins so")])
def test_a_prefix_that_fits_not_one_is_refused(store: ReportStore, which: str, said: str) -> None:
    store.write(deployment(id="20261124T235959.999Z"))
    store.write(deployment())
    with pytest.raises(ReportError, match=said):
        store.find(which)


def test_there_is_no_latest_of_none(store: ReportStore) -> None:
    with pytest.raises(ReportError, match=r"no report in .* yet"):
        store.find("latest")


def test_two_stacks_share_nothing(tmp_path: Path, s3: str) -> None:
    for url in (f"file://{tmp_path}", f"s3://reports/shared?endpoint={s3}"):
        ReportStore.of(url, "a", VARIABLES).write(deployment())
        assert ReportStore.of(url, "b", VARIABLES).list() == []
        assert names(ReportStore.of(url, "a", VARIABLES)) == [TAKEN]


# What isn't as it should be


def damaged(change: Callable[[str], str]) -> str:
    return change(deployment().model_dump_json())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (damaged(lambda text: text[:300]), "is damaged: Invalid JSON"),
        (damaged(lambda _text: ""), "is damaged: Invalid JSON"),
        (damaged(lambda text: text.replace('"who":', '"whom":')), "is damaged: who: Field required"),
        (damaged(lambda text: text.replace('"schema_version":1', '"schema_version":2')), "is of schema version 2"),
        (damaged(lambda text: text.replace('"id":"2026', '"id":"2025')), "it holds the deployment report 2025"),
    ],
)
def test_a_damaged_report_is_one_line_and_hides_no_other(tmp_path: Path, content: str, said: str) -> None:
    store = ReportStore.of(tmp_path, "sandbox", {})
    store.write(deployment(id="20261125T010000.000Z"))
    (tmp_path / "sandbox" / TAKEN).write_text(content)
    good, bad = store.list()
    assert store.read(good)
    with pytest.raises(ReportError, match=said) as caught:
        store.read(bad)
    assert TAKEN in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_newer_pf_has_added_is_no_damage(tmp_path: Path) -> None:
    store = ReportStore.of(tmp_path, "sandbox", {})
    store.write(deployment())
    file = tmp_path / "sandbox" / TAKEN
    file.write_text(file.read_text().replace('"who":', '"weather": "fine", "who":'))
    assert store.read(store.find("latest")) == deployment()


def test_what_is_not_called_like_a_report_is_none(tmp_path: Path) -> None:
    store = ReportStore.of(tmp_path, "sandbox", {})
    store.write(deployment())
    for name in ("README", f"{TAKEN}#1", f"a-{TAKEN}", "deployment-report-1.json", "weather-report-20261125T0040.json"):
        (tmp_path / "sandbox" / name).write_text("{}")
    (tmp_path / "sandbox" / NEXT).mkdir()
    assert names(store) == [TAKEN]


def test_a_report_is_whole_or_not_there(tmp_path: Path) -> None:
    store = ReportStore.of(tmp_path, "sandbox", {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # as on a disk that is full in the middle of the file
    try:
        with pytest.raises(ReportError, match="can't be written"):
            store.write(deployment())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.list() == []
    assert store.write(deployment()).endswith(TAKEN)


def test_a_file_where_the_folder_belongs_is_named(tmp_path: Path) -> None:
    (tmp_path / "sandbox").write_text("")
    store = ReportStore.of(tmp_path, "sandbox", {})
    for attempt in (lambda: store.write(deployment()), store.list):
        with pytest.raises(ReportError, match=str(tmp_path / "sandbox")):
            attempt()


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "reports",
            "file://reports",
            "file:///reports?region=x",
            "https://x/y",
            "s3:///x",
            "s3://reports?regoin=y",
        ),
        *("s3://reports?endpoint=localhost:9000", "s3://reports?endpoint=http://", "s3://reports?region=a b"),
        *(
            "s3://Reports",
            "s3://reports/a//b",
            "s3://reports/../b",
            "s3://reports/a%20b",
            "s3://reports/?endpoint=http://a%5B",
        ),
    ],
)
def test_an_address_that_cannot_hold_reports_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ReportError, match="give file:///FOLDER, or s3://BUCKET"):
        ReportStore.of(url, "sandbox", VARIABLES)


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    store = ReportStore.of(f"s3://gone/x?endpoint={s3}", "sandbox", VARIABLES)
    for attempt in (lambda: store.write(deployment()), store.list):
        with pytest.raises(ReportError, match=r"s3://gone/x/sandbox.*: NoSuchBucket: .*does not exist") as caught:
            attempt()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"AWS_ACCESS_KEY_ID": ""}, "credentials"),
        ({"AWS_ACCESS_KEY_ID": "", "AWS_PROFILE": "nobody"}, "profile .*nobody"),
        ({"AWS_REGION": ""}, "region"),
    ],
)
def test_what_a_bucket_lacks_is_named(s3: str, changed: dict[str, str], said: str) -> None:
    with pytest.raises(ReportError, match=said):
        ReportStore.of(f"s3://reports/x?endpoint={s3}", "sandbox", VARIABLES | changed)


def test_a_bucket_that_does_not_answer_is_named_soon() -> None:
    store = ReportStore.of("s3://reports/x?endpoint=http://127.0.0.1:1", "sandbox", VARIABLES)
    with pytest.raises(ReportError, match=r"127\.0\.0\.1:1") as caught:
        store.write(deployment())
    assert "\n" not in str(caught.value)


def test_an_id_is_the_time_to_the_millisecond() -> None:
    assert report_id(BEGAN) == "20261125T004045.123Z"
    assert OperationReport.model_validate_json(deployment().model_dump_json()) == deployment()
