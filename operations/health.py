"""The health of every part, asked all at once and read-only, within one deadline whatever hangs.

A part is `down` when its users get no service, `degraded` when it serves but isn't as it should be, or couldn't be
asked. The stack is as bad as its worst part.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from checks import endpoints
from checks.endpoints import Fault, Found, PurposeCheck
from checks.fetch import UnreachableError
from checks.together import together
from components.function_source import function_names
from components.naming import DATA_CLASSES, DataClass
from operations.environment import CALLS_THE_GATEWAY, RUNS_THE_ENGINE, SEES_SUPABASE
from operations.errors import ExitCode, OperationError
from operations.fetch import fetch_over
from operations.stack import Stack
from operations.supabase import ManagementApi, ServiceHealth, SupabaseError, http_client

if TYPE_CHECKING:
    from operations.aws import Aws
    from operations.state import State

NEEDS = (*SEES_SUPABASE, *CALLS_THE_GATEWAY, "AWS", *RUNS_THE_ENGINE)
DEADLINE_SECONDS = 4.3  # an answer in under 5 s, with Python's own start
SLOW_SECONDS = 2.0  # M7


class Status(StrEnum):
    HEALTHY = "healthy"
    DEGRADED = "degraded"
    DOWN = "down"

    @property
    def code(self) -> ExitCode:
        return ExitCode[self.name]


class Check(BaseModel):
    """What one part answered. `cure`: the commands that mend it, for a shell, where they are known."""

    name: str
    status: Status
    detail: str
    cure: str = ""
    latency_ms: float | None = None


class HealthReport(BaseModel):
    """`pf health --json`. Fields are only ever added within a schema version."""

    schema_version: Literal[1] = 1
    stack: str
    environment: str
    status: Status
    checked_at: datetime
    seconds: float
    checks: list[Check]

    @property
    def unwell(self) -> list[Check]:
        return [check for check in self.checks if check.status is not Status.HEALTHY]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A check's outcome before it has a name and a time."""

    status: Status
    detail: str
    release: str = ""
    answered: bool = True
    blind: bool = False  # the fault may as well be ours: no connection, or our own key is not accepted
    purposes: Mapping[str, PurposeCheck] = field(default_factory=dict[str, PurposeCheck])


@dataclass(frozen=True, kw_only=True)
class Probe:
    """One question. `when_silent` is what no answer says about the parts that it stands for."""

    parts: tuple[str, ...]
    ask: Callable[[], Sequence[Answer]]
    when_silent: Status
    timed: bool = True  # whether how long it takes says anything about the parts


@dataclass(frozen=True, kw_only=True)
class Result:
    name: str
    answer: Answer
    seconds: float | None


class Probes:
    """The questions to one stack."""

    def __init__(self, stack: Stack, seconds: float, state: "Callable[[], State] | None" = None) -> None:
        self.stack = stack
        self.seconds = seconds
        self._state = state or self._read_state
        self._http = http_client(seconds)
        self._fetch = fetch_over(self._http)
        self._making_aws = threading.Lock()

    @cached_property
    def _made_aws(self) -> "Aws":
        from operations.aws import Aws  # 0.2 s, spent while the network answers

        return Aws(self.stack, seconds=self.seconds, attempts=1)

    @property
    def aws(self) -> "Aws":
        with self._making_aws:
            return self._made_aws

    def all(self) -> list[Probe]:
        functions = function_names(self.stack.root)  # what lives is asked, however the source is
        return [
            *(
                Probe(parts=(name,), ask=lambda name=name: [self.function(name)], when_silent=Status.DOWN)
                for name in functions
            ),
            Probe(parts=("rest",), ask=lambda: [self.rest()], when_silent=Status.DOWN),
            Probe(parts=("supabase", "database"), ask=self.supabase, when_silent=Status.DEGRADED),
            *(
                Probe(parts=(f"key {one.name}",), ask=lambda one=one: [self.key(one)], when_silent=Status.DEGRADED)
                for one in DATA_CLASSES
            ),
            Probe(parts=("drift",), ask=lambda: [self.drift()], when_silent=Status.DEGRADED, timed=False),
        ]

    def supabase(self) -> list[Answer]:
        try:
            services = ManagementApi(self.stack, seconds=self.seconds, client=self._http).health(("db", "rest"))
        except SupabaseError as error:
            unknown = Answer(status=Status.DEGRADED, detail="not known: the Management API would say")
            return [Answer(status=Status.DEGRADED, detail=f"{error.message}. {error.cure}"), unknown]
        by_name = {service.name: service for service in services}
        return [
            _service(by_name.get("rest"), "the Management API answers; REST is"),
            _service(by_name.get("db"), "PostgreSQL is"),
        ]

    def rest(self) -> Answer:
        key = self.stack.environment.supabase_anon_key.get_secret_value()
        return self._answer(endpoints.rest(self._fetch, self.stack.gateway_url, key), "SUPABASE_ANON_KEY")

    def function(self, name: str) -> Answer:
        key = self.stack.environment.supabase_service_role_key.get_secret_value()
        found = endpoints.function(self._fetch, self.stack.gateway_url, key, name)
        return self._answer(found, "SUPABASE_SERVICE_ROLE_KEY")

    def _answer(self, found: Found, key: str) -> Answer:
        """With what mends it."""
        if found.unreachable:
            return self._unreachable(found.unreachable)
        if found.fault is Fault.REFUSED:
            detail = f"{key} is not accepted: {self.stack.own(key)}"
            return Answer(status=Status.DEGRADED, detail=detail, blind=True)
        return Answer(
            status=Status.DOWN if found.fault else Status.HEALTHY,
            detail=f"{found.detail}: {self._deploy}" if found.fault is Fault.MISSING else found.detail,
            release=found.release,
            purposes=found.purposes,
        )

    def key(self, data_class: DataClass) -> Answer:
        from operations.aws import CURES, AwsError, code_of

        alias = self.stack.settings.site.alias(data_class)
        try:
            key = self.aws.kms.describe_key(KeyId=alias)["KeyMetadata"]
            rotation = self.aws.kms.get_key_rotation_status(KeyId=key["KeyId"])
        except AwsError as error:
            code = code_of(error)
            if code == "NotFoundException":
                return Answer(status=Status.DOWN, detail=f"{alias} is not there: {self._deploy}")
            cure = self.stack.start_hint if code == "EndpointConnectionError" else CURES.get(code, "")
            return Answer(status=Status.DEGRADED, detail=f"could not be asked: {code}{cure and f'; {cure}'}")
        if (state := key.get("KeyState")) != "Enabled":
            return Answer(status=Status.DOWN, detail=f"{alias} is {state}: {self._enable(state, key['KeyId'])}")
        wanted = self.stack.settings.key_rotation_days
        period = rotation.get("RotationPeriodInDays")
        if key.get("KeyManager") != "CUSTOMER":
            return Answer(status=Status.DEGRADED, detail=f"{alias} is a key of AWS, not of this account")
        if not rotation["KeyRotationEnabled"]:
            return Answer(status=Status.DEGRADED, detail=f"{alias} does not rotate: {self._deploy}")
        if period != wanted:
            detail = f"{alias} rotates every {period} days, not every {wanted}: {self._deploy}"
            return Answer(status=Status.DEGRADED, detail=detail)
        named = alias.removeprefix("alias/")  # fits beside the other columns of a terminal
        return Answer(status=Status.HEALTHY, detail=f"{named}, rotates every {period} days")

    def _read_state(self) -> "State":
        from operations.engine import Engine
        from operations.state import read_state

        return read_state(Engine(self.stack, seconds=self.seconds))

    def drift(self) -> Answer:
        """What was changed beside Pulumi, as far as it is read at once: functions, their settings, the aliases."""
        from operations import access_key
        from operations.drift import Deployed

        supabase = ManagementApi(self.stack, seconds=self.seconds, client=self._http)
        try:
            deployed = Deployed.of(self._state())
            if not deployed.urn:
                return Answer(status=Status.DEGRADED, detail=f"nothing is deployed: {self._deploy}")
            live, secrets = supabase.functions(), supabase.secrets()
            moved = self._moved_aliases(deployed.aliases)
        except OperationError as error:
            return Answer(status=Status.DEGRADED, detail=f"not known: {error.message}. {error.cure}".strip())
        changed = [*moved, *deployed.changed_functions(live).values()]
        if settings := deployed.changed_settings(secrets):
            changed.append(f"changed or unset: {', '.join(settings)}")
        if not access_key.is_whole(secrets):
            changed.append("the functions' AWS access key is not the one that was handed over")
        told = [f"{'; '.join(changed)}: {self._deploy}"] if changed else []
        told += [
            f"{name} is no function of the release: {self._remove(name)}"
            for name in sorted(live)
            if name not in deployed.functions
        ]
        if told:
            return Answer(status=Status.DOWN if moved else Status.DEGRADED, detail=". ".join(told))
        return Answer(status=Status.HEALTHY, detail="none in the functions, their settings and the aliases")

    def _moved_aliases(self, aliases: Mapping[str, str]) -> list[str]:
        """New ciphertext under another key, and old ciphertext that the role may not decrypt any more."""
        from operations.aws import AwsError, code_of, explained

        found: list[str] = []
        for alias, key in sorted(aliases.items()):
            try:
                now = self.aws.kms.describe_key(KeyId=alias)["KeyMetadata"]["KeyId"]
            except AwsError as error:
                if code_of(error) == "NotFoundException":
                    continue  # the key's own part says it
                raise explained(error, self.stack, f"asking for {alias}") from error
            if now != key:
                found.append(f"{alias} points to the key {now}, not to {key}")
        return found

    def _remove(self, name: str) -> str:
        return f"supabase functions delete {name} --project-ref {self.stack.settings.supabase_project_ref}"

    @property
    def _deploy(self) -> str:
        return f"./pf deploy{self.stack.command}"

    def _enable(self, state: str | None, key_id: str) -> str:
        if state == "PendingDeletion":
            return f"aws kms cancel-key-deletion --key-id {key_id}, then {self._deploy}"
        return self._deploy

    def _unreachable(self, error: UnreachableError) -> Answer:
        if error.timed_out:
            detail = f"no answer after {self.seconds:.1f} s"
        else:
            hint = f"; {self.stack.start_hint}" if self.stack.start_hint else ""
            detail = f"{error.kind} at {self.stack.gateway_url}{hint}"
        return Answer(status=Status.DOWN, detail=detail, answered=False, blind=not error.connected)


def _service(service: ServiceHealth | None, words: str) -> Answer:
    if service is None:
        return Answer(status=Status.DEGRADED, detail="not known: the Management API left it out")
    said = service.status or ("healthy" if service.healthy else "unhealthy")
    detail = f"{words} {said}" + (f": {service.error}" if service.error else "")
    return Answer(status=Status.HEALTHY if service.is_healthy else Status.DOWN, detail=detail)


def ask_all(probes: Sequence[Probe], seconds: float) -> list[Result]:
    """One result a part."""
    broken = Answer(status=Status.DEGRADED, detail="the check itself failed; the log of pf says how")
    results: list[Result] = []
    for probe, answered in zip(probes, together([probe.ask for probe in probes], seconds), strict=True):
        if answered is None:
            silent = Answer(status=probe.when_silent, detail=f"no answer after {seconds:.1f} s")
            results += [Result(name=part, answer=silent, seconds=None) for part in probe.parts]
            continue
        found = answered.answer or [broken] * len(probe.parts)
        took = answered.seconds if probe.timed else None
        results += [Result(name=part, answer=one, seconds=took) for part, one in zip(probe.parts, found, strict=True)]
    return results


def judged(results: Sequence[Result], expected_release: str = "") -> list[Result]:
    """Seen together: functions of different releases don't belong together, and slow is not healthy."""
    releases = {result.answer.release for result in results if result.answer.release}
    return [_judged(result, releases, expected_release) for result in results]


def _judged(result: Result, releases: set[str], expected: str) -> Result:
    answer = result.answer
    if answer.status is not Status.HEALTHY:
        return result
    if answer.release and len(releases) > 1:
        detail = f"mixed releases: this one serves {answer.release}, there is also "
        detail += ", ".join(sorted(releases - {answer.release}))
    elif answer.release and expected not in ("", answer.release):
        detail = f"serves release {answer.release}, not {expected}"
    elif result.seconds is not None and result.seconds > SLOW_SECONDS:
        detail = f"slow, over {SLOW_SECONDS:.0f} s; {answer.detail}"
    else:
        return result
    return replace(result, answer=replace(answer, status=Status.DEGRADED, detail=detail))


def worst(found: Iterable[Status]) -> Status:
    return max(found, key=list(Status).index)


def health(
    stack: Stack,
    *,
    seconds: float = DEADLINE_SECONDS,
    expected_release: str = "",
    state: "Callable[[], State] | None" = None,
) -> HealthReport:
    """Ask every part. A deployment says what it has just made live, and reads the `state` for itself as well."""
    start = time.monotonic()
    checked_at = datetime.now(UTC)
    # Half a second for ourselves: a part that hangs is then reported by its own time-out where it has one.
    probes = Probes(stack, seconds - 0.3, state).all()
    results = judged(ask_all(probes, seconds - (time.monotonic() - start)), expected_release)
    return HealthReport(
        stack=stack.name,
        environment=stack.settings.environment,
        status=worst(result.answer.status for result in results),
        checked_at=checked_at,
        seconds=round(time.monotonic() - start, 3),
        checks=[
            Check(
                name=result.name,
                status=result.answer.status,
                detail=result.answer.detail,
                latency_ms=None if result.seconds is None else round(result.seconds * 1000, 1),
            )
            for result in results
        ],
    )
