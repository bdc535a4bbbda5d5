"""What the SDK's analyzer lacks: nobody lowers a rule, an unknown value is a denial, the approval gate sees it all.

It stands on a private class of the SDK, whose version is locked; tests/policies/test_analyzer.py fails when its shape
changes.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import grpc
import pulumi_policy.policy as sdk
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import analyzer_pb2
from pulumi_policy import (
    EnforcementLevel,
    Policy,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    proxy,
)
from pulumi_policy.deserialize import deserialize_properties
from typing_extensions import override

from policies.waivers import NO_WAIVERS, Waivers

PACK = "parker-flight-security"
APPROVAL = "security-approval"
ADVISORY, MANDATORY = analyzer_pb2.ADVISORY, analyzer_pb2.MANDATORY

UNKNOWN = frozenset(value for name, value in vars(proxy).items() if name.startswith("UNKNOWN_"))

# How the SDK words a rule that touched an unknown value; it calls that advisory.
_UNKNOWN = re.compile(r"^can't run policy .* value at \.(?P<path>.+) can't be known during preview$", re.DOTALL)


class Gate(Protocol):
    """Judges what the engine sends, as it sends it. Each message denies. Calls come from several threads at once."""

    def analyze(self, request: analyzer_pb2.AnalyzeRequest) -> list[str]:
        """About one resource, before anything is done with it."""
        ...

    def analyze_stack(self, request: analyzer_pb2.AnalyzeStackRequest) -> list[tuple[str, str]]:
        """About the whole stack: messages, each with the URN that it is about or "" for the stack."""
        ...


def _reports_nothing(args: ResourceValidationArgs, report_violation: ReportViolation) -> None:
    """The gates' messages come under this policy's name."""


APPROVAL_POLICY = ResourceValidationPolicy(
    name=APPROVAL,
    description="Every change of the security surface has the approvals that it needs.",
    validate=_reports_nothing,
    enforcement_level=EnforcementLevel.MANDATORY,
)


class Analyzer(sdk._PolicyAnalyzerServicer):  # pyright: ignore[reportPrivateUsage]
    """The SDK's analyzer with its gaps closed. `gates` and `waivers` are set by `install`, once a process."""

    gates: Sequence[Gate] = ()
    waivers: Waivers = NO_WAIVERS

    def __init__(self, name: str, version: str, policies: list[Policy], *arguments: Any) -> None:
        super().__init__(name, version, policies, *arguments)
        self._rules = [policy for policy in policies if isinstance(policy, ResourceValidationPolicy)]
        self._waived: dict[tuple[str, str], dict[str, analyzer_pb2.AnalyzeDiagnostic]] = {}

    @override
    def Configure(self, request: analyzer_pb2.ConfigureAnalyzerRequest, context: grpc.ServicerContext) -> Empty:
        lowered = sorted(
            f"{rule} to {analyzer_pb2.EnforcementLevel.Name(config.enforcementLevel).lower()}"
            for rule, config in request.policyConfig.items()
            if config.enforcementLevel != MANDATORY
        )
        if lowered:
            context.abort(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"the rules of this pack are mandatory, and its configuration would lower {', '.join(lowered)}; run "
                "without --policy-pack-config and PULUMI_OPTION_POLICY_PACK_CONFIG. An exception for one resource is "
                "an entry in policies/waivers.yaml",
            )
        return super().Configure(request, context)

    @override
    def Remediate(self, request: analyzer_pb2.AnalyzeRequest, context: grpc.ServicerContext) -> Any:
        """No rule of this pack mends anything, and the engine asks for each resource."""
        return analyzer_pb2.RemediateResponse()

    @override
    def Analyze(self, request: analyzer_pb2.AnalyzeRequest, context: grpc.ServicerContext) -> Any:
        response = self._ask_rules(request)
        for gate in self.gates:
            response.diagnostics.extend(_denial(message, "") for message in gate.analyze(request))
        return response

    @override
    def AnalyzeStack(self, request: analyzer_pb2.AnalyzeStackRequest, context: grpc.ServicerContext) -> Any:
        response = super().AnalyzeStack(request, context)
        self._settle(response.diagnostics, request.resources)
        response.diagnostics.extend(self._advice())
        for gate in self.gates:
            response.diagnostics.extend(_denial(message, urn) for message, urn in gate.analyze_stack(request))
        return response

    def _ask_rules(self, request: analyzer_pb2.AnalyzeRequest) -> analyzer_pb2.AnalyzeResponse:
        """What the SDK does, but a resource is read once: it reads it anew for each rule, while the engine waits."""
        self._configure_runtime_settings()
        resource = ResourceValidationArgs(
            request.type,
            proxy.unknown_checking_proxy(deserialize_properties(MessageToDict(request.properties))),
            request.urn,
            request.name,
            self._get_resource_options(request),
            self._get_provider_resource(request),
        )
        response, unknown = analyzer_pb2.AnalyzeResponse(), analyzer_pb2.AnalyzeResponse()
        for rule in self._rules:
            try:
                rule.validate(resource, self._reporter(response, rule))
            except proxy.UnknownValueError as error:
                self._reporter(unknown, rule)(_not_known(request.name, ".".join(error.props)), request.urn)
            except sdk._NotApplicableError as error:  # pyright: ignore[reportPrivateUsage]
                response.not_applicable.add(policy_name=rule.name, reason=error.reason or "")
        self._settle(response.diagnostics, [request])
        response.diagnostics.extend(unknown.diagnostics)  # no waiver covers what nobody has seen
        return response

    def _reporter(self, response: analyzer_pb2.AnalyzeResponse, rule: Policy) -> ReportViolation:
        return self._create_report_violation(
            response, rule.name, rule.description, EnforcementLevel.MANDATORY, rule.severity
        )

    def _settle(self, diagnostics: Any, resources: Sequence[Any]) -> None:
        """An unknown value denies; a violation that is waived doesn't, and is kept for the end."""
        said = list(diagnostics)
        del diagnostics[:]
        for diagnostic in said:
            urn = diagnostic.urn or (resources[0].urn if len(resources) == 1 else "")
            diagnostic.enforcementLevel = MANDATORY
            if unknown := _UNKNOWN.match(diagnostic.message):
                _name_unknown(diagnostic, unknown["path"], resources)
            elif waiver := self.waivers.of(diagnostic.policyName, urn):
                self._waived.setdefault((diagnostic.policyName, str(waiver)), {})[urn] = diagnostic
                continue
            diagnostics.append(diagnostic)

    def _advice(self) -> Iterator[analyzer_pb2.AnalyzeDiagnostic]:
        """What is waived for the same reason is shown once, however many resources it holds for."""
        for (_, waiver), found in self._waived.items():
            names = ", ".join(sorted(urn.rpartition("::")[2] for urn in found))
            diagnostic = next(iter(found.values()))
            diagnostic.urn, diagnostic.enforcementLevel = "", ADVISORY
            diagnostic.message = f"{diagnostic.description}\n{names}: {waiver}"
            yield diagnostic


def _name_unknown(diagnostic: analyzer_pb2.AnalyzeDiagnostic, path: str, resources: Sequence[Any]) -> None:
    urns = [resource.urn for resource in resources if len(resources) == 1 or _is_unknown_at(resource, path)]
    names = ", ".join(urn.rpartition("::")[2] for urn in urns) or "a resource of the stack"
    diagnostic.urn = urns[0] if len(urns) == 1 else ""
    diagnostic.message = f"{diagnostic.description}\n{_not_known(names, path)}"


def _not_known(names: str, path: str) -> str:
    return (
        f"{names}: `{path}` is not known before the deployment, so nobody can judge it; build it from names and "
        "settings instead of another resource's outputs"
    )


def _is_unknown_at(resource: Any, path: str) -> bool:
    value: Any = MessageToDict(resource.properties)
    for part in path.split("."):
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return isinstance(value, str) and value in UNKNOWN


def _denial(message: str, urn: str) -> analyzer_pb2.AnalyzeDiagnostic:
    return analyzer_pb2.AnalyzeDiagnostic(
        policyName=APPROVAL,
        policyPackName=PACK,
        description=APPROVAL_POLICY.description,
        message=f"{APPROVAL_POLICY.description}\n{message}",
        urn=urn,
        enforcementLevel=MANDATORY,
    )


def install(gates: Sequence[Gate], waivers: Waivers = NO_WAIVERS) -> None:
    """Make the pack's analyzer this one; before `PolicyPack(...)`, which never returns."""
    Analyzer.gates = tuple(gates)
    Analyzer.waivers = waivers
    sdk._PolicyAnalyzerServicer = Analyzer  # pyright: ignore[reportPrivateUsage]
