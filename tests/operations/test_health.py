"""`pf health`: what each part's answer means, and that nothing holds it up or is changed by it."""

import json
import re
import socket
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

import operations.health
from operations.errors import ExitCode
from operations.health import Answer, Check, HealthReport, Probe, Probes, Result, Status, judged
from operations.stack import Stack
from tests.operations.conftest import FUNCTIONS, PROJECT, RELEASE, all_well, live, secrets, self_check

pytestmark = pytest.mark.rows("E1", "M9", "P6")


def health(stack: Stack, *, seconds: float = 60, expected_release: str = "") -> HealthReport:
    """A busy machine makes no part silent."""
    return operations.health.health(stack, seconds=seconds, expected_release=expected_release)


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes no part slow."""
    monkeypatch.setattr("operations.health.SLOW_SECONDS", 60.0)


@pytest.fixture
def silent() -> Generator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.fixture
def waits_in_vain(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Half a second for the parts that never answer; the others have all the time that they need."""

    def brief(*parts: str) -> None:
        class Some(Probes):
            def all(self) -> list[Probe]:
                both = zip(super().all(), Probes(self.stack, 0.5).all(), strict=True)
                return [hurried if hurried.parts[0] in parts else patient for patient, hurried in both]

        monkeypatch.setattr("operations.health.Probes", Some)

    return brief


def part(report: HealthReport, name: str) -> Check:
    return next(check for check in report.checks if check.name == name)


@pytest.mark.usefixtures("deployed")
def test_all_parts_well_is_healthy(stack: Stack, httpserver: HTTPServer) -> None:
    all_well(httpserver)
    report = health(stack)
    assert report.unwell == []
    assert report.status is Status.HEALTHY
    assert {check.name for check in report.checks} == {
        *FUNCTIONS,
        *("rest", "supabase", "database", "key general", "key pii", "key payment", "drift"),
    }


@pytest.mark.usefixtures("deployed")
def test_what_lives_is_asked_however_the_source_is(stack: Stack, project: Path, httpserver: HTTPServer) -> None:
    all_well(httpserver)
    (project / "supabase/functions" / FUNCTIONS[0] / "index.ts").unlink()
    (project / "supabase/functions" / FUNCTIONS[1] / "index.ts").write_bytes(b"// caf\xe9")
    (project / "supabase/config.toml").write_text("functions = 1")
    report = health(stack)
    assert report.status is Status.HEALTHY
    assert {*FUNCTIONS} < {check.name for check in report.checks}


@pytest.mark.usefixtures("deployed")
def test_asking_changes_nothing(stack: Stack, httpserver: HTTPServer) -> None:
    all_well(httpserver)
    health(stack)
    assert {request.method for request, _ in httpserver.log} == {"GET"}


@pytest.mark.usefixtures("deployed")
def test_a_report_says_its_schema_and_comes_back_from_json(stack: Stack, httpserver: HTTPServer) -> None:
    all_well(httpserver)
    report = health(stack)
    assert report.schema_version == 1
    assert HealthReport.model_validate_json(report.model_dump_json()) == report


@pytest.mark.usefixtures("deployed")
def test_a_gateway_that_never_answers_is_down_and_holds_nothing_up(
    make_stack: Callable[..., Stack], httpserver: HTTPServer, silent: str, waits_in_vain: Callable[..., None]
) -> None:
    all_well(httpserver)
    waits_in_vain(*FUNCTIONS, "rest")
    report = health(make_stack(SUPABASE_URL=silent))
    for name in (*FUNCTIONS, "rest"):
        assert part(report, name).status is Status.DOWN
        assert "no answer after" in part(report, name).detail
    assert part(report, "supabase").status is Status.HEALTHY


@pytest.mark.usefixtures("deployed")
def test_a_management_api_that_never_answers_leaves_the_database_unknown(
    make_stack: Callable[..., Stack], httpserver: HTTPServer, silent: str, waits_in_vain: Callable[..., None]
) -> None:
    all_well(httpserver)
    waits_in_vain("supabase", "drift")
    report = health(make_stack(SUPABASE_API_URL=silent))
    assert report.status is Status.DEGRADED
    assert [check.name for check in report.unwell] == ["supabase", "database", "drift"]


@pytest.mark.usefixtures("deployed")
def test_an_aws_that_never_answers_leaves_the_keys_unknown(
    make_stack: Callable[..., Stack], httpserver: HTTPServer, silent: str, waits_in_vain: Callable[..., None]
) -> None:
    all_well(httpserver)
    waits_in_vain("key general", "key pii", "key payment", "drift")
    report = health(make_stack(AWS_ENDPOINT_URL=silent))
    assert report.status is Status.DEGRADED
    assert [check.name for check in report.unwell] == ["key general", "key pii", "key payment", "drift"]


def test_what_has_no_time_out_of_its_own_is_left_behind_at_the_deadline(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()

    def hangs() -> list[Answer]:
        released.wait()
        return []

    def one(_: Probes) -> list[Probe]:
        return [Probe(parts=("rest",), ask=hangs, when_silent=Status.DOWN)]

    monkeypatch.setattr(Probes, "all", one)
    report = health(stack, seconds=0.3)
    released.set()
    assert part(report, "rest").status is Status.DOWN
    assert re.fullmatch(r"no answer after 0\.[0-3] s", part(report, "rest").detail)


@pytest.mark.usefixtures("deployed")
def test_a_sandbox_that_is_not_there_names_the_command_that_starts_it(make_stack: Callable[..., Stack]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        url = f"http://127.0.0.1:{closed.getsockname()[1]}"
    report = health(make_stack(SUPABASE_URL=url, SUPABASE_API_URL=url))
    assert report.status is Status.DOWN
    assert "./pf sandbox up" in part(report, "rest").detail


@pytest.mark.usefixtures("deployed")
def test_a_function_that_answers_500_is_down(stack: Stack, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/functions/v1/encrypt-data").respond_with_data("boom", status=500)
    all_well(httpserver)
    report = health(stack)
    assert report.status is Status.DOWN
    assert [check.name for check in report.unwell] == ["encrypt-data"]
    assert "500" in part(report, "encrypt-data").detail


@pytest.mark.usefixtures("deployed")
def test_a_function_that_cannot_encrypt_is_down_and_its_purpose_named(stack: Stack, httpserver: HTTPServer) -> None:
    answer = self_check("encrypt-data", user_profile_data="kms_unavailable")
    httpserver.expect_request("/functions/v1/encrypt-data").respond_with_json(answer)
    all_well(httpserver)
    report = health(stack)
    assert part(report, "encrypt-data").status is Status.DOWN
    assert part(report, "encrypt-data").detail == "encryption fails under user-profile-data (kms_unavailable)"


@pytest.mark.usefixtures("deployed")
def test_functions_of_different_releases_are_degraded(stack: Stack, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/functions/v1/encrypt-data").respond_with_json(self_check("encrypt-data", "fedcba98"))
    all_well(httpserver)
    report = health(stack)
    assert report.status is Status.DEGRADED
    assert [check.name for check in report.unwell] == list(FUNCTIONS)
    assert "fedcba98" in part(report, "encrypt-data").detail


@pytest.mark.usefixtures("deployed")
def test_a_deployment_sees_that_the_release_before_still_serves(stack: Stack, httpserver: HTTPServer) -> None:
    all_well(httpserver)
    assert health(stack, expected_release=RELEASE).status is Status.HEALTHY
    assert health(stack, expected_release="another").status is Status.DEGRADED


@pytest.mark.usefixtures("deployed")
def test_an_unwell_database_is_down(stack: Stack, httpserver: HTTPServer) -> None:
    services = [
        {"name": "db", "healthy": False, "status": "UNHEALTHY", "error": "disk full"},
        {"name": "rest", "healthy": True, "status": "ACTIVE_HEALTHY"},
    ]
    httpserver.expect_request(f"{PROJECT}/health").respond_with_json(services)
    all_well(httpserver)
    report = health(stack)
    assert part(report, "database").status is Status.DOWN
    assert "disk full" in part(report, "database").detail


@pytest.mark.usefixtures("deployed")
def test_a_token_that_is_not_accepted_is_named_as_such(stack: Stack, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"{PROJECT}/health").respond_with_json({"message": "Unauthorized"}, status=401)
    all_well(httpserver)
    report = health(stack)
    assert report.status is Status.DEGRADED
    assert "SUPABASE_ACCESS_TOKEN" in part(report, "supabase").detail


@pytest.mark.usefixtures("deployed")
def test_garbage_from_the_management_api_is_degraded(stack: Stack, httpserver: HTTPServer) -> None:
    httpserver.expect_request(f"{PROJECT}/health").respond_with_data("<html>")
    all_well(httpserver)
    assert part(health(stack), "supabase").status is Status.DEGRADED


@pytest.mark.parametrize(
    ("operation", "arguments", "status", "said"),
    [
        ("disable_key", {}, Status.DOWN, "Disabled: ./pf deploy"),
        ("schedule_key_deletion", {}, Status.DOWN, "PendingDeletion: aws kms cancel-key-deletion --key-id "),
        ("disable_key_rotation", {}, Status.DEGRADED, "does not rotate: ./pf deploy"),
        ("enable_key_rotation", {"RotationPeriodInDays": 900}, Status.DEGRADED, "900 days, not every 365: ./pf deploy"),
    ],
)
def test_a_key_that_is_not_as_it_should_be_is_named(
    stack: Stack,
    httpserver: HTTPServer,
    client: Callable[[str], Any],
    deployed: dict[str, str],
    operation: str,
    arguments: dict[str, int],
    status: Status,
    said: str,
) -> None:
    all_well(httpserver)
    getattr(client("kms"), operation)(KeyId=deployed["pii"], **arguments)
    report = health(stack)
    assert [check.name for check in report.unwell] == ["key pii"]
    assert report.status is status
    assert said in part(report, "key pii").detail


@pytest.mark.usefixtures("deployed")
def test_an_alias_that_is_gone_is_down(stack: Stack, httpserver: HTTPServer, client: Callable[[str], Any]) -> None:
    all_well(httpserver)
    client("kms").delete_alias(AliasName="alias/parker-flight-pii-sandbox")
    report = health(stack)
    assert [check.name for check in report.unwell] == ["key pii"]
    assert report.status is Status.DOWN


@pytest.mark.usefixtures("deployed")
def test_a_profile_that_is_not_there_is_named_with_its_cure(
    make_stack: Callable[..., Stack], httpserver: HTTPServer
) -> None:
    all_well(httpserver)
    report = health(make_stack(AWS_PROFILE="nobody"))
    assert [check.name for check in report.unwell] == ["key general", "key pii", "key payment", "drift"]
    assert "unset AWS_PROFILE" in part(report, "key pii").detail


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("what", "answer", "said"),
    [
        ("functions", [live("encrypt-data")], "create-payment-method was deleted: ./pf deploy"),
        (
            "functions",
            [live("encrypt-data", ezbr_sha256="other"), live("create-payment-method", verify_jwt=False)],
            "create-payment-method has verify_jwt off; encrypt-data was replaced: ./pf deploy",
        ),
        (
            "functions",
            [live("backdoor"), *map(live, FUNCTIONS)],
            "backdoor is no function of the release: supabase functions delete backdoor --project-ref "
            "sandboxsandboxsandbo",
        ),
        (
            "secrets",
            secrets(PF_ROLE_ARN="another", PF_ENVIRONMENT=None, PF_RELEASE="none"),
            "changed or unset: PF_ENVIRONMENT, PF_RELEASE, PF_ROLE_ARN: ./pf deploy",
        ),
        (
            "secrets",
            secrets(PF_AWS_SECRET_ACCESS_KEY="another"),
            "the functions' AWS access key is not the one that was handed over: ./pf deploy",
        ),
    ],
)
def test_what_was_changed_beside_pulumi_is_named_with_its_cure(
    stack: Stack, httpserver: HTTPServer, what: str, answer: list[dict[str, Any]], said: str
) -> None:
    httpserver.expect_request(f"{PROJECT}/{what}", method="GET").respond_with_json(answer)
    all_well(httpserver)
    report = health(stack)
    assert [check.name for check in report.unwell] == ["drift"]
    assert report.status is Status.DEGRADED
    assert part(report, "drift").detail == said


def test_an_alias_that_points_to_another_key_is_down(
    stack: Stack, httpserver: HTTPServer, client: Callable[[str], Any], deployed: dict[str, str]
) -> None:
    all_well(httpserver)
    client("kms").update_alias(AliasName="alias/parker-flight-pii-sandbox", TargetKeyId=deployed["payment"])
    report = health(stack)
    assert [check.name for check in report.unwell] == ["drift"]
    assert report.status is Status.DOWN
    assert f"points to the key {deployed['payment']}, not to {deployed['pii']}" in part(report, "drift").detail


@pytest.mark.usefixtures("deployed")
@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("echo 'error: the backend is gone' >&2; exit 255", "not known: `pulumi stack export` failed: the backend is"),
        (f"echo '{json.dumps({})}'", "nothing is deployed: ./pf deploy"),
    ],
)
def test_without_a_state_to_compare_with_drift_is_not_known(
    stack: Stack, httpserver: HTTPServer, tool: Callable[[str, str], Any], script: str, said: str
) -> None:
    tool("pulumi", script)
    all_well(httpserver)
    report = health(stack)
    assert [check.name for check in report.unwell] == ["drift"]
    assert part(report, "drift").detail.startswith(said)


def test_each_status_has_its_exit_code() -> None:
    assert [status.code for status in Status] == [ExitCode.HEALTHY, ExitCode.DEGRADED, ExitCode.DOWN] == [0, 1, 2]


@pytest.mark.rows("M7")
def test_an_answer_that_takes_longer_than_it_may_is_degraded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.health.SLOW_SECONDS", 2.0)
    well = Answer(status=Status.HEALTHY, detail="select")
    quick, slow = judged([Result(name="rest", answer=well, seconds=took) for took in (2.0, 2.1)])
    assert (quick.answer.status, slow.answer.status) == (Status.HEALTHY, Status.DEGRADED)
    assert slow.answer.detail == "slow, over 2 s; select"
