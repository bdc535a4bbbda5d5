"""The approval gate under the real engine: what nobody approved reaches neither AWS nor Supabase."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.e2e.checkout import Checkout, new_checkout

pytestmark = pytest.mark.rows("K5", "C1", "C2")

FOREIGN_KEY = "00000000-0000-4000-8000-000000000000"
# Nor does what is told about what was refused.
UNCHANGING = ("/", "AssumeRole", "Decrypt", "Describe", "Encrypt", "GenerateDataKey", "Get", "List", "Publish", "PutM")
KEY = "components/encryption_key.py"


class Gated:
    """A checkout at its gate: what was written so far, and who signs."""

    def __init__(self, checkout: Checkout) -> None:
        self.checkout = checkout

    def writes(self) -> list[str]:
        """Every call that changed something in AWS or Supabase, in order; not what the functions do at their work."""
        aws = [name for name in self.checkout.aws_operations() if not name.startswith(UNCHANGING)]
        supabase = [
            f"{method} {path}"
            for method, path in self.checkout.supabase_requests()
            if method != "GET" and path.startswith("/v1/")
        ]
        return aws + supabase

    def state(self) -> bytes:
        return self.checkout.pulumi("stack", "export", check=False).stdout.encode()

    def up(self, *arguments: str, check: bool = False) -> CompletedProcess[str]:
        return self.checkout.pulumi("up", "--yes", "--non-interactive", *arguments, check=check)

    def denied(self, *arguments: str) -> str:
        """Update, and hold that it was refused before anything was written; the message in one line."""
        writes, state = self.writes(), self.state()
        refused = self.up(*arguments)
        message = " ".join((refused.stdout + refused.stderr).split())
        assert refused.returncode != 0, message
        assert "security-approval" in message
        assert "Traceback" not in message
        assert self.writes() == writes
        assert _resources(self.state()) == _resources(state)
        return message

    def asked(self) -> dict[str, object]:
        return json.loads(self.checkout.pf("approvals", "--json").stdout)

    def sign(self, role: str, *, key: str = "", check: bool = True, **options: str) -> CompletedProcess[str]:
        asked = self.asked()
        kind = "release" if options.pop("hotfix", "") else "surface"
        given = {"reason": "a test", "confirm": str(asked[kind])[:12]} | options
        arguments = [word for name, value in given.items() for word in (f"--{name}", value)]
        arguments += ["--hotfix"] if kind == "release" else []
        file = self.checkout.state / "sandbox/people" / (key or role)
        return self.checkout.pf("approve", "--key", str(file), *arguments, check=check)

    def edit(self, name: str, before: str, after: str) -> None:
        file = self.checkout.root / name
        text = file.read_text()
        assert before in text
        file.write_text(text.replace(before, after, 1))

    def widen(self, action: str) -> None:
        """Let a key's administrators do more."""
        last = '"kms:UpdateKeyDescription",'
        self.edit(KEY, last, f'{last} "{action}",')

    def rotate_every(self, days: int) -> None:
        """The smallest change of the surface."""
        setting = "parker-flight:environment"
        self.edit("Pulumi.sandbox.yaml", setting, f"parker-flight:keyRotationDays: {days}\n  {setting}")


def _resources(exported: bytes) -> object:
    return json.loads(exported)["deployment"].get("resources") if exported.strip() else None


@pytest.fixture(scope="module")
def gated() -> Iterator[Gated]:
    """A sandbox whose signers are confirmed and whose stack is empty; these tests go through its life in order."""
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        checkout.pf("signers", "confirm", "--confirm", "sandbox")
        checkout.pulumi("stack", "select", "sandbox", "--create")
        yield Gated(checkout)


@pytest.fixture
def program(gated: Gated) -> Iterator[Gated]:
    """The program may be edited; it is put back afterwards."""
    names = ("__main__.py", KEY, "Pulumi.sandbox.yaml", "supabase/functions/encrypt-data/index.ts")
    before = {name: (gated.checkout.root / name).read_text() for name in names}
    yield gated
    for name, text in before.items():
        (gated.checkout.root / name).write_text(text)


def test_a_first_deployment_is_denied_naming_both_roles(gated: Gated) -> None:
    message = gated.denied()
    assert "no approval of the surface" in message
    assert "security: security@example.com" in message
    assert "devops: devops@example.com" in message


def test_an_update_without_its_preview_is_denied_too(gated: Gated) -> None:
    assert "no preview came before this update" in gated.denied("--skip-preview")


def test_one_signature_is_not_enough_and_one_person_signs_once(gated: Gated) -> None:
    gated.sign("security")
    assert "nobody has signed as devops" in gated.denied()
    again = gated.sign("security", check=False)
    assert again.returncode != 0
    assert "what is missing is devops" in again.stderr


def test_with_both_the_very_surface_that_was_previewed_is_applied(gated: Gated) -> None:
    before = gated.asked()["surface"]
    gated.sign("devops")
    gated.up(check=True)
    assert gated.checkout.pulumi("preview", "--expect-no-changes").returncode == 0
    asked = gated.asked()
    assert (asked["surface"], asked["allowed"], asked["kind"]) == (before, True, "feature")


def test_an_approval_can_be_verified_with_plain_ssh_keygen(gated: Gated) -> None:
    folder = gated.checkout.state / "sandbox/approvals"
    (signature,) = (folder / "sandbox").glob("*.security.*.sig")
    statement = signature.with_name(re.sub(r"\.security\..*", "", signature.name))
    verify = 'ssh-keygen -Y verify -f "$1" -I security@example.com -n security@parker-flight -s "$2" < "$3"'
    said = gated.checkout.run("sh", "-c", verify, "sh", f"{folder / 'allowed_signers'}", f"{signature}", f"{statement}")
    assert "Good" in said.stdout


def test_function_code_needs_no_approval(program: Gated) -> None:
    program.edit("supabase/functions/encrypt-data/index.ts", "Deno.serve", "// a comment\nDeno.serve")
    program.up(check=True)
    assert program.asked()["kind"] == "feature"


@pytest.mark.parametrize(
    "addition",
    [
        "import pulumi_command\npulumi_command.local.Command('x', create='aws iam list-users')",
        "import pulumi_aws\npulumi_aws.Provider('other', region='us-east-1', allowed_account_ids=['123456789012'])",
        "import pulumi_aws\npulumi_aws.kms.Alias('x', name='alias/x', target_key_id='" + FOREIGN_KEY + "', "
        "opts=pulumi.ResourceOptions(protect=True))",
    ],
    ids=["a command", "a provider", "an alias with a literal key id"],
)
def test_what_the_program_adds_is_denied(program: Gated, addition: str) -> None:
    main = program.checkout.root / "__main__.py"
    main.write_text(f"{main.read_text()}\n{addition}\n")
    assert "no approval of the surface" in program.denied()


def test_a_program_that_shows_the_preview_something_else_is_stopped_at_that_resource(program: Gated) -> None:
    """An alias to the approved key in the preview, to another one in the update."""
    program.edit(
        KEY,
        "target_key_id=key.key_id,",
        f"target_key_id=key.key_id if pulumi.runtime.is_dry_run() else {FOREIGN_KEY!r},",
    )
    targets = _alias_targets(program.checkout)
    program.checkout.approved()
    refused = program.up()
    message = " ".join((refused.stdout + refused.stderr).split())
    assert refused.returncode != 0
    assert "is not what the preview showed" in message
    assert _alias_targets(program.checkout) == targets


def _alias_targets(checkout: Checkout) -> dict[str, str]:
    aliases = checkout.aws("kms").list_aliases()["Aliases"]
    return {alias["AliasName"]: alias.get("TargetKeyId", "") for alias in aliases if "parker" in alias["AliasName"]}


def test_the_requester_is_no_approver(program: Gated) -> None:
    program.widen("kms:GetPublicKey")
    program.sign("security", requester="devops@example.com")
    program.sign("devops")
    assert "devops@example.com has part in this change" in program.denied()


def test_a_widened_key_policy_is_applied_by_two_and_taken_back_without_anybody(program: Gated) -> None:
    before = program.asked()["surface"]
    program.widen("kms:ListRetirableGrants")
    shown = program.sign("security")
    assert "kms:ListRetirableGrants" in shown.stdout + shown.stderr
    program.sign("devops")
    program.up(check=True)
    program.edit(KEY, ' "kms:ListRetirableGrants",', "")
    program.up(check=True)
    assert program.asked()["surface"] == before


def test_an_approval_on_another_base_is_refused_naming_what_moved(program: Gated) -> None:
    program.widen("kms:GetParametersForImport")
    program.checkout.approved()
    approved = (program.checkout.root / KEY).read_text()
    program.edit(KEY, ' "kms:GetParametersForImport",', "")
    program.rotate_every(200)
    program.checkout.approved()
    program.up(check=True)
    (program.checkout.root / KEY).write_text(approved)
    program.edit("Pulumi.sandbox.yaml", "parker-flight:keyRotationDays: 200\n  ", "")
    message = program.denied()
    assert "was given on the base" in message
    assert "since then there moved" in message
    assert "payment-1" in message


def test_a_console_edit_is_not_laundered_by_a_refresh(program: Gated) -> None:
    program.up(check=True)
    checkout = program.checkout
    iam = checkout.aws("iam")
    original = iam.get_role_policy(RoleName="parker-flight-sandbox-role", PolicyName="functions")["PolicyDocument"]
    wider = json.loads(json.dumps(original).replace("kms:DescribeKey", "kms:*"))
    document = json.dumps(wider, sort_keys=True, separators=(",", ":"))
    iam.put_role_policy(RoleName="parker-flight-sandbox-role", PolicyName="functions", PolicyDocument=document)
    checkout.pulumi("refresh", "--yes")
    program.edit("components/function_access.py", '"Action": "kms:DescribeKey"', '"Action": "kms:*"')
    message = program.denied()
    program.edit("components/function_access.py", '"Action": "kms:*"', '"Action": "kms:DescribeKey"')
    assert "no approval of the surface" in message or "iam-no-wildcard" in message
    program.up(check=True)  # what was approved last is put back, and nobody has to be asked
    now = iam.get_role_policy(RoleName="parker-flight-sandbox-role", PolicyName="functions")["PolicyDocument"]
    assert now == original


def test_an_interrupted_update_has_to_be_recovered_first(program: Gated) -> None:
    checkout = program.checkout
    (file,) = (checkout.state / "sandbox/pulumi/.pulumi/stacks/parker-flight").glob("sandbox.json")
    state = json.loads(file.read_text())
    urn = "urn:pulumi:sandbox::parker-flight::aws:sns/topic:Topic::lost"
    lost = {"urn": urn, "custom": True, "type": "aws:sns/topic:Topic", "inputs": {"name": "lost"}}
    state["checkpoint"]["latest"]["pending_operations"] = [{"resource": lost, "type": "creating"}]
    file.write_text(json.dumps(state))
    assert "./pf recover --stack sandbox" in program.denied()
    checkout.pf("recover")
    program.up(check=True)


def test_an_incident_takes_the_place_of_approvals_until_it_is_closed(program: Gated) -> None:
    checkout = program.checkout
    program.rotate_every(180)
    people = checkout.state / "sandbox/people"
    refused = checkout.pf("deploy", "--emergency", "--reason", "it burns", check=False)
    assert refused.returncode != 0
    assert "no incident is open" in refused.stdout + refused.stderr
    opening = ("incident", "open", "--reason", "payments fail", "--confirm", "sandbox", "--key")
    not_commander = checkout.pf(*opening, str(people / "security"), check=False)
    assert "is no incident commander's key" in not_commander.stderr
    opened = checkout.pf(*opening, str(people / "incident-commander")).stdout.strip()
    assert checkout.pf("deploy", check=False).returncode != 0  # an emergency is said, never assumed
    checkout.pf("deploy", "--emergency", "--reason", "it burns")
    checkout.pf("incident", "close", opened, "--reason", "over")
    assert json.loads(checkout.pf("incident", "status", "--json").stdout)[0]["detail"] == "closed"
    # What came by an incident stands, and still wants its approval.
    assert f"was live in the incident {opened}" in program.denied()


def test_a_withdrawn_surface_is_denied_whoever_approved_it(gated: Gated) -> None:
    surface = str(gated.asked()["surface"])
    gated.up(check=True)
    short = gated.checkout.pf("withdraw", surface[:4], "--reason", "x", check=False)
    assert "give at least 8 characters" in short.stderr
    gated.checkout.pf("withdraw", surface[:12], "--reason", "opens too much")
    assert "was withdrawn: opens too much" in gated.denied()


def test_demo_people_sign_for_no_other_stack(gated: Gated) -> None:
    """The same statement under another stack's name."""
    checkout = gated.checkout
    shutil.copy(checkout.root / "Pulumi.sandbox.yaml", checkout.root / "Pulumi.staging.yaml")
    listed = checkout.pf("signers", "list", "--stack", "staging", check=False, environment=checkout.environment)
    assert listed.returncode != 0
    assert "nobody has confirmed yet who may approve" in listed.stderr


def test_everything_is_asked_of_files_that_anyone_can_read(gated: Gated) -> None:
    folder: Path = gated.checkout.state / "sandbox/approvals/sandbox"
    for file in folder.glob("*.json"):
        statement = json.loads(file.read_bytes())
        assert statement["stack"] == "sandbox"
        assert statement["reason"]
