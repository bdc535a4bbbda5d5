"""The command that brings a release of the edge functions to Supabase: `python -m components.functions_release`.

    deploy    load, switch every changed function in one call of the Supabase CLI, read back what is live, name it
    remove    delete the functions that the last deployment left
    set N…    set the named variables of this process's environment as the functions' settings
    unset     remove the settings that the last `set` left

Reads PF_PROJECT_REF, and PF_RELEASE for `deploy`; SUPABASE_ACCESS_TOKEN, SUPABASE_API_URL and SUPABASE_PROFILE lead
to the project. Standard output is the resource's state: what was left live, as JSON, which comes back in
PULUMI_COMMAND_STDOUT. What people read goes to standard error, which the engine shows as it comes. What ends the
command goes to standard output instead: the engine's own error quotes both, and would say it twice. Supabase has no
transaction: a release that went live in part is an error.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from components.function_source import FUNCTIONS, LOCK_CHANGES, Release, SourceError, read_release

RELEASE_SETTING = "PF_RELEASE"
DEFAULT_API_URL = "https://api.supabase.com"
API_SECONDS = 20
BUNDLED_AT_ONCE = 4  # each takes Supabase's side seconds
CLI_SECONDS = 180  # bundling on Supabase's side takes its time
LOAD_SECONDS = 120  # the first time, it downloads the npm packages

# The API allows few calls, and only the CLI knows its own: it tells of each when it debugs.
CALLS = "Management API calls: "
_CALL = re.compile(r"^\d{4}/\d\d/\d\d \d\d:\d\d:\d\d HTTP [A-Z]+: .*\n?", re.MULTILINE)
_DEBUG = re.compile(r"^(Loading profile|Using access token|Using profile:|Supabase CLI \d).*\n?", re.MULTILINE)


class ReleaseError(Exception):
    """Why the release is not live as a whole; the message says what to do."""


class LiveFunction(BaseModel):
    """What the Management API says of a function."""

    slug: str
    status: str = ""
    version: int = 0
    verify_jwt: bool = True
    updated_at: int = 0
    ezbr_sha256: str | None = None

    @property
    def content(self) -> str:
        """Changes when other code goes live: the bundle's hash, or the version where the API gives none."""
        return self.ezbr_sha256 or f"version {self.version}"

    @property
    def stamp(self) -> tuple[str, int, int]:
        """Changes with every deployment, even one whose bundle is the same as before."""
        return (self.content, self.version, self.updated_at)


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a deployment left live for one function: our source, and what Supabase made of it."""

    source: str
    content: str
    updated_at: int = 0  # milliseconds, as Supabase says; 0 in states of before


class Supabase:
    """One project, reached by the real CLI for changes and by the Management API for reading."""

    def __init__(self, project_ref: str, environment: Mapping[str, str]) -> None:
        self.project_ref = project_ref
        self.calls = 0
        self.environment = {**environment, "NO_COLOR": "1", "DO_NOT_TRACK": "1", "SUPABASE_TELEMETRY_DISABLED": "1"}
        self.token = environment.get("SUPABASE_ACCESS_TOKEN", "")
        self.api_url = environment.get("SUPABASE_API_URL") or DEFAULT_API_URL
        if not self.token:
            raise ReleaseError("SUPABASE_ACCESS_TOKEN is not set: make a token in the Supabase dashboard and export it")
        found = shutil.which("supabase", path=environment.get("PATH"))
        if found is None:
            raise ReleaseError("the Supabase CLI is not on PATH: `make setup` installs it, `make shell` sets the PATH")
        self.cli = found
        self._client = httpx.Client(headers={"Authorization": f"Bearer {self.token}"}, timeout=API_SECONDS)

    def functions(self) -> dict[str, LiveFunction]:
        """The functions that are live now."""
        try:
            live = TypeAdapter(list[LiveFunction]).validate_json(self._call("GET", "functions"))
        except ValidationError as error:
            raise ReleaseError(f"the Supabase API gave an unexpected list of functions: {error}") from error
        return {function.slug: function for function in live}

    def name_release(self, digest: str) -> None:
        """Tell the functions which release they are. The API does in 10 ms what takes the CLI a second to start."""
        self._call("POST", "secrets", [{"name": RELEASE_SETTING, "value": digest}])

    def forget_release(self) -> None:
        self._call("DELETE", "secrets", [RELEASE_SETTING])

    def _call(self, method: str, what: str, body: object = None) -> bytes:
        self.calls += 1
        url = f"{self.api_url}/v1/projects/{self.project_ref}/{what}"
        try:
            answer = self._client.request(method, url, json=body)
            answer.raise_for_status()
        except httpx.HTTPStatusError as error:
            raise ReleaseError(_refused(error.response, self.project_ref)) from error
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ReleaseError(
                f"the Supabase API at {self.api_url} does not answer ({type(error).__name__}): is it up, is "
                "SUPABASE_API_URL right? On the sandbox: ./pf sandbox up"
            ) from error
        return answer.content

    def run(self, *arguments: str) -> None:
        """Run the CLI; its talk goes to standard error as it comes, and its end into the error if it fails."""
        command = [self.cli, *arguments, f"--remote={self.project_ref}", "--yes", "--debug"]
        process = _run(command, self.environment, CLI_SECONDS)
        said, calls = _CALL.subn("", process.stdout)
        self.calls += calls
        said = _DEBUG.sub("", said)
        if process.returncode:
            raise ReleaseError(f"`supabase {arguments[0]} {arguments[1]}` failed:\n{_tail(said)}")
        sys.stderr.write(said)


def _run(
    command: Sequence[str], environment: Mapping[str, str], seconds: int, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command,
            check=False,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
        )
    except subprocess.TimeoutExpired as error:
        raise ReleaseError(f"`{Path(command[0]).name} {command[1]}` did not end within {seconds} s") from error
    except OSError as error:
        raise ReleaseError(f"{command[0]} can't be run ({error.strerror}): `make setup` installs it anew") from error


def _tail(text: str, lines: int = 25) -> str:
    return "\n".join(text.strip().splitlines()[-lines:])


def _refused(answer: httpx.Response, project_ref: str) -> str:
    cures = {
        401: "SUPABASE_ACCESS_TOKEN is not accepted: is it expired or revoked? Make a new one in the dashboard",
        403: f"SUPABASE_ACCESS_TOKEN may not see the project {project_ref}: use a token of one of its members",
        404: f"the project {project_ref} is not known: is parker-flight:supabaseProjectRef right?",
        429: "too many calls: the Management API opens again after a minute",
    }
    cure = cures.get(answer.status_code, f"{answer.text[:200]!r}; try again, then see status.supabase.com")
    return f"the Supabase API answered {answer.status_code}: {cure}"


def previous(environment: Mapping[str, str]) -> dict[str, Any]:
    """What the last run left, from the resource's state; nothing on the first run."""
    text = environment.get("PULUMI_COMMAND_STDOUT", "").strip()
    return cast("dict[str, Any]", json.loads(text)) if text else {}


def load(release: Release, names: Sequence[str], environment: Mapping[str, str]) -> None:
    """Let Deno load them before the first write: the CLI switches the good functions even when one doesn't bundle.

    What keeps a function from bundling shows here in 50 ms: syntax, an import that isn't there, a package that
    deno.lock doesn't hold. Types can't break a bundle and take seconds: `make test` and `pf deploy` check them.
    """
    deno = shutil.which("deno", path=environment.get("PATH"))
    if deno is None:
        raise ReleaseError("deno is not on PATH: `make setup` installs it, `make shell` sets the PATH")
    entries = [str(release.functions[name].entry.relative_to(FUNCTIONS)) for name in names]
    command = [deno, "install", "--quiet", "--frozen", "--entrypoint", *entries]
    process = _run(command, {**environment, "NO_COLOR": "1"}, LOAD_SECONDS, FUNCTIONS)
    if process.returncode:
        raise ReleaseError(
            f"nothing was deployed, since {', '.join(f'{FUNCTIONS}/{entry}' for entry in entries)} "
            f"did not load in Deno:\n{_tail(process.stdout.partition(LOCK_CHANGES)[0])}"
        )


def changed(release: Release, left: Mapping[str, Left], live: Mapping[str, LiveFunction]) -> list[str]:
    """The functions whose source differs from what was deployed, or which someone else has changed since."""
    return [
        name
        for name, function in sorted(release.functions.items())
        if name not in left
        or name not in live
        or left[name].source != function.digest
        or left[name].content != live[name].content
        or live[name].verify_jwt != function.verify_jwt
    ]


def verified(
    release: Release, live: Mapping[str, LiveFunction], before: Mapping[str, LiveFunction], switched: Sequence[str]
) -> dict[str, Left]:
    """What is live, if it is the whole release; the error names each function that isn't right.

    `before` is what was live before `switched` were: a CLI that ends well without a word may have done nothing.
    """
    wrong: list[str] = []
    for name, function in sorted(release.functions.items()):
        if name not in live:
            wrong.append(f"{name} is not there")
        elif name in switched and name in before and live[name].stamp == before[name].stamp:
            wrong.append(f"{name} is still the one from before, though the Supabase CLI reported no error")
        elif live[name].status not in ("", "ACTIVE"):
            wrong.append(f"{name} is {live[name].status}")
        elif live[name].verify_jwt != function.verify_jwt:
            wrong.append(f"{name} has verify_jwt {live[name].verify_jwt}, the source says {function.verify_jwt}")
    if wrong:
        raise ReleaseError(f"the release is not live as a whole: {'; '.join(wrong)}. Run `pulumi up` again")
    return {
        name: Left(source=function.digest, content=live[name].content, updated_at=live[name].updated_at)
        for name, function in release.functions.items()
    }


def deploy(supabase: Supabase, release: Release, left: Mapping[str, Left]) -> dict[str, Left]:
    """Bring the release live: all changed functions together, then take away those that left the source."""
    before = supabase.functions()
    names = changed(release, left, before)
    if names:
        load(release, names, supabase.environment)
        try:
            jobs = min(len(names), BUNDLED_AT_ONCE)
            supabase.run("functions", "deploy", *names, "--use-api", f"--jobs={jobs}")
        except ReleaseError as error:
            raise ReleaseError(f"{error}\n{_left_behind(supabase, names, before)}") from error
    after = supabase.functions() if names else before
    now = verified(release, after, before, names)
    for name in sorted(set(left) - set(release.functions)):
        if name in after:
            supabase.run("functions", "delete", name)
    return now


def _left_behind(supabase: Supabase, names: Sequence[str], before: Mapping[str, LiveFunction]) -> str:
    """Say what a failed deployment left live."""
    try:
        after = supabase.functions()
    except ReleaseError as error:
        return f"What is live now could not be read, it may be in part of this release: {error}"
    switched = [
        name for name in names if name in after and (name not in before or before[name].stamp != after[name].stamp)
    ]
    kept = [name for name in names if name not in switched]
    if not switched:
        return "Nothing was switched: the release before serves on."
    if not kept:
        return "All functions were switched all the same; run `pulumi up` again to verify them."
    return (
        f"The release is mixed: {', '.join(switched)} already new, {', '.join(kept)} still old. "
        "Mend the cause and run `pulumi up` again, or go back to the release before."
    )


def remove(supabase: Supabase, left: Mapping[str, Left]) -> bool:
    """Delete the functions that are still as they were left; whether nothing newer stands.

    When the engine replaces this command, it deletes the old one after the new one has deployed: what is newer than
    what was left belongs to the new one and stays.
    """
    live = supabase.functions()
    newer = {name for name, was in left.items() if name in live and live[name].updated_at > was.updated_at > 0}
    if newer:
        sys.stderr.write(f"left live, deployed anew since: {', '.join(sorted(newer))}\n")
    for name in sorted(set(left) - newer):
        if name in live:
            supabase.run("functions", "delete", name)
    return not newer


def _left(state: Mapping[str, Any]) -> dict[str, Left]:
    return {name: Left(**entry) for name, entry in state.get("functions", {}).items()}


def _deploy(environment: Mapping[str, str], supabase: Supabase) -> dict[str, Any]:
    release = read_release(Path())
    if release.digest != environment.get(RELEASE_SETTING):
        raise ReleaseError(
            "the functions' source changed after the preview: nothing was deployed, run `pulumi up` again"
        )
    before = previous(environment)
    now = deploy(supabase, release, _left(before))
    if before.get("release") != release.digest:
        supabase.name_release(release.digest)
    return {"functions": {name: asdict(left) for name, left in sorted(now.items())}, "release": release.digest}


def _set(environment: Mapping[str, str], supabase: Supabase, names: Sequence[str]) -> dict[str, Any]:
    missing = [name for name in names if name not in environment]
    if missing:
        raise ReleaseError(f"not in the environment of this command: {', '.join(missing)}")
    supabase.run("secrets", "set", *(f"{name}={environment[name]}" for name in sorted(names)))
    gone = sorted(set(previous(environment).get("names", ())) - set(names))
    if gone:
        supabase.run("secrets", "unset", *gone)
    return {"names": sorted(names)}


def run(arguments: Sequence[str], environment: Mapping[str, str]) -> dict[str, Any]:
    """One of the four verbs; returns the state that it leaves."""
    project_ref = environment.get("PF_PROJECT_REF", "")
    if not project_ref or not arguments:
        raise ReleaseError("this is run by `pulumi up`: see `pf deploy`")
    supabase = Supabase(project_ref, environment)
    try:
        return _done(arguments, environment, supabase)
    finally:
        sys.stderr.write(f"{CALLS}{supabase.calls}\n")


def _done(arguments: Sequence[str], environment: Mapping[str, str], supabase: Supabase) -> dict[str, Any]:
    match arguments:
        case ["deploy"]:
            return _deploy(environment, supabase)
        case ["remove"]:
            if remove(supabase, _left(previous(environment))):
                supabase.forget_release()
            return {}
        case ["set", *names]:
            return _set(environment, supabase, names)
        case ["unset"]:
            if names := sorted(previous(environment).get("names", ())):
                supabase.run("secrets", "unset", *names)
            return {}
        case _:
            raise ReleaseError(f"unknown: {' '.join(arguments)}")


def main() -> int:
    try:
        state = run(sys.argv[1:], os.environ)
    except (ReleaseError, SourceError) as error:
        sys.stdout.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stdout.write("error: interrupted; what is live may be in part of this release, `pulumi up` finishes it\n")
        return 130
    sys.stdout.write(json.dumps(state, sort_keys=True))
    return 0


if __name__ == "__main__":
    sys.exit(main())
