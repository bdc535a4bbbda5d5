"""What the pack's analyzer adds to the SDK's, and that the SDK is still the one that it adds to."""

import inspect
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

import grpc
import pulumi_policy.policy as sdk
import pytest
from google.protobuf.struct_pb2 import Struct
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import (
    EnforcementLevel,
    PolicyPack,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)

from policies.analyzer import ADVISORY, APPROVAL, APPROVAL_POLICY, MANDATORY, PACK, Analyzer, install
from policies.waivers import NO_WAIVERS, Waiver, Waivers
from tests.policies.table import UNKNOWN

pytestmark = pytest.mark.rows("K5")

TYPE = "aws:sns/topic:Topic"
CONTEXT: Any = None


def urn(name: str) -> str:
    return f"urn:pulumi:test::tiny::{TYPE}::{name}"


def _named_right(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    if args.resource_type != TYPE:
        args.not_applicable("no topic")
    if args.props["tags"]["name"] != "right":
        report_violation(f"{args.name}: `tags.name` is wrong; mend it", None)


def _all_named_right(args: StackValidationArgs, report_violation: ReportViolation) -> None:
    for resource in args.resources:
        if resource.props["tags"]["name"] != "right":
            report_violation(f"{resource.name}: `tags.name` is wrong; mend it", resource.urn)


POLICIES: list[sdk.Policy] = [
    ResourceValidationPolicy("named", "Topics are named right.", _named_right, EnforcementLevel.MANDATORY),
    StackValidationPolicy("all-named", "All topics are named right.", _all_named_right, EnforcementLevel.MANDATORY),
    APPROVAL_POLICY,
]


class AbortedError(Exception):
    """What gRPC's `abort` raises."""


class Context:
    def abort(self, code: grpc.StatusCode, details: str) -> None:
        raise AbortedError(f"{code.name}: {details}")


class Gate:
    """Denies what is named `denied`, and the stack whenever it holds such a resource."""

    def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[str]:
        return ["not approved"] if request.name == "denied" else []

    def analyze_stack(self, request: analyzer_pb2.AnalyzeStackRequest) -> list[tuple[str, str]]:
        return [("not approved", resource.urn) for resource in request.resources if resource.name == "denied"]


@pytest.fixture
def analyzer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Analyzer]:
    monkeypatch.setattr(sdk, "_PolicyAnalyzerServicer", sdk._PolicyAnalyzerServicer)  # pyright: ignore[reportPrivateUsage]
    yield Analyzer(PACK, "1.0.0", POLICIES, EnforcementLevel.ADVISORY)
    install([], NO_WAIVERS)


def properties(name: str) -> Struct:
    struct = Struct()
    struct.update({"tags": {"name": name}})
    return struct


def one(analyzer: Analyzer, tag: str, *, name: str = "it", type_: str = TYPE) -> Any:
    request = analyzer_pb2.AnalyzeRequest(type=type_, urn=urn(name), name=name, properties=properties(tag))
    return analyzer.Analyze(request, CONTEXT)


def stack(analyzer: Analyzer, **tags: str) -> list[Any]:
    resources = [
        analyzer_pb2.AnalyzerResource(type=TYPE, urn=urn(name), name=name, properties=properties(tag))
        for name, tag in tags.items()
    ]
    return list(analyzer.AnalyzeStack(analyzer_pb2.AnalyzeStackRequest(resources=resources), CONTEXT).diagnostics)


def configured(analyzer: Analyzer, **levels: analyzer_pb2.EnforcementLevel.ValueType) -> None:
    request = analyzer_pb2.ConfigureAnalyzerRequest(
        policyConfig={
            name.replace("_", "-"): analyzer_pb2.PolicyConfig(enforcementLevel=level) for name, level in levels.items()
        }
    )
    context: Any = Context()
    analyzer.Configure(request, context)


def test_the_sdk_is_still_the_one_that_the_analyzer_was_written_for() -> None:
    """A new pulumi-policy passes here, and the tests below, before it is locked."""
    servicer = Analyzer.__mro__[1]
    assert servicer.__name__ == "_PolicyAnalyzerServicer"
    assert "_PolicyAnalyzerServicer" in PolicyPack.__init__.__code__.co_names, "the pack makes it by its global name"
    for call in ("Analyze", "AnalyzeStack", "Configure"):
        assert list(inspect.signature(getattr(servicer, call)).parameters) == ["self", "request", "_context"]
    served = {name for name in vars(servicer) if name[0].isupper() and inspect.isfunction(getattr(servicer, name))}
    assert served == {
        "Analyze",
        "AnalyzeStack",
        "Configure",
        "ConfigureStack",
        "GetAnalyzerInfo",
        "GetPluginInfo",
        "Remediate",
    }, "a new call may be another way around the rules"


def test_the_pack_is_served_by_it(analyzer: Analyzer) -> None:
    install([Gate()])
    assert vars(sdk)["_PolicyAnalyzerServicer"] is Analyzer
    assert analyzer.gates


@pytest.mark.parametrize(
    ("level", "name"),
    [(analyzer_pb2.ADVISORY, "advisory"), (analyzer_pb2.DISABLED, "disabled"), (analyzer_pb2.REMEDIATE, "remediate")],
)
def test_a_configuration_that_lowers_or_disables_a_rule_is_refused(
    analyzer: Analyzer, level: analyzer_pb2.EnforcementLevel.ValueType, name: str
) -> None:
    with pytest.raises(
        AbortedError, match=f"FAILED_PRECONDITION: .* would lower named to {name}; run without --policy-pack"
    ):
        configured(analyzer, all_named=MANDATORY, named=level)
    (violation,) = one(analyzer, "wrong").diagnostics
    assert violation.enforcementLevel == MANDATORY


def test_the_engines_own_configuration_is_taken(analyzer: Analyzer) -> None:
    configured(analyzer, named=MANDATORY, all_named=MANDATORY, security_approval=MANDATORY)
    configured(analyzer)


def test_a_resource_gets_three_results(analyzer: Analyzer) -> None:
    assert not one(analyzer, "right").diagnostics
    assert [each.policy_name for each in one(analyzer, "right", type_="a:b:C").not_applicable] == ["named"]
    (violation,) = one(analyzer, "wrong").diagnostics
    assert violation.message == "Topics are named right.\nit: `tags.name` is wrong; mend it"


def test_an_unknown_value_denies_and_is_named(analyzer: Analyzer) -> None:
    (violation,) = one(analyzer, UNKNOWN).diagnostics
    assert (violation.policyName, violation.enforcementLevel) == ("named", MANDATORY)
    assert violation.message.startswith("Topics are named right.\nit: `tags.name` is not known before the deployment")


def test_an_unknown_value_in_the_stack_names_the_resource_that_holds_it(analyzer: Analyzer) -> None:
    (violation,) = stack(analyzer, first="right", second=UNKNOWN)
    assert (violation.enforcementLevel, violation.urn) == (MANDATORY, urn("second"))
    assert "second: `tags.name` is not known before the deployment" in violation.message


def test_a_gate_sees_every_request_and_its_messages_deny_under_the_approvals_name(analyzer: Analyzer) -> None:
    install([Gate()])
    assert not one(analyzer, "right").diagnostics
    (denial,) = one(analyzer, "right", name="denied", type_="a:b:C").diagnostics
    assert (denial.policyName, denial.policyPackName, denial.enforcementLevel) == (APPROVAL, PACK, MANDATORY)
    assert denial.message.endswith("\nnot approved")
    (denial,) = stack(analyzer, it="right", denied="right")
    assert (denial.policyName, denial.urn, denial.enforcementLevel) == (APPROVAL, urn("denied"), MANDATORY)


def test_a_gate_that_fails_lets_nothing_through(analyzer: Analyzer) -> None:
    class Broken(Gate):
        def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[str]:
            raise OSError(f"the approvals of {request.name} can't be read")

    install([Broken()])
    with pytest.raises(OSError, match="can't be read"):  # the engine fails on it
        one(analyzer, "right")


def waived(rule: str, *names: str) -> Waivers:
    only = Waiver(rule=rule, resource="", reason="because", approver="security", expires=date(2100, 1, 1))
    return Waivers([replace(only, resource=f"{TYPE}::{name}") for name in names])


def test_waived_violations_are_shown_once_at_the_end_and_do_not_deny(analyzer: Analyzer) -> None:
    install([], waived("named", "it", "that"))
    assert not one(analyzer, "wrong").diagnostics
    assert not one(analyzer, "wrong", name="that").diagnostics
    (violation,) = one(analyzer, "wrong", name="another").diagnostics
    assert violation.enforcementLevel == MANDATORY
    (shown,) = stack(analyzer)
    assert (shown.enforcementLevel, shown.policyName, shown.urn) == (ADVISORY, "named", "")
    assert shown.message == "Topics are named right.\nit, that: waived until 2100-01-01 by security: because"


def test_a_waiver_for_the_stacks_rule_holds_for_one_resource(analyzer: Analyzer) -> None:
    install([], waived("all-named", "first"))
    violation, shown = stack(analyzer, first="wrong", second="wrong")
    assert (violation.urn, violation.enforcementLevel) == (urn("second"), MANDATORY)
    assert (shown.enforcementLevel, "\nfirst: waived" in shown.message) == (ADVISORY, True)


def test_no_waiver_covers_an_unknown_value_or_the_approval(analyzer: Analyzer) -> None:
    install([Gate()], waived("named", "it"))
    (violation,) = one(analyzer, UNKNOWN).diagnostics
    assert violation.enforcementLevel == MANDATORY
    install([Gate()], waived(APPROVAL, "denied"))
    (denial,) = one(analyzer, "right", name="denied").diagnostics
    assert denial.enforcementLevel == MANDATORY
