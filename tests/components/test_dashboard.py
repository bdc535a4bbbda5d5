"""The dashboard, as CloudWatch would take it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from components.dashboard import WHOLE, Dashboard, DashboardArgs, body
from components.naming import METRICS_OPERATIONS, Site, Topic
from operations.notify import STARTS
from policies.monitoring import PUBLISHED
from tests.components.recording import record

pytestmark = pytest.mark.rows("R1")

SITE = Site(environment="staging", account_id="123456789012", region="us-east-1")
ARGS = DashboardArgs(
    site=SITE,
    functions=["create-payment-method", "encrypt-data"],
    links={"Supabase": "https://supabase.com/dashboard/project/x", "Grafana": "https://grafana.example.com"},
    minutes={Topic.LEVEL_1: 15, Topic.LEVEL_2: 30},
)
WIDGETS: list[dict[str, Any]] = body(ARGS)["widgets"]


def metrics() -> Iterator[tuple[str, str, dict[str, str]]]:
    for widget in WIDGETS:
        for metric in widget["properties"].get("metrics", ()):
            if isinstance(metric[0], str):
                namespace, name, *dimensions, _options = metric
                yield namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True))


def test_every_metric_that_it_shows_is_published() -> None:
    published = {
        (namespace, name): {"Environment", "Function"}
        for namespace, names in PUBLISHED["functions"]["namespaces"].items()
        for name in names
    } | {
        (namespace, name): set(kinds["dimensions"])
        for namespace, kinds in PUBLISHED["probe"]["namespaces"].items()
        for name in kinds["metrics"]
    }
    published |= {(METRICS_OPERATIONS, name): {"Environment"} for name in STARTS.values()}
    shown = list(metrics())
    assert shown
    for namespace, name, dimensions in shown:
        assert published[namespace, name] == set(dimensions), (namespace, name)
        assert dimensions["Environment"] == "staging"


def test_it_has_the_golden_signals_keys_database_budgets_and_alarms() -> None:
    titles = [widget["properties"].get("title", "") for widget in WIDGETS]
    for word in ("Requests", "Failed requests", "Latency", "KMS", "database", "error budget", "Alarms"):
        assert any(word in title for title in titles), word


def test_every_graph_shows_when_something_was_deployed_or_rolled_back() -> None:
    graphs = [widget["properties"] for widget in WIDGETS if widget["properties"].get("view") == "timeSeries"]
    assert len(graphs) > 5
    for graph in graphs:
        assert {one[1] for one in graph["metrics"] if one[0] == METRICS_OPERATIONS} == {"Deployments", "Rollbacks"}


def test_it_links_to_everything_else() -> None:
    (text,) = [widget["properties"]["markdown"] for widget in WIDGETS if widget["type"] == "text"]
    for what, where in ARGS.links.items():
        assert f"[{what}]({where})" in text


def test_widgets_fill_the_grid_without_covering_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in WIDGETS:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"].get("title")
        assert widget["x"] + widget["width"] <= WHOLE
        taken |= cells


def test_each_expression_uses_metrics_of_its_own_widget() -> None:
    for widget in WIDGETS:
        found = widget["properties"].get("metrics", ())
        ids = {metric[-1]["id"] for metric in found if "id" in metric[-1]}
        for metric in found:
            for name in ids if "expression" in metric[-1] else ():
                assert name[0].islower()
        words = " ".join(metric[-1]["expression"] for metric in found if "expression" in metric[-1])
        assert all(name in words for name in ids), widget["properties"].get("title")


def test_its_address_is_known_before_it_is_there() -> None:
    recorded = record(lambda: Dashboard("dashboard", ARGS), first_preview=True)
    (made,) = recorded.all("aws:cloudwatch/dashboard:Dashboard")
    assert made.inputs["dashboardName"] == "parker-flight-staging"
    assert json.loads(made.inputs["dashboardBody"]) == body(ARGS)
    assert SITE.dashboard_url.endswith("#dashboards/dashboard/parker-flight-staging")
