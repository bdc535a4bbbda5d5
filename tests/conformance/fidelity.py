"""`python -m tests.conformance.fidelity`: docs/fidelity.md, from the stand-ins' own rules and from the suites."""

import contextlib
import io
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sandbox import aws_limits, supabase
from sandbox.providers.aws.provider import TYPES
from sandbox.providers.resource import Property
from tests.conformance import supabase_calls
from tests.sandbox_providers.official import Input, official
from tests.sandbox_providers.test_aws_types import CASES, NEVER_DRIFT, Case

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docs/fidelity.md"

HEAD = """# What runs here and what runs there

The program runs here with a language host and provider plugins of our own, against stand-ins of AWS and Supabase. This
is what they are held against, where they differ, and what can't be known without the real ones. Written by
`python -m tests.conformance.fidelity`; the tests fail where it isn't what the suites say.

| part | held against | by |
|---|---|---|
"""
PARTS = (
    ("engine", "it is Pulumi's own, built from its Go module", "`toolchain/engine/go.sum`"),
    (
        "language host, plugins",
        "small programs with known results, which the official ones run too: `make conformance OFFICIAL=1`",
        "`tests/conformance`",
    ),
    (
        "AWS plugin",
        "the installed `pulumi_aws`: inputs, their kinds, documented values and defaults, what is required; outputs",
        "`tests/sandbox_providers/test_official_types.py`",
    ),
    ("AWS plugin", "moto: each type's whole life", "`tests/sandbox_providers/test_aws_types.py`"),
    ("AWS", "AWS's documentation: what the sandbox adds to moto", "`tests/sandbox_aws`, `tests/sandbox_alarms`"),
    (
        "Supabase",
        "the real CLI: what it sends and takes",
        "`tests/sandbox_supabase`, `tests/conformance/test_supabase.py`",
    ),
)
AWS = """
## Types of AWS

Exactly those that the two programs use; any other is refused by its name. A refresh sees what was changed by hand in
every input but those that are named: most only steer the provider. An input that isn't served is refused at preview,
and so is what AWS would refuse in the middle of a deployment: lengths, sizes, names, a key's policy that locks everyone
out, how far an alarm looks back. Of the provider's own configuration `region`, `allowedAccountIds` and `defaultTags`
are served, and taken is what says how to call AWS (`skip…`, `maxRetries`, `retryMode`); any other key is refused.

| type | create, read, delete | update | import by | replaced by | no refresh sees | inputs served | outputs lacking |
|---|---|---|---|---|---|---|---|
"""
NARROWER = """
Of what is served, the stand-in takes less than the package here, so that a program may be refused here and accepted
there:

"""
SUITES = """
## Conformance

| suite | cases |
|---|---|
"""
KNOWN = """
Known differences, each with its case:

"""
CLI = """
## The Supabase CLI

What it sends for each command, and what it is answered here. Of bodies only the shape is kept; `{function}` is
`{shape}`.

| command | exit | call | answer |
|---|---|---|---|
"""
LIMITS = """
## Not as in the real services

"""
ENFORCED = """
What policies say is decided here by IAM's rules for each call about one key and for `sts:AssumeRole`: the key's policy
or the role's trust, the caller's inline and attached policies, its permissions boundary. moto's own enforcement can't
do it: it asks KMS for the resource `*`, takes a user's or role's conditions for met, and reads neither key policies nor
boundaries. Of conditions are known `StringEquals`, `StringLike`, `ArnEquals`, `ArnLike`, `Bool` and `Null`, with their
`Not`, `IfExists`, `ForAnyValue` and `ForAllValues`; one with another operator lets nobody in.
"""
UNKNOWN = """
## What can't be known here

- **Which changes replace.** The package doesn't say it; the rules above are written after the official provider's
  documentation. A user's `name` is taken for one that replaces: upstream renames in place, and what becomes of the id
  is open.
- **Whether a refusal is worded alike.** The suite asks for the resource's name, the property and the value, no more.
- **How long AWS takes** until a role, a policy or an alias that was just made is seen everywhere; what it throttles.
  `./pf sandbox faults` switches such faults on, in a measure that somebody chooses.
- **What Supabase answers beyond what the CLI is content with.**
- **Quotas of an account**, and what an organisation's policies forbid in it.
"""
# What the API says of a function; it would stand in most lines.
FUNCTION = (
    "{created_at, entrypoint_path, ezbr_sha256, id, import_map, import_map_path, name, slug, status, updated_at, "
    "verify_jwt, version}"
)


def page() -> str:
    limits = "\n".join(f"- {one}" for one in (*aws_limits.NOT_SIMULATED, *supabase.NOT_SIMULATED))
    return "".join(
        [
            HEAD,
            *(row(*part) for part in PARTS),
            AWS,
            *(aws_row(name, CASES[name]) for name in sorted(TYPES)),
            NARROWER,
            *(f"- `{name}`: {', '.join(found)}\n" for name in sorted(TYPES) if (found := [*narrower(name)])),
            *suites(),
            CLI.replace("{shape}", FUNCTION),
            *cli_rows(json.loads(supabase_calls.FILE.read_text())),
            LIMITS,
            f"{limits}\n",
            ENFORCED,
            UNKNOWN,
        ]
    )


def aws_row(name: str, case: Case) -> str:
    rules, package = TYPES[name].properties, official(name)
    served = f"{len(rules)} of {len(package.inputs)}"
    missing = package.outputs - package.inputs.keys() - rules.keys() - {*TYPES[name].computed}
    updated = "in place" if case.change else "-"
    parts = TYPES[name].imported_by
    return row(
        f"`{name.removeprefix('aws:')}`",
        "yes",
        updated,
        f"`{'/'.join(parts)}`" if parts else "id",
        quoted(key for key, rule in rules.items() if rule.replaces),
        quoted(sorted({key for key, rule in rules.items() if rule.write_only} | {*NEVER_DRIFT.get(name, ())})) or "-",
        served,
        quoted(sorted(missing)) or "-",
    )


def narrower(name: str) -> Iterator[str]:
    yield from _narrower(TYPES[name].properties, official(name).inputs, "")


def _narrower(ours: Mapping[str, Property], theirs: Mapping[str, Input], above: str) -> Iterator[str]:
    for key in sorted(ours):
        path, rule = f"{above}{key}", ours[key]
        if rule.required and not theirs[key].required:
            yield f"`{path}` is needed"
        if len(rule.choices) == 1:
            yield f"`{path}` is `{json.dumps(rule.choices[0])}` only"
        yield from _narrower(rule.fields, theirs[key].fields, f"{path}.")
    if above and (lacking := sorted(theirs.keys() - ours.keys())):
        yield f"no {quoted(f'{above}{key}' for key in lacking)}"


class _Collector:
    """A pytest plugin: how many cases a suite has, and which differences are known."""

    def __init__(self) -> None:
        self.cases: Counter[str] = Counter()
        self.known: list[str] = []

    def pytest_collection_modifyitems(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            self.cases[item.path.stem.removeprefix("test_")] += 1
            self.known += [str(mark.args[0]) for mark in item.iter_markers("differs")]


def suites() -> Iterator[str]:
    collector, output = _Collector(), io.StringIO()
    arguments = ["--collect-only", "-q", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
        code = pytest.main([*arguments, str(Path(__file__).parent)], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise RuntimeError(output.getvalue())
    yield SUITES
    yield from (row(f"`tests/conformance/test_{suite}.py`", str(n)) for suite, n in sorted(collector.cases.items()))
    yield KNOWN
    yield from (f"- {known}\n" for known in collector.known)


def cli_rows(recorded: Mapping[str, Any]) -> Iterator[str]:
    for command, seen in recorded.items():
        begin = (f"`{command}`", str(seen["exit"]))
        for call in seen["calls"]:
            sent, _, answer = call.replace(FUNCTION, "{function}").partition(" -> ")
            yield row(*begin, f"`{sent}`", f"`{answer}`")
            begin = ("", "")
        if not seen["calls"]:
            yield row(*begin, "none", "")


def row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |\n"


def quoted(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


if __name__ == "__main__":
    FILE.write_text(page())
