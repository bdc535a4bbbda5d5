"""What the probe publishes."""

from dataclasses import dataclass

NAMESPACE = "ParkerFlight/Probe"  # by Environment and Endpoint: Available, Latency, LatencyChangePercent
DATABASE = "ParkerFlight/Database"  # by Environment
ACCESS = "ParkerFlight/Access"  # by Environment: AccessKeyAgeDays
FUNCTIONS = "ParkerFlight/Functions"  # which the functions publish themselves, by Environment and Function
ENVIRONMENT = "Environment"
ENDPOINT = "Endpoint"
FUNCTION = "Function"
REST = "rest"
LATENCY_CHANGE = "LatencyChangePercent"  # once an hour, of what had enough traffic to compare
METRICS = "metrics"  # Supabase's own metrics endpoint


@dataclass(frozen=True, kw_only=True)
class Datum:
    """One value of one moment. `endpoint` is empty for what is no endpoint's; `unit` is CloudWatch's word."""

    namespace: str
    name: str
    value: float
    unit: str
    endpoint: str = ""
