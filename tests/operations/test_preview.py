"""The preview: what is read from the engine's event log, how it is judged, and how it is shown without harm."""

import itertools
import json
import re
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token
from pydantic import ValidationError

from gate.words import ChangeKind
from operations.approvals import Approvals, FiledApproval, Given, MissingApproval
from operations.engine_events import Diagnostic, Events, FunctionChange, Step, Violation, read_events
from operations.errors import ExitCode, OperationError
from operations.gate import gate_of
from operations.preview import outcome_of, preview, without_secrets
from operations.preview_markdown import LONGEST, markdown, marker
from operations.preview_report import APPROVAL, Outcome, PreviewReport, ResourceDifference, order
from operations.preview_text import show_preview
from operations.reversibility import undo_of
from operations.stack import Stack
from operations.way_back import WayBack
from tests.operations.conftest import ROOT

pytestmark = pytest.mark.rows("K5", "K9")

Tool = Callable[[str, str], Path]

LOGS = Path(__file__).parent / "event_logs"  # recorded from engine v3.259.0, without what nobody reads
SURFACE, BASE = "443d400ebc8a" + "0" * 52, "c9230156be76" + "0" * 52


def report(**changes: Any) -> PreviewReport:
    given: dict[str, Any] = {
        "stack": "sandbox",
        "environment": "sandbox",
        "outcome": Outcome.ALLOWED,
        "previewed_at": datetime(2026, 11, 24, 12, tzinfo=UTC),
        "seconds": 2.34,
        "counts": {"unchanged": 25},
        "steps": [],
        "functions": [],
        "policies_checked": ["kms-key-rotation", "security-approval"],
        "violations": [],
        "diagnostics": [],
        "surface": SURFACE,
        "base": BASE,
        "approved": BASE,
        "differences": [],
        "drift": [],
        "approvals": None,
        "gate_problem": "",
        "approve_command": "",
        "diff": "",
    }
    return PreviewReport(**(given | changes))


def approvals(**changes: Any) -> Approvals:
    given: dict[str, Any] = {
        "stack": "sandbox",
        "surface": SURFACE,
        "release": "7b3e1e8008a0bf7c",
        "base": BASE,
        "kind": "feature",
        "allowed": True,
        "problems": [],
        "missing": [],
        "filed": [],
    }
    return Approvals(**(given | changes))


MISSING = approvals(
    allowed=False,
    kind="infrastructure",
    problems=["no approval of the surface 443d400ebc8a is here"],
    missing=[MissingApproval(role="security", people=["ada@example.com", "bob@example.com"])],
    filed=[
        FiledApproval(
            file="infrastructure-443d400ebc8a.json",
            kind="infrastructure",
            surface=SURFACE,
            base=BASE,
            release=None,
            requester="eve@example.com",
            reason="keep keys until they may go",
            expires=datetime(2026, 12, 1, 12, tzinfo=UTC),
            for_this_change=True,
            signatures=[Given(role="devops", by="dan@example.com", problem="")],
        )
    ],
)


def violation(policy: str = "kms-key-rotation", level: str = "mandatory", **changes: Any) -> Violation:
    given: dict[str, Any] = {"type": "aws:kms/key:Key", "name": "pii-1", "urn": "urn:x", "message": "rotate it"}
    return Violation(policy=policy, level=level, **(given | changes))


def step(op: str = "update", name: str = "pii-1", type_: str = "aws:kms/key:Key", *properties: str) -> Step:
    differing = dict.fromkeys(properties, "update")
    return Step(op=op, type=type_, name=name, urn=f"urn:{name}", properties=differing, kept=False)


CHANGED = report(
    outcome=Outcome.APPROVALS_MISSING,
    counts={"replace": 1, "update": 2, "unchanged": 22},
    steps=[
        step("replace", "operations", "aws:cloudwatch/logGroup:LogGroup", "name"),
        step("update", "pii-1", "aws:kms/key:Key", "policy"),
        step("update", "functions-release", "command:local:Command", "environment"),
    ],
    functions=[
        FunctionChange(name="encrypt-data", before="3" * 64, after="0" * 64),
        FunctionChange(name="refund", before="", after="9" * 64),
    ],
    violations=[violation("security-approval", name="parker-flight-sandbox", message="The security surface …")],
    differences=[
        ResourceDifference(
            urn="urn:pii-1",
            name="pii-1",
            type="aws:kms/key:Key",
            title="key pii-1",
            kind=ChangeKind.CHANGED,
            sentences=["account 123456789012 (root) gains kms:ScheduleKeyDeletion on this key (*)"],
        )
    ],
    approvals=MISSING,
    approve_command="./pf approve --stack sandbox",
)
UNDO = report(
    steps=CHANGED.steps,
    undo=undo_of(CHANGED.steps, CHANGED.functions),
    way_back=WayBack(version=7, made="2026-11-23 12:00 UTC by ada@`here`"),
)


# What the engine said.


def test_changes_are_read_as_the_engine_announced_them() -> None:
    events = read_events(LOGS / "changed.jsonl")
    found = [(one.op, one.type.rpartition(":")[2], one.name, one.properties) for one in sorted(events.steps, key=order)]
    assert found == [
        ("replace", "LogGroup", "operations", {"name": "update-replace"}),
        ("update", "RolePolicy", "functions-role", {"policy": "update"}),
        ("update", "Key", "general-1", {"policy": "update"}),
        ("update", "Key", "payment-1", {"policy": "update"}),
        ("update", "Key", "pii-1", {"policy": "update"}),
        ("update", "Command", "functions-release", {"environment": "update"}),
    ]
    assert events.unchanged == 19
    assert events.errors == []


def test_functions_are_named_with_the_digests_of_their_source() -> None:
    assert read_events(LOGS / "changed.jsonl").functions == [
        FunctionChange(
            name="encrypt-data",
            before="35868608853af9a1f1365ed30a83bfd575bd41478f33ec38ab5eda935ad81231",
            after="08f61f33ecf1f75285f53003845c6298bd85d0501ed2c7821a071bd682e29455",
        )
    ]


def test_the_calls_of_a_command_are_counted_once_from_what_it_says_while_it_runs(tmp_path: Path) -> None:
    """The command provider's lines are ephemeral, and its error quotes them."""
    said = {"message": "Management API calls: 3\n", "severity": "info", "ephemeral": True}
    failed = {"message": "exit status 1: running x:\nManagement API calls: 3\n", "severity": "error"}
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps({"diagnosticEvent": one}) + "\n" for one in (said, failed)))
    assert read_events(log).api_calls == 3


def test_policies_that_ran_and_those_that_refuse_are_told_apart() -> None:
    events = read_events(LOGS / "changed.jsonl")
    assert events.checked == {"security-approval"}
    (one,) = events.violations
    assert (one.policy, one.level, one.type, one.name) == (
        "security-approval",
        "mandatory",
        "pulumi:pulumi:Stack",
        "parker-flight-sandbox",
    )


def test_components_are_no_resources_to_a_person() -> None:
    events = read_events(LOGS / "removed.jsonl")
    assert {(one.op, one.type) for one in events.steps} == {("delete", "aws:cloudwatch/metricAlarm:MetricAlarm")}
    assert (len(events.steps), events.unchanged) == (6, 19)


def test_an_unchanged_stack_has_no_step() -> None:
    events = read_events(LOGS / "unchanged.jsonl")
    assert (events.steps, events.functions, events.violations, events.diagnostics) == ([], [], [], [])
    assert events.unchanged == 25


def test_a_program_that_breaks_is_an_error_with_its_message() -> None:
    (error,) = read_events(LOGS / "broken.jsonl").errors
    assert error.message.startswith("Program failed with an unhandled exception:")
    assert error.message.endswith("ValueError: no *bold* <b>@someone</b>")


def test_an_unfinished_last_line_is_left_out_and_any_other_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "events"
    whole = (LOGS / "broken.jsonl").read_text()
    log.write_text(whole + '{"sequence": 9, "resourcePreEv')
    assert len(read_events(log).errors) == 1
    log.write_text("nonsense\n" + whole)
    with pytest.raises(OperationError, match="line 1"):
        read_events(log)


def test_no_log_is_an_empty_one(tmp_path: Path) -> None:
    assert read_events(tmp_path / "none") == Events(steps=[], creates=[], functions=[], violations=[], diagnostics=[])


# The judgement.


@pytest.mark.parametrize(
    ("code", "events", "given", "outcome"),
    [
        (0, Events(), approvals(), Outcome.ALLOWED),
        (0, Events(violations=[violation(level="advisory")]), approvals(), Outcome.ALLOWED),
        (255, Events(violations=[violation("security-approval")]), MISSING, Outcome.APPROVALS_MISSING),
        (0, Events(), MISSING, Outcome.APPROVALS_MISSING),  # by an engine without the pack
        (255, Events(), approvals(allowed=False, problems=["withdrawn"]), Outcome.REFUSED),
        (255, Events(violations=[violation()]), approvals(), Outcome.REFUSED),
        (255, Events(violations=[violation()]), MISSING, Outcome.REFUSED),
        (255, Events(violations=[violation("security-approval")]), None, Outcome.REFUSED),
        (255, Events(diagnostics=[Diagnostic(severity="error", message="x", urn="")]), MISSING, Outcome.REFUSED),
        (255, Events(), approvals(), Outcome.REFUSED),
        (0, Events(), None, Outcome.REFUSED),
    ],
)
def test_only_what_engine_policies_and_gate_all_allow_is_allowed(
    code: int, events: Events, given: Approvals | None, outcome: Outcome
) -> None:
    assert outcome_of(code, events, given) is outcome


def test_where_nobody_may_approve_yet_an_approval_is_what_is_missing() -> None:
    denied = Events(violations=[violation("security-approval")])
    assert outcome_of(255, denied, None, unconfirmed=True) is Outcome.APPROVALS_MISSING
    assert outcome_of(255, Events(violations=[violation()]), None, unconfirmed=True) is Outcome.REFUSED


def test_the_first_to_approve_is_told_to_say_why() -> None:
    assert MISSING.approve_command == "./pf approve --stack sandbox"
    first = MISSING.model_copy(update={"filed": []})
    assert first.approve_command == "./pf approve --stack sandbox --reason WHY"
    back = first.model_copy(update={"version": "7"})
    assert back.approve_command == "./pf approve --stack sandbox --version 7 --reason WHY"


def test_each_outcome_has_its_exit_code() -> None:
    assert [one.code for one in Outcome] == [ExitCode.HEALTHY, ExitCode.DEGRADED, ExitCode.REFUSED]
    assert [int(one.code) for one in Outcome] == [0, 1, 3]


def test_no_secret_of_the_environment_is_in_a_report(stack: Stack) -> None:
    secret = stack.environment.supabase_access_token.get_secret_value()
    leaky = report(
        diff=f"- {secret}",
        diagnostics=[Diagnostic(severity="error", message=f"Traceback … {secret!r}", urn="")],
        steps=[step(name=secret)],
        approvals=approvals(problems=[secret]),
        gate_problem=secret,
    )
    clean = without_secrets(leaky, stack)
    assert secret not in clean.model_dump_json()
    assert secret not in markdown(clean)
    assert clean.stack == "sandbox"  # which is also the sandbox's passphrase
    assert clean.diff == "- [secret]"


# In the terminal.


def terminal(shown: PreviewReport, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    show_preview(shown)
    return capsys.readouterr().out


def test_a_person_reads_what_changes_what_is_missing_and_what_to_type(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [line.rstrip() for line in terminal(CHANGED, capsys, monkeypatch).splitlines()]
    assert shown == [
        "change   kind       resource           what differs",
        "replace  log group  operations         name",
        "update   key        pii-1              policy",
        "update   command    functions-release  environment",
        "",
        "functions with new content",
        "  encrypt-data  333333333333 → 000000000000",
        "  refund  (new) → 999999999999",
        "",
        "policies: 1 of 2 hold, 1 refuses (security-approval)",
        "",
        "what approvals are about: the security surface 443d400ebc8a, in place of",
        "c9230156be76",
        "~ key pii-1",
        "    account 123456789012 (root) gains kms:ScheduleKeyDeletion on this key (*)",
        "",
        "approvals for this change (infrastructure)",
        "  no approval of the surface 443d400ebc8a is here",
        "  here: devops dan@example.com; until 2026-12-01 12:00 UTC; keep keys until they",
        "  may go",
        "  missing: security (ada@example.com or bob@example.com)",
        "",
        "sandbox: approvals missing (1 to replace, 2 to update, 22 unchanged, 2.3 s)",
        "Type next: ./pf approve --stack sandbox",
    ]


def test_a_preview_that_saw_no_resource_says_so() -> None:
    assert report(counts={"unchanged": 0}).changes == "no resource was previewed"


def test_an_unchanged_stack_is_told_in_a_few_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = [line.rstrip() for line in terminal(report(approvals=approvals()), capsys, monkeypatch).splitlines()]
    assert shown == [
        "policies: 2 of 2 hold",
        "",
        "approvals for this change (feature)",
        "  nothing is missing",
        "",
        "sandbox: allowed (nothing to change, 25 unchanged, 2.3 s)",
    ]


HOSTILE = (
    "a`b``c|d\\|e*f*_g_<b>h</b><!-- i -->[j](http://evil.example)@everyone #1 https://evil.example "
    "\x1b[31mk\x1b[0m\u202el\u200b\r\nm\n```\n</details>\n| n |\n- o\n# p\nwww.evil.example\x00"
)
HARMLESS = re.compile(r"[ -~→…\n]*")


def hostile_report() -> PreviewReport:
    """Everything that a change under review can put a text of its own into."""
    filed = MISSING.filed[0].model_copy(
        update={
            "file": HOSTILE,
            "reason": HOSTILE,
            "requester": HOSTILE,
            "signatures": [Given(role=HOSTILE, by=HOSTILE, problem=""), Given(role="x", by="", problem=HOSTILE)],
        }
    )
    return report(
        stack=HOSTILE,
        outcome=Outcome.REFUSED,
        steps=[step(HOSTILE, HOSTILE, HOSTILE, HOSTILE)],
        functions=[FunctionChange(name=HOSTILE, before=HOSTILE, after="")],
        policies_checked=[HOSTILE],
        violations=[violation(HOSTILE, HOSTILE, name=HOSTILE, type=HOSTILE, message=HOSTILE)],
        diagnostics=[Diagnostic(severity="error", message=HOSTILE, urn=HOSTILE)],
        differences=[
            ResourceDifference(
                urn=HOSTILE,
                name="x",
                type="y",
                title="z `q` | <b>",  # escaped by gate.words, which leaves printable ASCII as it is
                kind=ChangeKind.ADDED,
                sentences=["name: `@everyone` | <b>x</b> ``` </details>"],
            )
        ],
        approvals=MISSING.model_copy(update={"problems": [HOSTILE], "kind": HOSTILE, "filed": [filed]}),
        approve_command=f"./pf approve --stack {HOSTILE}",
        diff=HOSTILE,
    )


def test_no_text_can_repaint_the_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(hostile_report(), capsys, monkeypatch)
    assert HARMLESS.fullmatch(shown)
    assert r"\x1b[31mk\x1b[0m\u202el\u200b\r\nm\n```\n</details>" in shown.replace("\n", "")


def test_json_is_harmless_on_a_terminal_as_well() -> None:
    text = hostile_report().model_dump_json(indent=2, ensure_ascii=True)
    assert HARMLESS.fullmatch(text)
    assert json.loads(text)["stack"] == HOSTILE
    assert json.loads(text)["schema_version"] == 1


# As a comment.


def tokens(text: str) -> list[Token]:
    """Flat, as GitHub's parser sees them: tables on, raw HTML on."""
    found: list[Token] = []
    for token in MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text):
        found.append(token)
        found += token.children or []
    return found


def test_a_comment_begins_with_the_marker_of_its_stack() -> None:
    assert markdown(CHANGED).startswith("<!-- parker-flight-preview:sandbox -->\n### Preview of `sandbox`: ")
    assert marker("a--b>c d") == "<!-- parker-flight-preview:a-%2Db%3Ec%20d -->"


def test_a_comment_says_it_all() -> None:
    assert markdown(CHANGED.model_copy(update={"diff": "~ aws:kms/key:Key\n"})) == (
        """\
<!-- parker-flight-preview:sandbox -->
### Preview of `sandbox`: 🔏 approvals are missing

1 to replace, 2 to update, 22 unchanged.

**Policies:** 1 of 2 hold, 1 refuses (`security-approval`).

**Approvals** (`infrastructure`)

- ❌ missing: `security`, from `ada@example.com or bob@example.com`
- here: `devops dan@example.com; until 2026-12-01 12:00 UTC; keep keys until they may go`
- `no approval of the surface 443d400ebc8a is here`

Type next, in a checkout of this branch:
```sh
./pf approve --stack sandbox
```

| change | kind | resource | what differs |
|---|---|---|---|
| `replace` | `log group` | `operations` | `name` |
| `update` | `key` | `pii-1` | `policy` |
| `update` | `command` | `functions-release` | `environment` |

**Edge functions with new content**

- `encrypt-data`: `333333333333` → `000000000000`
- `refund`: new → `999999999999`

**Security surface** `443d400ebc8a`, in place of `c9230156be76`: 1 difference

<details open><summary>What approvals are about</summary>

- `~` `key pii-1`
  - `account 123456789012 (root) gains kms:ScheduleKeyDeletion on this key (*)`

</details>

<details><summary>What the engine says, in full</summary>

```text
~ aws:kms/key:Key

```

</details>
"""
    )


def test_what_a_reviewer_must_do_stands_before_a_first_deployments_many_changes() -> None:
    many = CHANGED.model_copy(
        update={
            "undo": UNDO.undo,
            "steps": CHANGED.steps * 40,
            "differences": CHANGED.differences * 80,
            "diff": "~ line\n" * 400,
        }
    )
    text = markdown(many)
    parts = [
        *("approvals are missing", "**Policies:**", "❌ missing", "./pf approve", "**Can this be undone?**"),
        *("| change", "**Security surface**", "<details><summary>What approvals are about"),
        "<details><summary>What the engine",
    ]
    found = [text.index(part) for part in parts]
    assert found == sorted(found)
    assert text[: text.index("| change")].count("\n") < 30
    assert "**Security surface** `443d400ebc8a`, in place of `c9230156be76`: 80 differences" in text


def test_hostile_text_stays_text_in_a_comment() -> None:
    text = markdown(hostile_report())
    kinds = {token.type for token in tokens(text)}
    assert kinds <= {
        *("heading_open", "heading_close", "paragraph_open", "paragraph_close", "inline", "text", "softbreak"),
        *("bullet_list_open", "bullet_list_close", "list_item_open", "list_item_close", "strong_open", "strong_close"),
        *("table_open", "table_close", "thead_open", "thead_close", "tbody_open", "tbody_close"),
        *("tr_open", "tr_close", "th_open", "th_close", "td_open", "td_close"),
        *("code_inline", "fence", "html_block"),
    }
    raw = [token.content.strip() for token in tokens(text) if token.type == "html_block"]
    assert raw == [
        marker(HOSTILE),
        "<details open><summary>What approvals are about</summary>",
        "</details>",
        "<details><summary>What the engine says, in full</summary>",
        "</details>",
    ]
    words = "".join(token.content for token in tokens(text) if token.type == "text")
    assert not re.search(r"everyone|evil|[@#<>|\[\]]|a`b", words)


def forged() -> PreviewReport:
    """What a change may hand on in place of its preview: its own text also where every honest one is ours."""
    drifted = CHANGED.model_copy(update={"undo": UNDO.undo, "way_back": UNDO.way_back, "drift": CHANGED.differences})
    texts: dict[str, Any] = {
        "title": HOSTILE,
        "sentences": [HOSTILE],
        "why": HOSTILE,
        "made": HOSTILE,
        "counts": {},
        "gate_problem": HOSTILE,
    }

    def forge(one: Any) -> Any:
        if isinstance(one, dict):
            return {name: texts.get(name, forge(value)) for name, value in one.items()}
        return [forge(value) for value in one] if isinstance(one, list) else one

    return PreviewReport.model_validate(forge(drifted.model_dump(mode="json")))


@pytest.mark.parametrize("judged", [True, False])
def test_a_forged_report_can_write_no_markdown_either(judged: bool) -> None:
    report = forged() if judged else forged().model_copy(update={"approvals": None})
    found = tokens(markdown(report))
    raw = [token.content.strip() for token in found if token.type == "html_block"]
    assert raw == [marker("sandbox"), "<details open><summary>What approvals are about</summary>", "</details>"]
    assert not {token.type for token in found} & {"em_open", "html_inline", "hr", "image", "link_open"}
    words = "".join(token.content for token in found if token.type == "text")
    assert not re.search(r"everyone|evil|[@#<>|\[\]]|a`b", words)
    assert sum(token.type == "heading_open" for token in found) == 1


@pytest.mark.parametrize(
    "counts",
    [
        {"@everyone **look**": 1, "unchanged": 0},
        {"create": 10**4000, "unchanged": 0},
        {"create": -1},
        {"a" * 41: 1},
        {"".join(letters): 1 for letters in itertools.product("abc", repeat=4)},
    ],
)
def test_a_forged_report_counts_steps_of_the_engine_or_is_none(counts: dict[str, int]) -> None:
    with pytest.raises(ValidationError, match="counts"):
        report(counts=counts)


def test_a_hostile_row_stays_one_row_of_four_cells() -> None:
    found = tokens(markdown(hostile_report()))
    assert sum(token.type == "tr_open" for token in found) == 2
    assert sum(token.type == "td_open" for token in found) == 4


@pytest.mark.parametrize("text", ["`", "``", "` `", "a`", "", " ", "|", "\\", "\\|", "`|`"])
def test_any_name_stays_in_its_cell(text: str) -> None:
    found = tokens(markdown(report(steps=[step(name=text)])))
    assert [token.type for token in found].count("td_open") == 4
    spans = [token.content for token in found if token.type == "code_inline"]
    shown = text.replace("\\", "\\\\").strip() or "(empty)"
    assert spans[3] == shown


def test_a_plan_of_a_thousand_changes_fits_and_says_how_many_are_left() -> None:
    many = [step("delete", f"resource-{number}-{'x' * 60}") for number in range(1000)]
    text = markdown(
        CHANGED.model_copy(
            update={
                "steps": many,
                "differences": [CHANGED.differences[0]] * 1000,
                "drift": [CHANGED.differences[0]] * 1000,
                "violations": [violation(name=f"key-{number}") for number in range(1000)],
                "diagnostics": [Diagnostic(severity="error", message="line\n" * 1000, urn="")] * 10,
                "diff": "line of the diff\n" * 10_000,
            }
        )
    )
    assert len(text.encode()) < LONGEST
    shown = len(re.findall(r"`resource-\d+-x", text))
    (more,) = re.findall(r"… and (\d+) more resources", text)
    assert shown + int(more) == 1000
    assert len(re.findall(r"… and [\d,]+ more lines", text)) == 5
    assert "./pf approve --stack sandbox" in text
    assert "❌ missing: `security`" in text
    assert text.rstrip().endswith("</details>")


def test_even_one_text_that_never_ends_fits() -> None:
    endless = "`*@x " * 40_000
    shown = hostile_report().model_copy(
        update={
            "stack": "s" * 5000,
            "differences": [CHANGED.differences[0].model_copy(update={"sentences": [endless]})],
            "diagnostics": [Diagnostic(severity="error", message=endless, urn="")],
            "violations": [violation(message=endless)],
            "gate_problem": endless,
            "diff": endless,
        }
    )
    assert len(markdown(shown).encode()) < LONGEST


@pytest.mark.parametrize(
    ("violations", "said"),
    [
        ([], "2 of 2 hold"),
        ([violation(level="advisory")], "1 of 2 hold, 1 warns"),
        ([violation(), violation(level="advisory")], "1 of 2 hold, 1 refuses"),
        ([violation("a"), violation("b"), violation("c", "advisory")], "2 of 5 hold, 1 warns, 2 refuse"),
        ([violation(APPROVAL)], "1 of 2 hold, 1 refuses (security-approval)"),
        ([violation("a"), violation(APPROVAL)], "1 of 3 hold, 2 refuse (security-approval among them)"),
    ],
)
def test_policies_are_counted_by_what_they_say(violations: list[Violation], said: str) -> None:
    assert report(violations=violations).policies == said
    assert report(policies_checked=[]).policies == "none looked at this"


def test_what_the_gate_could_not_judge_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = report(
        outcome=Outcome.APPROVALS_MISSING,
        gate_problem="nobody has confirmed yet who may approve: ./pf signers confirm",
        approve_command="./pf signers confirm --stack sandbox",
    )
    text = markdown(shown)
    assert "the gate could not judge this change" in text
    assert "Type next, in a checkout of this branch:\n```sh\n./pf signers confirm --stack sandbox\n```" in text
    assert terminal(shown, capsys, monkeypatch).splitlines()[-2:] == [
        "sandbox: approvals missing (nothing to change, 25 unchanged, 2.3 s)",
        "Type next: ./pf signers confirm --stack sandbox",
    ]


def test_a_surface_of_which_nothing_is_left_is_no_silence() -> None:
    text = markdown(CHANGED.model_copy(update={"surface": ""}))
    assert "**Security surface** `nothing`, in place of `c9230156be76`: 1 difference\n" in text


def test_what_somebody_changed_in_another_way_is_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    drifted = CHANGED.differences[0].model_copy(update={"title": "role policy x", "sentences": ["role x gains s3:*"]})
    shown = CHANGED.model_copy(update={"drift": [drifted]})
    text = markdown(shown)
    assert text.index("**Drift:** what is deployed is not what was approved last") < text.index("role x gains s3:*")
    said = terminal(shown, capsys, monkeypatch)
    assert said.index("what is deployed is not what was approved last") < said.index("role x gains s3:*")


def test_policies_that_refuse_are_shown_with_resource_and_message() -> None:
    shown = report(
        outcome=Outcome.REFUSED, approvals=approvals(), violations=[violation(message="on `pii-1`:\n  cure")]
    )
    text = markdown(shown)
    assert "**Policies:** 1 of 2 hold, 1 refuses." in text
    assert "- ❌ `kms-key-rotation` on `pii-1`\n  - ``on `pii-1`:``\n  - `cure`" in text


# The run.


@pytest.fixture
def engine(tool: Tool, project: Path, tmp_path: Path) -> Callable[[str, int], Path]:
    """An engine whose preview leaves a recorded log and ends with a code; returns what it was called with."""
    shutil.copy(ROOT / "Pulumi.yaml", project)
    calls = tmp_path / "calls"

    def put(log: str, code: int) -> Path:
        tool(
            "pulumi",
            f"""echo "$PULUMI_DEBUG_COMMANDS $*" >> {calls}
[ "$1" = preview ] || exit 0
while [ "$1" != --event-log ]; do shift; done
cp {LOGS / log} "$2"
echo "~ what the engine says"
exit {code}""",
        )
        return calls

    return put


def test_the_engine_is_asked_for_its_log_and_a_denial_without_a_receipt_is_a_refusal(
    engine: Callable[[str, int], Path], stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = engine("changed.jsonl", 255)
    other = gate_of(stack).receipt("another run")
    other.parent.mkdir(parents=True)
    other.write_text("of another preview")
    found = preview(stack, quiet=True)
    assert (found.outcome, found.approvals, found.surface, found.differences) == (Outcome.REFUSED, None, "", [])
    assert found.gate_problem == "it was refused, or failed, before the gate saw the whole"
    assert [one.policy for one in found.refusals] == ["security-approval"]
    assert (found.counts, found.diff) == ({"replace": 1, "update": 5, "unchanged": 19}, "~ what the engine says")
    assert re.search(r"^true preview --diff --event-log \S+ --stack sandbox .*--color never$", calls.read_text(), re.M)
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "")


def test_to_a_person_the_engine_speaks_for_itself(
    engine: Callable[[str, int], Path], stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    engine("broken.jsonl", 255)
    found = preview(stack)
    assert (found.outcome, found.diff) == (Outcome.REFUSED, "")
    assert capsys.readouterr().err == "~ what the engine says\n"


# Whether it can be undone.


def test_a_preview_says_whether_it_can_be_undone_and_what_would_be_lost(capsys: pytest.CaptureFixture[str]) -> None:
    show_preview(UNDO)
    shown = " ".join(capsys.readouterr().out.split())
    assert "can this be undone? not all of it (1 forward-only); a rollback goes to version 7" in shown
    assert "replace of log group operations: its log events are gone" in shown
    comment = markdown(UNDO)
    assert "**Can this be undone?**" in comment
    assert "- forward-only: `replace of log group operations`: `its log events are gone`" in comment


@pytest.mark.parametrize(
    ("changes", "answer"),
    [
        ({"undo": []}, ""),
        ({"undo": undo_of(CHANGED.steps[1:], [])}, "can this be undone? yes; a rollback goes to version 7"),
        ({"way_back": WayBack(problem="no other version is verified")}, "has nowhere to go: no other version"),
        ({"way_back": WayBack(version=7, made="x", problem="it is older")}, "could not go to version 7 (x): it is"),
        ({"way_back": None}, "can this be undone? not all of it (1 forward-only)"),
    ],
)
def test_the_answer_follows_from_the_changes_and_from_the_release_store(changes: dict[str, Any], answer: str) -> None:
    undoable = UNDO.model_copy(update=changes).undoable
    assert answer in undoable
    assert bool(undoable) == bool(answer)


def test_a_reversible_change_without_a_way_back_wants_a_new_deployment() -> None:
    undo = undo_of(CHANGED.steps[1:], [])
    assert "only by a new deployment" in report(undo=undo, way_back=WayBack(problem="none")).undoable
