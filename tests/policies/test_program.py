"""The program that is really deployed passes every rule, as an update and at the preview of an empty stack."""

import json
from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import EnforcementLevel

from policies import waivers
from policies.analyzer import ADVISORY, APPROVAL, PACK, Analyzer
from policies.rules import all_policies
from tests.components.recording import Recording, record_program
from tests.program.test_program import FILLED_IN, config

NO_CONTEXT: Any = None
pytestmark = pytest.mark.rows("K5")


def judged(recorded: Recording, monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> list[Any]:
    """What the pack says to each resource and to the stack, with its own waivers."""
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps(values))
    rules = all_policies()
    monkeypatch.setattr(Analyzer, "waivers", waivers.load({rule.name for rule in rules} - {APPROVAL}))
    analyzer = Analyzer(PACK, "1.0.0", rules, EnforcementLevel.MANDATORY)
    resources = [
        analyzer_pb2.AnalyzerResource(
            type=resource.type,
            urn=resource.urn,
            name=resource.name,
            properties=_struct(resource.inputs),
            options=analyzer_pb2.AnalyzerResourceOptions(protect=resource.protect),
        )
        for resource in recorded.resources.values()
    ]
    bound = {"region": values["aws:region"], "allowedAccountIds": values["aws:allowedAccountIds"]}
    for type_, inputs in (("pulumi:pulumi:Stack", {}), ("pulumi:providers:aws", bound)):
        urn = f"urn:pulumi:sandbox::parker-flight::{type_}::default"
        resources.append(analyzer_pb2.AnalyzerResource(type=type_, urn=urn, name="default", properties=_struct(inputs)))
    said: list[Any] = []
    for one in resources:
        request = analyzer_pb2.AnalyzeRequest(
            type=one.type, urn=one.urn, name=one.name, properties=one.properties, options=one.options
        )
        said += analyzer.Analyze(request, NO_CONTEXT).diagnostics
    said += analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources), NO_CONTEXT).diagnostics
    return said


def _struct(values: dict[str, Any]) -> Struct:
    struct = Struct()
    struct.update(values)
    return struct


@pytest.mark.parametrize("first_preview", [True, False])
@pytest.mark.parametrize("stack", ["sandbox", "production"])
def test_the_program_passes_every_rule_and_uses_every_waiver(
    stack: str, first_preview: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = config(stack, **FILLED_IN) if stack == "production" else config(stack)
    recorded = record_program(stack=stack, config=values, first_preview=first_preview)
    said = judged(recorded, monkeypatch, values)
    assert not [diagnostic.message for diagnostic in said if diagnostic.enforcementLevel != ADVISORY]
    used = {
        (diagnostic.policyName, name)
        for diagnostic in said
        for name in diagnostic.message.splitlines()[1].partition(":")[0].split(", ")
    }
    given = {(waiver.rule, waiver.resource.rpartition("::")[2]) for waiver in Analyzer.waivers.all()}
    assert used == given, "a waiver that nothing needs is taken out"
    assert all("waived until" in diagnostic.message for diagnostic in said)
