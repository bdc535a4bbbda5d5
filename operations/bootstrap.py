"""What a stack stands on is made in its AWS account: from nothing, from where it broke off, or where it was changed.

The first run keeps its state on this machine, since the bucket for it isn't there yet; then it moves into that bucket.
The state here is the truth until the bucket has all of it, and goes then. So whatever a run leaves, the next goes on
from: local state, or a bucket with it, or neither, where what stands already is taken over by its names and tags.
"""

import json
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Self, cast
from urllib.parse import urlencode, urlsplit

import yaml

from bootstrap.foundation import PROJECT, REPOSITORY, Foundation, FoundationError
from components.naming import Site
from gate.stack_file import release_part
from gate.trust import SIGNERS
from operations.aws import Aws, AwsError, code_of, explained
from operations.engine import Engine, EngineError, StackMissingError
from operations.environment import POLICY_PACK
from operations.errors import ExitCode, OperationError
from operations.gate import gate_of
from operations.output import say
from operations.recover import recover, take_over
from operations.signers import confirm
from operations.stack import Stack
from operations.state import read_state

FOLDER = "bootstrap"
BRANCH = "main"  # of a stack that protects none
NEEDS = ("AWS",)
PLACEHOLDER, EXAMPLE = "OWNER/NAME", "example/parker-flight"  # of --repository
PASSPHRASES = ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")


def backend_url(site: Site, bucket: str, endpoint: str | None) -> str:
    """The bucket as the engine and the gate take it."""
    options = {"region": site.region}
    if endpoint:
        parts = urlsplit(endpoint)
        options |= {"endpoint": parts.netloc, "s3ForcePathStyle": "true"}
        options |= {"disableSSL": "true"} if parts.scheme == "http" else {}
    return f"s3://{bucket}?{urlencode(options, safe=':')}"


@dataclass(frozen=True, kw_only=True)
class Ground:
    """The bootstrap project of one stack: its settings, and the two places where its state may be."""

    stack: Stack
    foundation: Foundation

    @classmethod
    def of(cls, stack: Stack, repository: str = "") -> Self:
        """`repository`: for the first time, when there is no file yet; the file is written by `prepare`.

        Raises: OperationError.
        """
        return cls(stack=stack, foundation=_settings(stack, repository))

    @property
    def file(self) -> Path:
        return _file(self.stack)

    @property
    def site(self) -> Site:
        return self.foundation.site

    @property
    def branch(self) -> str:
        """The protected one, by its name in the repository."""
        return self.stack.settings.protected_branch.rpartition("/")[2] or BRANCH

    @property
    def command(self) -> str:
        return f"./pf bootstrap{self.stack.command}"

    @property
    def url(self) -> str:
        """Of the state, as the engine takes it."""
        endpoint = self.stack.environment.aws_endpoint_url
        return backend_url(self.site, self.site.state_bucket, str(endpoint) if endpoint else None)

    @property
    def reports_url(self) -> str:
        """As the report store takes it, which finds AWS as everything else does."""
        return f"s3://{self.site.report_bucket}?region={self.site.region}"

    @property
    def local(self) -> Path:
        return self.stack.state / "bootstrap" / self.stack.name

    @property
    def begun_here(self) -> bool:
        return (self.local / ".pulumi/stacks" / PROJECT / f"{self.stack.name}.json").is_file()

    @cached_property
    def in_bucket(self) -> Engine:
        return self._engine(PULUMI_BACKEND_URL=self.url)

    @cached_property
    def here(self) -> Engine:
        """Its passphrase is empty: this project has no secret, and the engine wants one all the same."""
        return self._engine(PULUMI_BACKEND_URL=f"file://{self.local}?metadata=skip", PULUMI_CONFIG_PASSPHRASE="")

    @property
    def engines(self) -> list[Engine]:
        """Of each place where this project's state has been begun.

        Raises: OperationError.
        """
        return [
            *([self.here] if self.local.exists() else []),
            *([self.in_bucket] if bucket_is_ours(self) else []),
        ]

    def _engine(self, **variables: str) -> Engine:
        kept = {name: value for name, value in self.stack.variables.items() if name not in PASSPHRASES}
        root = self.stack.root / FOLDER
        own = {POLICY_PACK: str(root / "policies"), **variables}
        return Engine(replace(self.stack, root=root, variables=kept | own, project=PROJECT), resume=FOLDER)

    def write(self) -> None:
        """The settings, where there is no file of them yet."""
        if not self.file.exists():
            self.file.write_text(yaml.safe_dump({"config": self.foundation.config}, sort_keys=False))
            say(f"written: {self.file.relative_to(self.stack.root)}; commit it")

    def encrypted_by(self, lines: Mapping[str, str]) -> None:
        """How the state is encrypted, as the engine appends it to the file; nothing where it is to choose anew."""
        appended = yaml.safe_dump(dict(lines), sort_keys=False) if lines else ""
        self.file.write_bytes(release_part(self.file.read_bytes()) + appended.encode())


def _file(stack: Stack) -> Path:
    return stack.root / FOLDER / f"Pulumi.{stack.name}.yaml"


def _settings(stack: Stack, repository: str) -> Foundation:
    """Of the file, else of the stack's settings; the two must not differ."""
    file, own = _file(stack), stack.settings
    shared = {
        "aws:region": own.aws_region,
        "aws:allowedAccountIds": [own.aws_account_id],
        "parker-flight:environment": own.environment,
        "parker-flight:awsAccountId": own.aws_account_id,
    }
    shown = file.relative_to(stack.root)
    filed: dict[str, Any] = {}
    if file.exists():
        try:
            content: object = yaml.safe_load(file.read_bytes())
        except yaml.YAMLError as error:
            raise OperationError(f"{shown} is no YAML: {error}") from error
        filed = dict(cast("dict[str, dict[str, Any]]", content or {}).get("config") or {})
        if wrong := [key for key, value in shared.items() if filed.get(key) != value]:
            raise OperationError(
                f"{shown} and Pulumi.{stack.name}.yaml say different things of {', '.join(wrong)}",
                "Give both the same; the stack's own file counts.",
            )
    repository = repository or own.repository
    given = filed.get(f"{PROJECT}:repository") or repository
    if not given:
        raise OperationError(
            f"nobody has said which GitHub repository deploys {stack.name}",
            f"./pf bootstrap{stack.command} --repository {PLACEHOLDER}",
        )
    if repository and repository != given:
        raise OperationError(
            f"{shown} says that {given} deploys {stack.name}, not {repository}",
            f"If it has moved, edit {PROJECT}:repository there: the roles will trust the new one alone.",
        )
    if repository and (repository == PLACEHOLDER or not re.match(REPOSITORY, repository)):
        raise OperationError(
            f"{repository!r} is no repository of GitHub", f"As in: ./pf bootstrap{stack.command} --repository {EXAMPLE}"
        )
    values: dict[str, Any] = {**shared, **filed, f"{PROJECT}:repository": given}
    if not file.exists():
        values[f"{PROJECT}:operators"] = [_caller(stack)]
    try:
        return Foundation.from_config(values)
    except FoundationError as error:
        where = shown if file.exists() else "the settings"
        raise OperationError(f"{where} can't be used:\n{error}") from error


def _caller(stack: Stack) -> str:
    """Who runs this, as a policy names them. A role's sessions say the role's name, and not its path.

    Raises: OperationError for the root user, whom no policy should name.
    """
    aws = Aws(stack, seconds=8, attempts=2)
    try:
        arn = str(aws.sts.get_caller_identity()["Arn"])
        kind, _, rest = arn.split(":", 5)[5].partition("/")
        if kind == "assumed-role":
            return str(aws.iam.get_role(RoleName=rest.partition("/")[0])["Role"]["Arn"])
    except AwsError as error:
        raise explained(error, stack, "asking AWS who we are") from error
    if kind != "user":
        raise OperationError(
            f"these AWS credentials are {arn}: the state would be open to nobody that a policy can name",
            "Use a role or a user of people who administer this account.",
        )
    return arn.replace(":sts:", ":iam:")


def bucket_is_ours(ground: Ground) -> bool:
    """Whether the state's bucket is there and this stack's; False where there is none.

    Raises: OperationError for one of somebody else's.
    """
    s3, name = Aws(ground.stack).s3, ground.site.state_bucket
    try:
        tags = {one["Key"]: one["Value"] for one in s3.get_bucket_tagging(Bucket=name)["TagSet"]}
    except AwsError as error:
        code = code_of(error)
        if code == "NoSuchBucket":
            return False
        if code not in ("NoSuchTagSet", "AccessDenied", "403"):
            raise explained(error, ground.stack, f"looking for the bucket {name}") from error
        tags = {}
    if ground.site.tags.items() <= tags.items():
        return True
    whose = f"Application={tags['Application']}" if "Application" in tags else "not ours to see or without our tags"
    raise OperationError(
        f"the bucket {name} is there, and isn't this project's ({whose}): nothing was changed",
        "Names of buckets are everybody's. Is parker-flight:awsAccountId right? If the bucket isn't needed, empty and "
        "delete it.",
    )


def confirm_signers(ground: Ground, *, yes: bool) -> bool:
    """Whether those who may approve are confirmed, for a stack whose state is in the bucket.

    Without a list of them, or anybody to ask, they stay to be confirmed.
    """
    stack = replace(ground.stack, variables={**ground.stack.variables, "PULUMI_BACKEND_URL": ground.url})
    if not (gate_of(stack).folder / SIGNERS).is_file():
        say("nobody may approve yet: approvals/README.md says how to list them in approvals/allowed_signers")
        return False
    if not yes and not sys.stdin.isatty():
        return False
    confirm(stack, stack.name if yes else "")
    return True


def bootstrap(ground: Ground) -> None:
    """Make what is missing and put back what was changed; afterwards the state is in the bucket.

    Raises: OperationError.
    """
    ours = bucket_is_ours(ground)
    ground.write()
    if ours and _is_moved(ground):
        _drop_local(ground)
        _update(ground.in_bucket)
        return
    _begin(ground)
    _update(ground.here)
    _move(ground)


def _is_moved(ground: Ground) -> bool:
    """Whether the bucket has the state. The file then says how that one is encrypted, whatever it said before."""
    try:
        exported: Any = json.loads(ground.in_bucket.read("stack", "export"))
    except StackMissingError:
        return False
    deployment: Any = exported.get("deployment") or {}
    if not deployment.get("resources"):
        return False
    how = deployment["secrets_providers"]["state"]
    ground.encrypted_by({"secretsprovider": how["url"], "encryptedkey": how["encryptedkey"]})
    return True


def _begin(ground: Ground) -> None:
    """A stack in the folder here, whose file is encrypted as that stack is."""
    if ground.begun_here:
        say(f"going on with what was begun: its state is in {ground.local}")
        deployment: Any = json.loads(ground.here.read("stack", "export"))["deployment"]
        if salt := (deployment.get("secrets_providers") or {}).get("state", {}).get("salt"):
            ground.encrypted_by({"encryptionsalt": salt})
        return
    ground.local.mkdir(parents=True, exist_ok=True)
    ground.encrypted_by({})
    ground.here.read("stack", "init", "--secrets-provider", "passphrase", "--no-select")
    take_over(ground.here.stack, resume=FOLDER)


def _update(engine: Engine) -> None:
    """What AWS has is read first: what was loosened by hand is put back."""
    recover(engine.stack, engine)
    if read_state(engine).resources:
        engine.change("refresh", "--yes", "--skip-preview", "--suppress-outputs")
    engine.change("up", "--yes", "--suppress-outputs")


def _move(ground: Ground) -> None:
    """All of the state at one stroke; it goes here only when it is seen to be there."""
    say(f"moving the state into {ground.site.state_bucket}")
    exported: Any = json.loads(ground.here.read("stack", "export"))
    bucket = ground.in_bucket
    with suppress(StackMissingError):  # a move that broke off has left it empty
        bucket.read("stack", "rm", "--yes", "--force", "--preserve-config")
    ground.encrypted_by({})
    bucket.read("stack", "init", "--secrets-provider", ground.site.secrets_provider, "--no-select")
    written: dict[str, str] = yaml.safe_load(ground.file.read_bytes())
    # Not the passphrase's any more: there is no secret that it has encrypted.
    how = {"url": written["secretsprovider"], "encryptedkey": written["encryptedkey"]}
    exported["deployment"]["secrets_providers"] = {"type": "cloud", "state": how}
    with tempfile.TemporaryDirectory(prefix="pf-bootstrap-") as folder:
        file = Path(folder) / "state.json"
        file.write_text(json.dumps(exported))
        bucket.read("stack", "import", "--file", str(file))
    code, said = bucket.preview("--expect-no-changes", quiet=True)
    if code:
        raise EngineError(
            f"the state was moved, and a preview doesn't agree with it:\n{said}",
            f"It is in {ground.local} as well. Go on: {ground.command}",
            ExitCode.FAILED,
        )
    _drop_local(ground)


def _drop_local(ground: Ground) -> None:
    if ground.local.exists():
        shutil.rmtree(ground.local)
