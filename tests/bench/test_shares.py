"""Where the time goes: what the engine's traces say, and that no instant counts twice."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.bench.shares import SHARES, Work, read, split, works

pytestmark = pytest.mark.rows("P4")


def span(name: str, begin: int, end: int, parent: str = "", **about: str) -> dict[str, Any]:
    attributes: list[Any] = [{"key": key.replace("_", "."), "value": {"stringValue": about[key]}} for key in about]
    return {
        "spanId": f"{name} {begin}",
        "parentSpanId": parent,
        "name": name,
        "startTimeUnixNano": str(begin),
        "endTimeUnixNano": str(end),
        "attributes": [*attributes, {"key": "attachDebugger", "value": {"boolValue": False}}],
    }


def test_each_span_is_the_share_of_what_it_does(tmp_path: Path) -> None:
    batches = [
        [
            span("newPlugin", 10, 20, kind="resource", prefix="command (resource)"),
            span("pulumirpc.ResourceProvider/Handshake", 15, 20, parent="newPlugin 10", net_peer_name="127.0.0.1:1"),
            span("pulumirpc.ResourceProvider/Create", 20, 30, net_peer_name="127.0.0.1:1"),
            span("pulumirpc.ResourceProvider/Create", 20, 40, net_peer_name="127.0.0.1:2"),
        ],
        [
            span("newPlugin", 1, 4, kind="analyzer", prefix="policies (analyzer)"),
            span("pulumirpc.Analyzer/Analyze", 41, 42),
        ],
        [span("run-program", 5, 50), span("pulumirpc.Engine/Log", 6, 7), span("pulumi", 0, 60)],
    ]
    lines = [json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [{"spans": one}]}]}) for one in batches]
    (tmp_path / "trace").write_text("\n".join(lines))
    assert [(one.share, one.begin, one.end) for one in works(read(tmp_path / "trace"))] == [
        ("providers", 10, 20),
        ("providers", 15, 20),
        ("commands", 20, 30),
        ("providers", 20, 40),
        ("policies", 1, 4),
        ("policies", 41, 42),
        ("program", 5, 50),
        ("engine start", 0, 5),
        ("engine rest", 0, 60),
    ]


def test_the_shares_add_up_to_the_whole_run() -> None:
    second = 1_000_000_000
    found = [
        Work(share="program", begin=second, end=6 * second),
        Work(share="commands", begin=2 * second, end=4 * second),
        Work(share="providers", begin=3 * second, end=5 * second),
        Work(share="engine rest", begin=-second, end=7 * second),
    ]
    seconds = split("run", found, 0, 8 * second, "pf").seconds
    assert {share: took for share, took in seconds.items() if took} == {
        "commands": 2,
        "providers": 1,
        "program": 2,
        "engine rest": 2,
        "pf": 1,
    }
    assert list(seconds) == list(SHARES)
