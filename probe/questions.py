"""What one round asks, and what it makes of the answers."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from checks import endpoints
from checks.endpoints import Found
from checks.fetch import Fetch, Reply, Request
from checks.round_trip import FUNCTION, round_trip
from checks.together import together
from probe.data import METRICS, NAMESPACE, REST, Datum
from probe.database import NoReadingError, Reading
from probe.log import log
from probe.settings import Keys, Settings


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What one question found. `problem` is empty where all is well, `seconds` None where nobody answered.

    `data` is what the answer held beside that.
    """

    endpoint: str
    problem: str
    seconds: float | None = None
    data: Sequence[Datum] = ()


class Timed:
    """A way to the gateway that remembers the slowest answer."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self.slowest: float | None = None

    def __call__(self, request: Request) -> Reply:
        start = time.monotonic()
        reply = self._fetch(request)
        self.slowest = max(self.slowest or 0.0, time.monotonic() - start)
        return reply


class Probe:
    """The questions to one project. What the processors have done is known between two readings only."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self._settings = settings
        self._keys = keys
        self._reading: Reading | None = None

    def see(self, number: int, fetch: Fetch, seconds: float, *, load: bool) -> list[Datum]:
        """One round. Nobody waits for a question that hangs. `load`: whether the database's is asked for."""
        questions = self._questions(number, fetch, load=load)
        answers = together([ask for _, ask in questions], seconds)
        seen: list[Seen] = []
        for (endpoint, _), answered in zip(questions, answers, strict=True):
            silent = "the check itself failed" if answered else f"no answer after {seconds:.1f} s"
            seen.append((answered and answered.answer) or Seen(endpoint=endpoint, problem=silent))
        for one in seen:
            if one.problem:
                log("unwell", endpoint=one.endpoint, problem=one.problem)
        return data_of(seen)

    def _questions(self, number: int, fetch: Fetch, *, load: bool) -> list[tuple[str, Callable[[], Seen]]]:
        functions, purposes = self._settings.functions, self._settings.purposes
        questions = [(REST, lambda: self._rest(fetch))]
        questions += [(name, lambda name=name: self._function(fetch, name)) for name in functions]
        if FUNCTION in functions:  # under one purpose a round, in turn: the self-check asks for all of them
            questions.append((FUNCTION, lambda: self._round_trip(fetch, purposes[number % len(purposes)])))
        if load:
            questions.append((METRICS, lambda: self._load(fetch)))
        return questions

    def _rest(self, fetch: Fetch) -> Seen:
        timed = Timed(fetch)
        return _seen(REST, endpoints.rest(timed, self._settings.gateway_url, self._keys.anon), timed)

    def _function(self, fetch: Fetch, name: str) -> Seen:
        timed = Timed(fetch)
        found = endpoints.function(timed, self._settings.gateway_url, self._keys.service_role, name)
        return _seen(name, found, timed)

    def _round_trip(self, fetch: Fetch, purpose: str) -> Seen:
        timed = Timed(fetch)
        problem = round_trip(timed, self._settings.gateway_url, self._keys.service_role, purpose)
        said = f"round trip under {purpose}: {problem}" if problem else ""
        return Seen(endpoint=FUNCTION, problem=said, seconds=timed.slowest)

    def _load(self, fetch: Fetch) -> Seen:
        timed = Timed(fetch)
        try:
            reading = Reading.ask(timed, self._settings.gateway_url, self._keys.service_role)
        except NoReadingError as error:
            return Seen(endpoint=METRICS, problem=str(error), seconds=timed.slowest)
        data, missing = reading.data(self._reading)
        self._reading = reading
        return Seen(endpoint=METRICS, problem="; ".join(missing), seconds=timed.slowest, data=data)


def _seen(endpoint: str, found: Found, timed: Timed) -> Seen:
    return Seen(endpoint=endpoint, problem=found.detail if found.fault else "", seconds=timed.slowest)


def data_of(seen: Sequence[Seen]) -> list[Datum]:
    """An endpoint is available if all that was asked of it was well, and as slow as its slowest answer."""
    data: list[Datum] = []
    for endpoint in dict.fromkeys(one.endpoint for one in seen):
        about = [one for one in seen if one.endpoint == endpoint]
        well = not any(one.problem for one in about)
        data.append(
            Datum(namespace=NAMESPACE, name="Available", value=float(well), unit="Count", endpoint=endpoint),
        )
        if times := [one.seconds for one in about if one.seconds is not None]:
            slowest = round(max(times) * 1000, 1)
            data.append(
                Datum(namespace=NAMESPACE, name="Latency", value=slowest, unit="Milliseconds", endpoint=endpoint)
            )
    return data + [datum for one in seen for datum in one.data]
