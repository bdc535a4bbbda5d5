"""What `pf bootstrap` refuses before it makes anything, and what it says is missing."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from pytest_httpserver import HTTPServer

from components.naming import Site
from operations import ci_settings
from operations.bootstrap import Ground, backend_url, bootstrap, bucket_is_ours
from operations.bootstrap_check import check, ci_needs
from operations.bootstrap_text import next_steps
from operations.engine import InterruptedEngineError
from operations.errors import OperationError
from operations.github import GitHub
from operations.health import Status
from operations.repository_rules import REQUIRED_CHECKS, environments, rulesets
from operations.stack import Stack
from operations.unlock import free
from tests.ci.github import REPOSITORY
from tests.ci.github import GitHub as StandIn
from tests.operations.conftest import ROOT

pytestmark = pytest.mark.rows("K3", "R3")

Client = Callable[[str], Any]
STATE = "parker-flight-sandbox-state-123456789012"


@pytest.fixture
def root(stack: Stack, tmp_path: Path) -> Stack:
    """A checkout of its own, since the settings are written there."""
    folder = tmp_path / "checkout"
    (folder / "bootstrap").mkdir(parents=True)
    shutil.copy(stack.root / "Pulumi.sandbox.yaml", folder)
    return replace(stack, root=folder)


@pytest.fixture
def ground(root: Stack) -> Ground:
    return Ground.of(root, REPOSITORY)


def test_the_settings_of_the_first_time_come_from_the_stack_and_from_whoever_runs_it(root: Stack) -> None:
    ground = Ground.of(root, REPOSITORY)
    ground.write()
    written = yaml.safe_load(ground.file.read_text())["config"]
    assert written["parker-flight:awsAccountId"] == "123456789012"
    assert written["parker-flight-bootstrap:operators"] == ["arn:aws:iam::123456789012:user/moto"]
    assert Ground.of(root).foundation == ground.foundation, "the file has all that the next time needs"


def test_without_a_repository_it_says_which_option_names_it(root: Stack) -> None:
    with pytest.raises(OperationError, match="--repository OWNER/NAME"):
        Ground.of(root)


@pytest.mark.parametrize("given", ["parker-flight", "https://github.com/example/parker-flight", "OWNER/NAME"])
def test_what_is_no_repository_is_refused_with_an_example_and_nothing_is_written(root: Stack, given: str) -> None:
    with pytest.raises(OperationError, match=f"'{given}' is no repository of GitHub") as caught:
        Ground.of(root, given)
    assert "--repository example/parker-flight" in caught.value.cure
    assert not (root.root / "bootstrap/Pulumi.sandbox.yaml").exists()


def test_another_repository_than_that_of_the_file_is_refused(root: Stack) -> None:
    Ground.of(root, REPOSITORY).write()
    with pytest.raises(OperationError, match=f"{REPOSITORY} deploys sandbox, not example/other"):
        Ground.of(root, "example/other")


@pytest.mark.parametrize(
    ("key", "value"), [("parker-flight:awsAccountId", "210987654321"), ("parker-flight:environment", "staging")]
)
def test_settings_that_differ_from_the_stacks_are_refused_by_name(root: Stack, key: str, value: str) -> None:
    ground = Ground.of(root, REPOSITORY)
    ground.file.write_text(yaml.safe_dump({"config": ground.foundation.config | {key: value}}))
    with pytest.raises(OperationError, match=key):
        Ground.of(root)


def test_a_setting_that_cannot_be_right_is_named_with_its_file(root: Stack) -> None:
    ground = Ground.of(root, REPOSITORY)
    config = ground.foundation.config | {"parker-flight-bootstrap:operators": []}
    ground.file.write_text(yaml.safe_dump({"config": config}))
    with pytest.raises(OperationError, match=r"(?s)bootstrap/Pulumi\.sandbox\.yaml.*operators"):
        Ground.of(root)


def test_a_bucket_of_that_name_is_ours_by_its_tags_alone(ground: Ground, client: Client) -> None:
    assert not bucket_is_ours(ground)
    client("s3").create_bucket(Bucket=STATE)
    for tags in ({}, {"Application": "another"}, {"Application": "parker-flight", "Environment": "staging"}):
        tag_set = {"TagSet": [{"Key": name, "Value": value} for name, value in tags.items()]}
        client("s3").put_bucket_tagging(Bucket=STATE, Tagging=tag_set)
        with pytest.raises(OperationError, match=f"{STATE} is there, and isn't this project's"):
            bucket_is_ours(ground)
    tag_set = {"TagSet": [{"Key": name, "Value": value} for name, value in ground.site.tags.items()]}
    client("s3").put_bucket_tagging(Bucket=STATE, Tagging=tag_set)
    assert bucket_is_ours(ground)


def test_a_lock_is_looked_for_where_this_project_keeps_its_state(ground: Ground) -> None:
    """The stack's own backend isn't there yet: the first run makes the bucket for it."""
    folder = ground.local / ".pulumi/locks/organization/parker-flight-bootstrap/sandbox"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text("{")
    with pytest.raises(OperationError, match=r"the lock of sandbox is damaged.* 1\.json"):
        ground.here.refuse_while_locked()


def lock_of_another_machine() -> str:
    return json.dumps({"pid": 7, "username": "ada", "hostname": "ci-runner", "timestamp": "2026-08-03T12:00:00+00:00"})


def test_a_lock_that_another_machine_holds_is_freed_as_its_cure_says(
    ground: Ground, tool: Callable[[str, str], Path]
) -> None:
    folder = ground.local / ".pulumi/locks/organization/parker-flight-bootstrap/sandbox"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text(lock_of_another_machine())
    asked = folder.parent / "asked"
    tool("pulumi", f'echo "$PULUMI_BACKEND_URL $PWD $*" > {asked}; rm {folder}/1.json')
    with pytest.raises(OperationError, match="another update of sandbox is at work: ada@ci-runner") as caught:
        ground.here.refuse_while_locked()
    assert caught.value.cure.endswith(": ./pf unlock --bootstrap")
    assert "--wait" not in caught.value.cure
    with pytest.raises(OperationError, match="confirmed"):
        free(ground.engines, "")
    assert not asked.exists()
    assert free(ground.engines, "sandbox")
    assert asked.read_text().startswith(f"file://{ground.local}?metadata=skip {ground.file.parent} cancel --yes")
    assert not free(ground.engines, "")


def test_a_lock_in_the_bucket_is_freed_as_well(
    make_stack: Callable[..., Stack], tmp_path: Path, client: Client, tool: Callable[[str, str], Path]
) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    (tmp_path / "checkout/bootstrap").mkdir(parents=True)
    ground = Ground.of(replace(make_stack(**keys), root=tmp_path / "checkout"), REPOSITORY)
    assert ground.engines == [], "nothing has been begun anywhere"
    client("s3").create_bucket(Bucket=STATE)
    tags = [{"Key": name, "Value": value} for name, value in ground.site.tags.items()]
    client("s3").put_bucket_tagging(Bucket=STATE, Tagging={"TagSet": tags})
    key = ".pulumi/locks/organization/parker-flight-bootstrap/sandbox/1.json"
    client("s3").put_object(Bucket=STATE, Key=key, Body=lock_of_another_machine())
    tool("pulumi", f'echo "$PULUMI_BACKEND_URL $*" > {tmp_path}/asked')
    assert free(ground.engines, "sandbox")
    assert (tmp_path / "asked").read_text().startswith(f"{ground.url} cancel --yes --stack sandbox")


def test_a_preview_that_fails_at_the_beginning_names_this_verb(
    ground: Ground, tool: Callable[[str, str], Path]
) -> None:
    tool("pulumi", 'case "$1" in stack) ;; *) echo "no such provider" >&2; exit 255 ;; esac')
    with pytest.raises(OperationError, match="no such provider") as caught:
        bootstrap(ground)
    assert caught.value.cure == "Mend that, then: ./pf bootstrap"


def test_a_preview_that_is_interrupted_at_the_beginning_names_this_verb(
    ground: Ground, tool: Callable[[str, str], Path]
) -> None:
    tool("pulumi", 'case "$1" in stack) ;; *) kill -INT $PPID; exit 255 ;; esac')
    with pytest.raises(InterruptedEngineError) as caught:
        bootstrap(ground)
    assert caught.value.cure.endswith(": ./pf bootstrap")


def test_the_address_of_a_bucket_is_the_engines() -> None:
    site = Site(environment="production", account_id="210987654321", region="us-east-1")
    assert backend_url(site, site.state_bucket, None) == (
        "s3://parker-flight-production-state-210987654321?region=us-east-1"
    )
    assert backend_url(site, "b", "http://127.0.0.1:1") == (
        "s3://b?region=us-east-1&endpoint=127.0.0.1:1&s3ForcePathStyle=true&disableSSL=true"
    )
    assert "disableSSL" not in backend_url(site, "b", "https://aws.example.com")


def test_in_an_empty_account_everything_is_named_as_missing(ground: Ground) -> None:
    report = check(ground)
    assert report.status is Status.DOWN
    missing = {one.name for one in report.checks if "missing" in one.detail and one.status is Status.DOWN}
    assert missing == {
        "alias/parker-flight-buckets-sandbox",
        "alias/parker-flight-pulumi-sandbox",
        STATE,
        "parker-flight-sandbox-reports-123456789012",
        "identity provider token.actions.githubusercontent.com",
        "parker-flight-sandbox-ci-boundary",
        "parker-flight-sandbox-workload-boundary",
        "parker-flight-sandbox-check",
        "parker-flight-sandbox-deploy",
        "parker-flight-sandbox-preview",
    }


def test_what_github_lacks_is_named_with_the_command_that_sets_it(ground: Ground, github: StandIn) -> None:
    github.settings = {
        "actions/variables": ["PULUMI_BACKEND_URL", "PF_REPORTS"],
        "environments/production/secrets": ["SUPABASE_ANON_KEY"],
    }
    given = {"github_token": SecretStr("a-token"), "github_api_url": github.url}
    stack = replace(ground.stack, environment=ground.stack.environment.model_copy(update=given))

    found = {one.name: one for one in check(replace(ground, stack=stack)).checks}

    assert found["PF_REPORTS"].status is Status.HEALTHY
    assert found["SUPABASE_ANON_KEY (production)"].status is Status.HEALTHY
    assert found["SUPABASE_ANON_KEY (operations)"].status is Status.DOWN
    assert found["AWS_DEPLOY_ROLE_ARN (production)"].status is Status.DOWN
    command = f"gh variable set AWS_DEPLOY_ROLE_ARN --repo {REPOSITORY} --env production --body "
    role = "arn:aws:iam::123456789012:role/parker-flight-sandbox-deploy"
    assert found["AWS_DEPLOY_ROLE_ARN (production)"].cure == f"{command}{role}"
    secret = f"gh secret set SUPABASE_SERVICE_ROLE_KEY --repo {REPOSITORY} --env production"
    assert found["SUPABASE_SERVICE_ROLE_KEY (production)"].cure == secret
    assert found["environment production"].status is Status.DOWN


def test_without_a_token_github_is_one_line_that_says_so(ground: Ground) -> None:
    (one,) = (one for one in check(ground).checks if one.name == "github")
    assert one.status is Status.DEGRADED
    assert one.cure == 'export GITHUB_TOKEN="$(gh auth token)"'


def test_a_github_that_refuses_is_an_error_with_its_cure(ground: Ground, httpserver: HTTPServer) -> None:
    httpserver.expect_request(re.compile(".*")).respond_with_data(status=403)
    with pytest.raises(OperationError, match=r"answered 403 .*\n  The token may not do this"):
        ci_settings.missing(ci_needs(ground), GitHub(REPOSITORY, "a-token", httpserver.url_for("").rstrip("/")))


def test_every_setting_of_ci_is_in_the_template_or_made_here(ground: Ground) -> None:
    template = (ROOT / "environment.template").read_text()
    for one in ci_needs(ground):
        assert one.name in template, one.name


def test_no_step_holds_a_secret_and_each_needs_no_more_than_a_shell(ground: Ground) -> None:
    environment = ground.stack.environment
    secrets = [
        environment.supabase_access_token.get_secret_value(),
        environment.supabase_service_role_key.get_secret_value(),
    ]
    assert all(secrets)
    text = "\n".join(commands for _, commands in next_steps(ground, signers_confirmed=False))
    assert not [secret for secret in secrets if secret in text]
    assert "./pf signers confirm --stack sandbox" in text
    assert "signers" not in "\n".join(each for _, each in next_steps(ground, signers_confirmed=True))


def test_a_setting_of_an_environment_comes_after_it_and_the_branch_is_closed_last(ground: Ground) -> None:
    text = "\n".join(commands for _, commands in next_steps(ground, signers_confirmed=True))
    told = [
        *("environments/production/deployment-branch-policies", "environments/operations/deployment-branch-policies"),
        *("--env production", "gh secret set SUPABASE_ANON_KEY", "refs/heads/main"),
    ]
    places = [text.index(one) for one in told]
    assert places == sorted(places)


def test_a_stack_that_is_there_already_is_not_made_again(ground: Ground) -> None:
    file = ground.stack.root / "Pulumi.sandbox.yaml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith("encryptionsalt")]
    file.write_text("\n".join([*lines, f"secretsprovider: {ground.site.secrets_provider}", ""]))
    text = "\n".join(commands for _, commands in next_steps(ground, signers_confirmed=True))
    assert "export PULUMI_BACKEND_URL=" in text
    assert "stack init" not in text


def test_what_the_new_stack_is_encrypted_by_is_committed_with_the_rest(ground: Ground) -> None:
    """`pulumi stack init` has written it into the stack's own file."""
    steps = [commands for _, commands in next_steps(ground, signers_confirmed=True)]
    (made,) = [place for place, one in enumerate(steps) if "pulumi stack init" in one]
    assert steps[made + 1].startswith("git add bootstrap/Pulumi.sandbox.yaml Pulumi.sandbox.yaml\ngit commit")


def test_the_branch_asks_for_reviews_and_green_checks_and_the_environment_for_chosen_branches() -> None:
    hotfixes, protected = rulesets("main")
    rules = {rule["type"]: rule.get("parameters", {}) for rule in protected["rules"]}
    assert {"deletion", "non_fast_forward"} <= rules.keys()
    assert rules["pull_request"]["require_code_owner_review"] is True
    assert [one["context"] for one in rules["required_status_checks"]["required_status_checks"]] == [*REQUIRED_CHECKS]
    assert protected["bypass_actors"] == []
    assert hotfixes["conditions"]["ref_name"]["include"] == ["refs/heads/hotfix/*"]
    deploys, looks = environments("main")
    assert (deploys.path, looks.path) == ("environments/production", "environments/operations")
    assert (*deploys.branches, *looks.branches) == ("main", "hotfix/*", "main")


def test_a_call_is_printed_as_a_shell_takes_it() -> None:
    call = environments("main")[0].made
    first, *payload, last = call.command(REPOSITORY).splitlines()
    assert first == f"gh api --method PUT repos/{REPOSITORY}/environments/production --input - <<'JSON'"
    assert json.loads("\n".join(payload)) == call.payload
    assert last == "JSON"
