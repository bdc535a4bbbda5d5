"""What somebody changed beside Pulumi, held against the state: what the last deployment left.

Functions and their settings are compared here, since a command has no way to be read, and so are the aliases, since
health asks for them. Everything else that stands in AWS the engine compares (`moved`), in a second instead of at once.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from gate.surface import FUNCTION_LINE, FUNCTIONS_RELEASE, RELEASE, function_lines
from operations.engine import Engine, EngineError, encryption_cure
from operations.state import Recorded, State
from operations.supabase import DeployedFunction, Secret

ALIAS = "aws:kms/alias:Alias"
SETTINGS = "functions-settings"
UNMOVED = frozenset({"same", "refresh", "read"})


class Left(BaseModel):
    """What a deployment left live for one function (components.functions_release)."""

    content: str


class _Said(BaseModel):
    """The standard output of the commands: what they left."""

    functions: Mapping[str, Left] = Field(default_factory=dict[str, Left])
    release: str = ""
    names: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """What the last deployment left, as far as it is compared here. Nothing where there was none."""

    urn: str = ""  # of the resource that brings the functions
    functions: Mapping[str, str] = field(default_factory=dict[str, str])  # to what Supabase made of their content
    unguarded: frozenset[str] = frozenset()  # those that are meant to take calls without a token
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    aliases: Mapping[str, str] = field(default_factory=dict[str, str])  # to the key's id

    @classmethod
    def of(cls, state: State) -> "Deployed":
        release = next((one for one in state.resources if FUNCTIONS_RELEASE.search(one.urn)), None)
        if release is None:
            return cls()
        left = _said(release)
        functions = [FUNCTION_LINE.fullmatch(line) for line in function_lines(release.inputs)]
        return cls(
            urn=release.urn,
            functions={name: one.content for name, one in sorted(left.functions.items())},
            unguarded=frozenset(one["name"] for one in functions if one and one["rest"].endswith("=false")),
            settings=({RELEASE: left.release} if left.release else {}) | _settings(state),
            aliases={
                str(one.outputs["name"]): str(one.outputs["targetKeyId"]).rpartition("/")[2]
                for one in state.resources
                if one.type == ALIAS
            },
        )

    def changed_functions(self, live: Mapping[str, DeployedFunction]) -> dict[str, str]:
        """What is wrong with each function that isn't as it was left; a deployment brings it back."""
        found: dict[str, str] = {}
        for name, content in self.functions.items():
            if name not in live:
                found[name] = f"{name} was deleted"
            elif live[name].content != content:
                found[name] = f"{name} was replaced"
            elif live[name].verify_jwt != (name not in self.unguarded):
                found[name] = f"{name} has verify_jwt {'on' if live[name].verify_jwt else 'off'}"
        return found

    def changed_settings(self, secrets: Mapping[str, Secret]) -> dict[str, str]:
        """The settings that the functions don't have any more, with the values that they had."""
        return {
            name: value
            for name, value in sorted(self.settings.items())
            if name not in secrets or not secrets[name].holds(value)
        }


def _said(command: Recorded) -> _Said:
    """Empty for a state of a program that deployed in another way."""
    try:
        return _Said.model_validate(json.loads(str(command.outputs.get("stdout") or "{}")))
    except (ValueError, ValidationError):
        return _Said()


def _settings(state: State) -> dict[str, str]:
    command = next((one for one in state.resources if one.name == SETTINGS and one.custom), None)
    if command is None:
        return {}
    environment: Mapping[str, Any] = command.inputs.get("environment", {})
    return {name: str(environment[name]) for name in _said(command).names if name in environment}


class _Step(BaseModel):
    op: str
    urn: str


class _Diagnostic(BaseModel):
    message: str
    urn: str = ""
    severity: str = ""


class _Compared(BaseModel):
    """`pulumi refresh --json`, as far as it is read here."""

    steps: Sequence[_Step] = ()
    diagnostics: Sequence[_Diagnostic] = ()


def moved(engine: Engine) -> list[str]:
    """The URNs of what is gone from AWS, or stands there in another form than in the state. Changes nothing."""
    done = engine.ask("refresh", "--preview-only", "--json")
    try:
        compared = _Compared.model_validate_json(done.stdout)
    except ValidationError as error:
        said = (done.stderr or done.stdout).strip().removeprefix("error: ")
        cure = encryption_cure(engine.stack, said)
        raise EngineError(f"the state can't be compared with AWS: {said}", cure) from error
    if done.returncode:
        errors = [one for one in compared.diagnostics if one.severity == "error"]
        said = "\n".join(
            f"  {short(one.urn)}: {one.message.strip().removeprefix('error: ')}" for one in errors if one.urn
        )
        from operations.aws import CURES  # 0.2 s, for an error alone

        cure = next((cure for code, cure in CURES.items() if code in said), "")
        raise EngineError(f"the state can't be compared with AWS:\n{said}", cure)
    return sorted(one.urn for one in compared.steps if one.op not in UNMOVED)


def listed(urns: Sequence[str]) -> str:
    """What was changed, as people read it."""
    return f"changed beside Pulumi: {', '.join(map(short, urns))}"


def short(urn: str) -> str:
    """The type's last word and the name: a role and its policy have the same."""
    kind, _, name = urn.rpartition("::")
    return f"{kind.rpartition(':')[2]} {name}"
