"""Service level objectives (L1, L3) and the alarms on how fast their error budgets burn.

The windows are those of Google's SRE workbook, chapter "Alerting on SLOs": a long window says that it matters, a short
one that it goes on, and only both together ring. CloudWatch sums up one day at most, so the window of three days is
three days each of which burns: an uneven mean over three days is left to the faster windows.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.alarm import DAY, CompositeAlarm, Measure, MetricAlarm, MissingData, Series
from components.naming import METRICS_FUNCTIONS, Severity, Site, Topic
from probe.data import NAMESPACE, REST

HOUR = 3600
NAMES = {300: "5m", 1800: "30m", HOUR: "1h", 2 * HOUR: "2h", 6 * HOUR: "6h", DAY: "1d", 3 * DAY: "3d"}
BUDGET_PERCENT = 0.1  # L1, L3: of the probes, and of the requests
ENOUGH_FAILURES = 10  # at the threshold, over the long window: what fewer requests do proves nothing
STILL_GOING_ON = 20  # requests in the short window


@dataclass(frozen=True, kw_only=True)
class Burn:
    """Spending the budget `rate` times as fast as it lasts, seen over both windows (in seconds)."""

    rate: float
    long: int
    short: int


PAGE = (Burn(rate=14.4, long=HOUR, short=300), Burn(rate=6, long=6 * HOUR, short=1800))
TICKET = (Burn(rate=3, long=DAY, short=2 * HOUR), Burn(rate=1, long=3 * DAY, short=6 * HOUR))


@dataclass(frozen=True, kw_only=True)
class Objective:
    """`bad` is an expression over `series`: the percentage that failed, where `{floor}` is the least of requests."""

    name: str
    rows: str
    budget_percent: float
    series: Mapping[str, Series]
    bad: str
    missing_data: MissingData

    def alarms(self) -> list[MetricAlarm]:
        return [
            alarm
            for burn in (*PAGE, *TICKET)
            for alarm in (self._window(burn, short=False), self._window(burn, short=True))
        ]

    def composites(self) -> list[CompositeAlarm]:
        return [
            self._composite("page", "within days or sooner", PAGE, Severity.CRITICAL, Topic.LEVEL_2),
            self._composite("ticket", "before the month is over", TICKET, Severity.WARNING, Topic.WARNING),
        ]

    def _window(self, burn: Burn, *, short: bool) -> MetricAlarm:
        seconds = burn.short if short else burn.long
        threshold = round(burn.rate * self.budget_percent, 6)
        floor = STILL_GOING_ON if short else round(ENOUGH_FAILURES * 100 / threshold)
        days = max(1, seconds // DAY)
        return MetricAlarm(
            what=self._name(burn, seconds),
            rows=self.rows,
            problem=f"Over {NAMES[seconds]} the error budget of {self.name} burns {burn.rate:g} times too fast.",
            severity=Severity.INFO,
            tells=None,
            runbook="docs/runbook.md#an-error-budget-burns",
            measure=Measure(
                series=self.series,
                expression=self.bad.format(floor=floor),
                period=min(seconds, DAY),
                periods=days,
                breaching=days,
            ),
            above=threshold,
            missing_data=self.missing_data,
        )

    def _composite(
        self, kind: str, when: str, burns: Sequence[Burn], severity: Severity, tells: Topic
    ) -> CompositeAlarm:
        return CompositeAlarm(
            what=f"slo-{self.name}-{kind}",
            rows=self.rows,
            problem=f"At this speed the error budget of {self.name} is spent {when}.",
            severity=severity,
            tells=tells,
            runbook="docs/runbook.md#an-error-budget-burns",
            any_of=[[self._name(burn, burn.long), self._name(burn, burn.short)] for burn in burns],
            remembers_seconds=max(burn.short for burn in burns),
        )

    def _name(self, burn: Burn, seconds: int) -> str:
        return f"slo-{self.name}-{burn.rate:g}x-{NAMES[seconds]}"


def objectives(site: Site, functions: Sequence[str]) -> list[Objective]:
    endpoints = {
        f"available{n}": Series(
            namespace=NAMESPACE,
            metric="Available",
            dimensions={"Environment": site.environment, "Endpoint": endpoint},
            statistic="Average",
        )
        for n, endpoint in enumerate((REST, *functions), 1)
    }
    counts = {
        f"{metric.lower()}{n}": Series(
            namespace=METRICS_FUNCTIONS,
            metric=metric,
            dimensions={"Environment": site.environment, "Function": function},
            statistic="Sum",
        )
        for metric in ("Errors", "Requests")
        for n, function in enumerate(functions, 1)
    }
    # Filled: else, as the data of the last requests leave the window, older ones would be judged anew, and ring again.
    errors, requests = (
        " + ".join(f"FILL({metric}{n}, 0)" for n in range(1, len(functions) + 1)) for metric in ("errors", "requests")
    )
    return [
        Objective(
            name="availability",
            rows="L1",
            budget_percent=BUDGET_PERCENT,
            series=endpoints,
            bad=f"100 * (1 - ({' + '.join(endpoints)}) / {len(endpoints)})",
            missing_data=MissingData.SAYS_NOTHING,  # an objective over nothing is not met: `probe-silent` rings
        ),
        Objective(
            name="errors",
            rows="L3",
            budget_percent=BUDGET_PERCENT,
            series=counts,
            bad=f"IF({requests} >= {{floor}}, 100 * ({errors}) / ({requests}), 0)",
            missing_data=MissingData.IS_FINE,  # it is never missing; that nothing is published, others say
        ),
    ]
