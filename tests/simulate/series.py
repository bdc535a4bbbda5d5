"""The metrics that are published."""

from functools import cache

from components.naming import METRICS_FUNCTIONS, METRICS_KMS
from probe.data import DATABASE, NAMESPACE
from sandbox.alarms.series import Metric

ENVIRONMENT = "sandbox"


@cache
def probe(name: str, endpoint: str) -> Metric:
    return Metric.of(NAMESPACE, name, {"Environment": ENVIRONMENT, "Endpoint": endpoint})


@cache
def database(name: str) -> Metric:
    return Metric.of(DATABASE, name, {"Environment": ENVIRONMENT})


@cache
def function(name: str, function: str) -> Metric:
    return Metric.of(METRICS_FUNCTIONS, name, {"Environment": ENVIRONMENT, "Function": function})


@cache
def kms(name: str, function: str) -> Metric:
    return Metric.of(METRICS_KMS, name, {"Environment": ENVIRONMENT, "Function": function})
