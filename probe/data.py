"""What the probe publishes."""

from dataclasses import dataclass

NAMESPACE = "ParkerFlight/Probe"  # by Environment and Endpoint: Available, Latency
DATABASE = "ParkerFlight/Database"  # by Environment
ENVIRONMENT = "Environment"
ENDPOINT = "Endpoint"
REST = "rest"
METRICS = "metrics"  # Supabase's own metrics endpoint


@dataclass(frozen=True, kw_only=True)
class Datum:
    """One value of one moment. `endpoint` is empty for what is no endpoint's; `unit` is CloudWatch's word."""

    namespace: str
    name: str
    value: float
    unit: str
    endpoint: str = ""
