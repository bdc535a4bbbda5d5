"""The settings and secrets that travel by environment variables, and the file that a stack may keep them in.

`.state/<stack>.env` holds KEY=value lines; what the process's environment has wins, even when it is empty. The names
are the same for every stack; `environment.template` explains each, and a test holds the two together.

A shell that `pf env` filled is marked with the stack and the clone that it belongs to, and serves no other.
"""

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    field_validator,
)
from pydantic_core import PydanticCustomError

from operations.errors import OperationError
from operations.places import ROOT
from settings import SettingsError, file_of

HOST = re.compile(r"([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.(?!$)|$))+")


def _has_host_and_port(url: str) -> str:
    """Raises: ValueError, which pydantic reports, for what the clients of these addresses would choke on."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if ":" in host:
        ip_address(host)
    elif not HOST.fullmatch(host):
        raise ValueError("no host")
    if parts.port == 0:
        raise ValueError("no port")
    return url


URL = Annotated[str, StringConstraints(pattern=r"^https?://[!-~]+$"), AfterValidator(_has_host_and_port)]
# Both kinds that the Supabase CLI accepts: a person's token and an OAuth application's.
TOKEN = re.compile(r"sbp_(oauth_)?[0-9a-f]{40}")
IN_HEADERS = re.compile(r"[!-~]+")

# Any one of these ways to prove who we are will do.
AWS_IDENTITIES = (
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
    ("AWS_PROFILE",),
    ("AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI",),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",),
)
# The engine takes any flag's default from PULUMI_OPTION_<FLAG>: one of them deletes protected keys, another drops the
# policy pack. Skipped checkpoints lose state when the engine dies.
ENGINE_OPTIONS = "PULUMI_OPTION_"
# An absolute path: an empty value would mean no pack at all.
POLICY_PACK = f"{ENGINE_OPTIONS}POLICY_PACK"
PACK = ROOT / "policies"
MARKER = "PF_LOADED"
OPEN = 0o077  # what others may do with a file
DANGEROUS = frozenset({"PULUMI_SKIP_CHECKPOINTS"})
ENGINE_DEFAULTS = {"PULUMI_SKIP_UPDATE_CHECK": "1"}

SEES_SUPABASE = ("SUPABASE_ACCESS_TOKEN",)
CALLS_THE_GATEWAY = ("SUPABASE_ANON_KEY", "SUPABASE_SERVICE_ROLE_KEY")
RUNS_THE_ENGINE = ("PULUMI_BACKEND_URL",)


class Environment(BaseModel):
    """Every variable that the project reads. Empty means that it isn't set."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", populate_by_name=False, alias_generator=str.upper, hide_input_in_errors=True
    )

    pf_stack: str = Field(default="", description="the stack that `pf` works on when no --stack is given")
    pf_state: str = Field(default="", description="the folder for state files")
    pf_loaded: str = Field(default="", description="whose environment `pf env` gave this shell")
    pf_cache: str = Field(default="", description="the machine's cache for built tools")
    pf_approvals: str = Field(default="", description="the folder of signers and approvals")
    pf_reports: str = Field(default="", description="where reports are kept")
    pf_emergency: str = Field(default="", description="whether an open incident takes the place of approvals")
    github_token: SecretStr = Field(default=SecretStr(""), description="a token for the repository on GitHub")
    github_api_url: URL | None = Field(default=None, description="the address of GitHub's API")
    pf_as_merged: str = Field(default="", description="whether a preview judges the commit as if it were merged")
    github_actor: str = Field(default="", description="who started the CI job")
    pulumi_option_policy_pack: str = Field(default="", description="the policy pack")
    pf_python: str = Field(default="", description="the Python that deploys the functions")

    aws_region: str = Field(default="", description="the AWS region")
    aws_access_key_id: str = Field(default="", description="the access key of whoever deploys")
    aws_secret_access_key: SecretStr = Field(default=SecretStr(""), description="the secret that belongs to it")
    aws_session_token: SecretStr = Field(default=SecretStr(""), description="the token of temporary credentials")
    aws_profile: str = Field(default="", description="a profile of ~/.aws/config instead of an access key")
    aws_role_arn: str = Field(default="", description="the role to assume with a web identity, as in CI")
    aws_web_identity_token_file: str = Field(default="", description="the file with that identity's token")
    aws_endpoint_url: URL | None = Field(default=None, description="AWS's address, where it isn't AWS's own")

    supabase_access_token: SecretStr = Field(
        default=SecretStr(""), description="a token for the Management API, `sbp_` and 40 hex digits"
    )
    supabase_profile: str = Field(default="", description="the Supabase CLI's profile file")
    supabase_api_url: URL | None = Field(default=None, description="the Management API's address")
    supabase_url: URL | None = Field(default=None, description="the project's address")
    supabase_anon_key: SecretStr = Field(default=SecretStr(""), description="the project's anon key")
    supabase_service_role_key: SecretStr = Field(default=SecretStr(""), description="the project's service_role key")

    pulumi_backend_url: str = Field(default="", description="where the engine keeps its state")
    pulumi_config_passphrase: SecretStr = Field(default=SecretStr(""), description="the stack's passphrase")
    pulumi_config_passphrase_file: str = Field(default="", description="a file with the stack's passphrase")
    pulumi_home: str = Field(default="", description="the engine's folder of plugins")
    deno_dir: str = Field(default="", description="Deno's cache")

    @field_validator("aws_secret_access_key", "aws_session_token", "supabase_anon_key", "supabase_service_role_key")
    @classmethod
    def _fits_into_a_header(cls, secret: SecretStr) -> SecretStr:
        if not IN_HEADERS.fullmatch(secret.get_secret_value()):
            raise PydanticCustomError("header", "no ASCII")
        return secret

    @field_validator("supabase_access_token")
    @classmethod
    def _has_the_form_of_a_token(cls, token: SecretStr) -> SecretStr:
        if not TOKEN.fullmatch(token.get_secret_value()):
            raise PydanticCustomError("token", "no access token")
        return token


def read_file(path: Path) -> dict[str, str]:
    """The KEY=value lines of a stack's file; none where there is no file."""
    if not path.is_file():
        return {}
    if path.stat().st_mode & OPEN:
        raise OperationError(
            f"{path} holds secrets, and others on this machine may read it", f"chmod 600 {shlex.quote(str(path))}"
        )
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise OperationError(f"{path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise OperationError(
            f"{path} is no text in UTF-8 (byte {error.start})", "Save it as UTF-8; environment.template shows the form."
        ) from error
    values: dict[str, str] = {}
    for number, raw in enumerate(lines, 1):
        line = raw.strip().removeprefix("export ")
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or not name.isidentifier() or "\0" in value:
            raise OperationError(f"{path}, line {number}: not of the form NAME=value")
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        if value:
            values[name] = value
    return values


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A stack's environment: as settings that were checked, and whole, for child processes."""

    settings: Environment
    variables: Mapping[str, str] = field(repr=False)


def marker(stack: str, state: Path) -> str:
    """Says whose environment a shell holds: which stack's, of which state folder and clone."""
    return f"{stack} of {state} in {ROOT}"


def refuse_another(stack: str, state: Path, process: Mapping[str, str]) -> None:
    """Raises: OperationError in a shell that holds the environment of another stack or clone: all of it wins here."""
    loaded = process.get(MARKER, "")
    if loaded in ("", marker(stack, state)):
        return
    other, _, where = loaded.partition(" of ")
    here = marker(stack, state).partition(" of ")[2] == where
    raise OperationError(
        f"this shell holds the environment of the stack {other}"
        + (f", asked for is the stack {stack}" if here else f" of another clone ({where}), this one is {ROOT}"),
        "Open a new shell for it (or leave this one, if it is `make shell`'s).",
    )


def load(
    stack: str, state: Path, process: Mapping[str, str], needs: Iterable[str], *, file_wins: bool = False
) -> Loaded:
    """`file_wins`: what an earlier `pf env` put into this shell gives way to what the file says now.

    Raises: OperationError with one line for each variable that is missing or malformed.
    """
    refuse_another(stack, state, process)
    filed = read_file(state / f"{stack}.env")
    own = {name: value for name, value in process.items() if not (file_wins and process.get(MARKER) and name in filed)}
    variables = {
        name: value
        for name, value in (ENGINE_DEFAULTS | filed | own).items()
        if not name.startswith(ENGINE_OPTIONS) and name not in DANGEROUS
    }
    variables["PATH"] = _with_tools(state, variables.get("PATH", ""))
    variables[POLICY_PACK] = str(PACK)
    values = {name: value for name, value in variables.items() if value}
    malformed: set[str] = set()
    try:
        settings = Environment.model_validate(values)
    except ValidationError as error:
        malformed = {str(details["loc"][0]) for details in error.errors(include_input=False)}
        settings = Environment()
    missing = _missing(needs, values)
    problems = [f"{name} is malformed: it is {describe(name)}" for name in sorted(malformed)]
    problems += [f"{name} is not set: it is {describe(name)}" for name in missing]
    if problems:
        # The shell's own value is in the way of the file's.
        shadowing = [name for name in (*sorted(malformed), *missing) if name in own and name in filed]
        raise OperationError(
            "\n  ".join([f"the environment of the stack {stack}:", *problems]),
            cure(stack, state, shadowing=shadowing, others=len(problems) > len(shadowing)),
        )
    return Loaded(settings=settings, variables=variables)


def _with_tools(state: Path, path: str) -> str:
    tools = str(state / "toolchain/bin")
    return path if path.split(":")[0] == tools else f"{tools}:{path}"


def _missing(needs: Iterable[str], values: Mapping[str, str]) -> list[str]:
    missing: list[str] = []
    for need in needs:
        if need == "AWS":
            if not any(all(name in values for name in identity) for identity in AWS_IDENTITIES):
                missing += [name for name in AWS_IDENTITIES[0] if name not in values]
        elif need not in values:
            missing.append(need)
    return missing


def describe(name: str) -> str:
    """What a variable is, in a few words."""
    known = Environment.model_fields.get(name.lower())
    return str(known.description) if known else "explained in environment.template"


def cure(stack: str, state: Path, *, shadowing: Sequence[str], others: bool) -> str:
    """What mends the variables that this shell sets wrongly over the file's, and all the others."""
    cures = [f"This shell sets what {state / f'{stack}.env'} has right: unset {' '.join(shadowing)}"] * bool(shadowing)
    if others and stack == "sandbox":
        cures.append("Start the sandbox, which writes them: ./pf sandbox up")
    elif others:
        cures.append(
            "environment.template says who gives each; export them, or write them to "
            f"{state / f'{stack}.env'} (mode 600)."
        )
    return "\n  ".join(cures)


def exports(variables: Mapping[str, str]) -> dict[str, str]:
    """The part of the environment that is ours to hand on: every known variable, and the PATH to the tools.

    PF_STATE only where the person set it, as `pf` hands it over: another clone has its own.
    """
    known = {str(name).upper() for name in Environment.model_fields}
    extra = {"PATH", "AWS_DEFAULT_REGION", "AWS_EC2_METADATA_DISABLED"}
    engine = {name for name in variables if name.startswith("PULUMI_")}
    return {name: value for name, value in sorted(variables.items()) if name in known | extra | engine}


def exported(stack: str, state: Path, process: Mapping[str, str]) -> dict[str, str]:
    """What `pf env` prints: enough to run the engine, marked with its stack; loading it again brings it up to date."""
    try:
        file_of(stack, ROOT)
    except SettingsError as error:
        raise OperationError(str(error)) from error
    variables = load(stack, state, process, RUNS_THE_ENGINE, file_wins=True).variables
    names = {"PF_STACK": stack, "PULUMI_STACK": stack, MARKER: marker(stack, state)}
    return exports({**variables, **names})
