"""The approval gate inside the policy pack: it sees what the engine is about to do and refuses what nobody approved.

In a preview it judges the whole surface. In an update it judges at the stack's own resource, which comes before all
others, by the receipt of this run's preview; then it holds each resource against its entry when its turn comes. When
everything is done it records what is live. Whatever it can't read or verify is a denial.
"""

import threading
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime

from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import analyzer_pb2

from gate.decision import Change, Kind, Known, Verdict, decide
from gate.evidence import CLOSED, Gate
from gate.explain import denial
from gate.receipt import Receipt, Run, program_digest, this_run
from gate.records import Applied
from gate.state import State, read
from gate.surface import REFERENCES, STACK, Entry, Resource, Surface, entry, functions_of, identities, stable_urn
from releases.source import archive, digest_of
from releases.versions import Operation, Version, Versions, who


class Denied(Exception):  # noqa: N818 - an outcome, not an error
    """The gate's answer is no."""


@contextmanager
def _closed() -> Generator[None]:
    """What can't be read or verified is denied."""
    try:
        yield
    except CLOSED as error:
        raise Denied(f"The approval gate can't judge this change, so it is denied: {error}") from error


def _of_wire(request: analyzer_pb2.AnalyzeRequest) -> Resource:
    return Resource(
        urn=request.urn,
        type=request.type,
        inputs=MessageToDict(request.properties),
        protect=request.options.protect,
        provider=request.provider.urn,
    )


class ApprovalGate:
    """One preview or one update; the engine starts a new process for each."""

    def __init__(self, gate: Gate, *, dry_run: bool, pack: str) -> None:
        self._gate = gate
        self._dry_run = dry_run
        self._pack = pack
        self._lock = threading.Lock()
        self._seen: dict[str, Resource] = {}
        # While the program runs, and the engine waits for nobody: all this takes its time.
        self._beside = ThreadPoolExecutor(1)
        self._first_state: Future[State] = self._beside.submit(self._read)
        self._first_deployed: Future[Surface] = self._beside.submit(self._read_deployed)
        self._run: Future[Run] = self._beside.submit(this_run)
        if dry_run:
            self._program: Future[str] = self._beside.submit(self._digest_program)
        self._source: Future[bytes] | None = None
        self._state = State()
        self._receipt: Receipt | None = None
        self._verdict: Verdict | None = None
        self._judged: tuple[Change, Known] | None = None
        self._refusal = "no resource may come before the stack's own"

    def _read(self) -> State:
        gate = self._gate
        return read(gate.identity.project, gate.stack, str(gate.root), gate.environment)

    def _read_deployed(self) -> Surface:
        deployed = self._gate.deployed(self._first_state.result())
        _ = deployed.digest
        return deployed

    def _digest_program(self) -> str:
        return program_digest(self._gate.root, self._gate.stack)

    def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[str]:
        resource = _of_wire(request)
        with self._lock:
            self._seen[resource.urn] = resource
        if self._dry_run:
            return []
        try:
            if resource.type == STACK:
                self._open()
            else:
                self._check(resource)
        except Denied as denied:
            return [str(denied)]
        return []

    def analyze_stack(self, request: analyzer_pb2.AnalyzeStackRequest) -> list[tuple[str, str]]:
        try:
            if self._dry_run:
                self._preview(request)
            else:
                self._close()
        except Denied as denied:
            return [(str(denied), "")]
        return []

    def _preview(self, request: analyzer_pb2.AnalyzeStackRequest) -> None:
        registered = dict(self._seen)
        for found in request.resources:
            if found.urn in registered:  # what is only read is not the stack's own
                registered[found.urn] = replace(
                    registered[found.urn],
                    depends={name: list(urns.urns) for name, urns in found.propertyDependencies.items()},
                    outputs=MessageToDict(found.properties),
                )
        with _closed():
            state = self._first_state.result()
            self._refuse_pending(state)
            # A key that is being adopted has its id already, and isn't in the state yet.
            known = identities([*state.resources, *registered.values()])
            entries = [entry(resource, known) for resource in registered.values() if not resource.is_harmless]
            _refuse_unapprovable(entries)
            surface = Surface.of(entries, self._gate.settings)
            deployed = self._first_deployed.result()
            receipt = Receipt(
                run=(run := self._run.result()).id,
                program=self._program.result(),
                state=deployed.digest,
                surface=surface,
                functions=functions_of(self._seen.values()),
                at=datetime.now(UTC),
            )
            if not run.partial:
                # Denied or not: the update judges it again, and `pf approve` shows it.
                receipt.write(self._gate.receipt(run.id))
                self._gate.forget_old_runs()
            self._judge(receipt, deployed)

    def _judge(self, receipt: Receipt, deployed: Surface) -> Verdict:
        surface = receipt.surface
        change = self._gate.change(
            surface=surface,
            state=deployed,
            release=receipt.release,
            functions=receipt.functions,
            pack=self._pack,
        )
        known = self._gate.known(surface, receipt.release)
        verdict = decide(change, known)
        if not verdict.allowed:
            raise Denied(denial(verdict, change))
        self._judged = change, known
        return verdict

    def _open(self) -> None:
        """The update's one moment before anything is written."""
        try:
            with _closed():
                self._refusal = ""
                Operation.of_environment(self._gate.environment)  # what can't be read is denied before anything is done
                state = self._first_state.result()
                self._refuse_pending(state)
                deployed = self._first_deployed.result()
                run = self._run.result().id
                receipt = Receipt.read(self._gate.receipt(run))
                receipt.check(
                    run=run,
                    program=self._digest_program(),  # only now has the program read its files
                    state=deployed.digest,
                    now=datetime.now(UTC),
                )
                self._state, self._receipt = state, receipt
                self._verdict = self._judge(receipt, deployed)
                self._gate.leave(self._verdict, run)
                self._source = self._beside.submit(archive, self._gate.root, self._gate.stack)
        except Denied as denied:
            self._refusal = str(denied)
            raise

    def _check(self, resource: Resource) -> None:
        if self._refusal or self._receipt is None:
            raise Denied(self._refusal)
        if resource.is_harmless:
            return
        with _closed():
            found = self._entry(resource, self._receipt.surface)
        _refuse_unapprovable([found])
        if self._receipt.surface.digests.get(found.urn) != found.digest:
            raise Denied(
                f"{resource.name} ({resource.type}) is not what the preview showed and people approved: "
                "the program gives the update something else"
            )
        if not set(functions_of([resource])) <= set(self._receipt.functions):
            raise Denied(f"{resource.name}: the functions' content changed after the preview")

    def _entry(self, resource: Resource, surface: Surface) -> Entry:
        """An id that is new since the state was read belongs to a resource that this update has made meanwhile."""
        known = self._state
        found = entry(resource, known.identities)
        wanted = surface.digests.get(found.urn)
        if found.digest == wanted or resource.type not in REFERENCES:
            return found
        with self._lock:
            if self._state is known:
                self._state = self._read()
        return entry(resource, self._state.identities)

    def _close(self) -> None:
        """Everything is done: what was approved is live now, if all of it came."""
        if not (self._verdict and self._receipt and self._judged and self._source) or self._refusal:
            raise Denied(self._refusal)
        surface = self._receipt.surface
        if {stable_urn(one.urn) for one in self._seen.values() if not one.is_harmless} != set(surface.resources):
            raise Denied("the program registered other resources in the update than in the preview")
        change, known = self._judged
        # Neither a program that nobody merged, nor one of before, nor an emergency brings other signers into force.
        brings_signers = change.reviewed and not change.returns and self._verdict.kind is not Kind.EMERGENCY
        with _closed():
            self._gate.records.write(
                Applied(
                    surface=surface.digest,
                    signers=change.signers if brings_signers else known.trust.digest,
                    signers_commit=change.commit if brings_signers else known.trust.commit,
                    commit=change.commit,
                    at=self._verdict.since or change.now,
                    approved=known.before.signed if change.returns and known.before else "",
                    incident=self._verdict.incident,
                    release=self._receipt.release,
                ),
                surface,
                self._gate.files.as_bytes() if brings_signers else None,
            )
            self._keep(self._receipt, self._source.result())

    def _keep(self, receipt: Receipt, source: bytes) -> None:
        """As a version that can be brought back."""
        gate = self._gate
        Versions(gate.records.store).add(
            Version(
                number=0,
                at=datetime.now(UTC),
                by=who(gate.environment),
                surface=receipt.surface.digest,
                functions=receipt.functions,
                program=receipt.program,
                source=digest_of(source),
                commit=gate.commits.head(),
                dirty=not gate.is_return and gate.commits.is_dirty(),
                operation=Operation.of_environment(gate.environment),
            ),
            source,
        )

    def _refuse_pending(self, state: State) -> None:
        if state.pending:
            names = ", ".join(urn.rpartition("::")[2] for urn in state.pending)
            raise Denied(
                f"an update of {self._gate.stack} was interrupted and left operations open ({names}); another one "
                f"could make things twice. Bring state and cloud together: ./pf recover --stack {self._gate.stack}"
            )


def _refuse_unapprovable(entries: list[Entry]) -> None:
    lines = [
        f"  {one.urn.rpartition('::')[2]}: `{path}` {why}"
        for one in entries
        for paths, why in (
            (one.unknown, "is not known before the update: build it from names and settings"),
            (one.secrets, "is a secret: hand its name over, and let whoever needs it read it from the environment"),
            (one.opaque, "is code that may still change: hand the texts themselves over (StringAsset), no path"),
        )
        for path in paths
    ]
    if lines:
        raise Denied("\n".join(["What nobody can read in full, nobody can approve:", *lines]))
