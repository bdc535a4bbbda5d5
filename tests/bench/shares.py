"""Where the time of a command goes, by the traces that the engine writes. Of one run each: medians don't add up."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydantic import BaseModel, Field

from operations.health import HealthReport
from tests.bench.measures import change, make_up, preview, shell, update
from tests.bench.rollbacks import change_all, live, open_incident, roll_back
from tests.e2e.checkout import Checkout

NANOSECONDS = 1e9
# An instant belongs to the first of these that is at work in it: so they add up to the whole.
SHARES = {
    "verification": "of a rollback: health and round trips, once everything is back",
    "commands": "a command of the program: the Supabase CLI, what checks before and after",
    "providers": "a provider starts or answers",
    "policies": "the policy pack starts or judges",
    "program": "the program: Python, its imports, its declarations",
    "engine start": "itself, the language host, project and state",
    "engine rest": "it saves the state and ends",
    "pf": "besides the engine: the sandbox starts, approvals, checks, access key, health",
}
PLUGINS = {"resource": "providers", "analyzer": "policies"}


@dataclass(frozen=True, kw_only=True)
class Work:
    """One of the shares was at work from `begin` to `end`: nanoseconds of the clock, as the traces have them."""

    share: str
    begin: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Split:
    """One run's seconds, by share."""

    name: str
    seconds: Mapping[str, float]


class AnyValue(BaseModel):
    text: str = Field(default="", alias="stringValue")


class Attribute(BaseModel):
    key: str
    value: AnyValue


class Span(BaseModel):
    """A piece of the engine's work, as OpenTelemetry's JSON has it."""

    id: str = Field(alias="spanId")
    parent: str = Field(default="", alias="parentSpanId")
    name: str
    begin: int = Field(alias="startTimeUnixNano")
    end: int = Field(alias="endTimeUnixNano")
    attributes: list[Attribute] = []

    def about(self, key: str) -> str:
        return next((one.value.text for one in self.attributes if one.key == key), "")


class Scope(BaseModel):
    spans: list[Span] = []


class Resource(BaseModel):
    scopes: list[Scope] = Field(alias="scopeSpans")


class Batch(BaseModel):
    resources: list[Resource] = Field(alias="resourceSpans")


def read(trace: Path) -> list[Span]:
    """The spans of one run of the engine; each line of the file is a batch."""
    batches = [Batch.model_validate_json(line) for line in trace.read_text().splitlines()]
    return [span for batch in batches for one in batch.resources for scope in one.scopes for span in scope.spans]


def works(spans: Sequence[Span]) -> Iterator[Work]:
    """The engine's own names for what it does, as shares."""
    plugins = {span.id: span.about("prefix") for span in spans if span.name == "newPlugin"}
    # A plugin is asked for the first time while it starts: that tells whose address it is.
    names = {span.about("net.peer.name"): plugins[span.parent] for span in spans if span.parent in plugins}
    programs = [span.begin for span in spans if span.name == "run-program"]
    for span in spans:
        share = ""
        match span.name.split("/"):
            case ["pulumirpc.ResourceProvider", "Create" | "Update" | "Delete"]:
                is_command = names.get(span.about("net.peer.name"), "").startswith("command ")
                share = "commands" if is_command else "providers"
            case ["pulumirpc.ResourceProvider", _]:
                share = "providers"
            case ["pulumirpc.Analyzer", _]:
                share = "policies"
            case ["newPlugin"]:
                share = PLUGINS.get(span.about("kind"), "engine start")
            case ["run-program"]:
                share = "program"
            case ["pulumi"]:
                share = "engine rest"
                yield Work(share="engine start", begin=span.begin, end=min(programs, default=span.end))
            case _:
                continue
        yield Work(share=share, begin=span.begin, end=span.end)


def split(name: str, found: Sequence[Work], begin: int, end: int, otherwise: str) -> Split:
    """The time from `begin` to `end`, each instant given to one share; `otherwise` is when nothing is at work."""
    edges = sorted({begin, end, *(edge for one in found for edge in (one.begin, one.end) if begin < edge < end)})
    took: Counter[str] = Counter()
    for left, right in pairwise(edges):
        busy = {one.share for one in found if one.begin <= left and right <= one.end}
        took[next((share for share in SHARES if share in busy), otherwise)] += right - left
    return Split(name=name, seconds={share: took[share] / NANOSECONDS for share in SHARES})


class Traces:
    """A checkout whose every `pulumi` writes a trace. `pf` takes no option for the engine from its environment."""

    def __init__(self, checkout: Checkout) -> None:
        self.folder = checkout.state / "traces"
        self.folder.mkdir()
        toolchain = checkout.state / "toolchain"
        installed = toolchain.resolve() / "bin"
        toolchain.unlink()
        (toolchain / "bin").mkdir(parents=True)
        for tool in installed.iterdir():
            (toolchain / "bin" / tool.name).symlink_to(tool)
        pulumi = toolchain / "bin/pulumi"
        pulumi.unlink()
        pulumi.write_text(f'#!/bin/sh\nexec "{installed}/pulumi" "$@" --otel-traces "file:{self.folder}/$$"\n')
        pulumi.chmod(0o755)

    def take(self) -> list[Work]:
        """What was traced since the last time."""
        found: list[Work] = []
        for file in self.folder.iterdir():
            found += works(read(file))
            file.unlink()
        return found


def shares(checkout: Checkout) -> list[Split]:
    """One run of each command in a checkout with nothing started yet."""
    traces = Traces(checkout)
    begin = time.time_ns()
    make_up(checkout)
    end = time.time_ns()
    splits = [split("make up", traces.take(), begin, end, "pf")]
    environment = shell(checkout)

    def plain(name: str, run: Callable[[Checkout, Mapping[str, str]], None]) -> Split:
        begin = time.time_ns()
        run(checkout, environment)
        end = time.time_ns()
        found = traces.take()
        process = Work(share="engine start", begin=begin, end=min(one.begin for one in found))
        return split(name, [process, *found], begin, end, "engine rest")

    splits.append(plain("preview", preview))
    change(checkout)
    splits.append(plain("one function", update))

    def rollback(name: str) -> Split:
        run = roll_back(checkout, "--version", str(live(checkout) - 1))
        pressed, verified, ended = map(_clock, (run.pressed, run.pressed + run.verified, run.pressed + run.ended))
        verifying = Work(share="verification", begin=verified - int(run.verifying.seconds * NANOSECONDS), end=verified)
        return split(name, [verifying, *traces.take()], pressed, ended, "pf")

    open_incident(checkout)
    splits.append(rollback("rollback"))
    change_all(checkout)
    checkout.approved()
    update(checkout, environment)
    traces.take()
    splits.append(rollback("of all"))
    return splits


def _clock(seconds: float) -> int:
    return int(seconds * NANOSECONDS)


def health_shares(checkout: Checkout) -> str:
    """What `pf health` spends before, in and after its checks, by its own report."""
    begin = time.time()
    done = checkout.pf("health", "--json", check=False)
    end = time.time()
    report = HealthReport.model_validate_json(done.stdout)
    before = report.checked_at.timestamp() - begin
    after = end - begin - before - report.seconds
    return (
        f"pf health: {end - begin:.2f} s in one run: Python's start and imports {before:.2f} s, checks "
        f"{report.seconds:.2f} s (AWS's library loads in them), its end {after:.2f} s"
    )
