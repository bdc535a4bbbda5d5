"""What watches the stack: the probe, alarms, rules on calls that nobody should make, and the dashboard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from components.alarms import Alarms, AlarmsArgs
from components.dashboard import Dashboard, DashboardArgs
from components.naming import Site, Topic
from components.probe import Probe, ProbeArgs
from components.security_events import SecurityEvents, SecurityEventsArgs


@dataclass(frozen=True, kw_only=True)
class MonitoringArgs:
    """`minutes`: how long each level has before the next is told. `links`: where else to look, by what is there."""

    site: Site
    functions: Sequence[str]
    topic_arns: Mapping[Topic, pulumi.Input[str]]
    minutes: Mapping[Topic, int]
    links: Mapping[str, str]
    gateway_url: str
    probe_code: pulumi.AssetArchive


class Monitoring(pulumi.ComponentResource):
    def __init__(self, name: str, args: MonitoringArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("parkerflight:monitoring:Monitoring", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        runbook_url = args.links.get("Runbook", "docs/runbook.md")
        probe = Probe(
            "probe",
            ProbeArgs(
                site=args.site,
                code=args.probe_code,
                gateway_url=args.gateway_url,
                functions=args.functions,
            ),
            opts=child,
        )
        Alarms(
            "alarms",
            AlarmsArgs(
                site=args.site,
                functions=args.functions,
                minutes=args.minutes,
                topic_arns=args.topic_arns,
                runbook_url=runbook_url,
            ),
            # One that asks after data would ring at once where there can't be any yet.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[probe]),
        )
        SecurityEvents(
            "security-events",
            SecurityEventsArgs(site=args.site, runbook_url=runbook_url),
            opts=child,
        )
        Dashboard(
            "dashboard",
            DashboardArgs(site=args.site, functions=args.functions, links=args.links, minutes=args.minutes),
            opts=child,
        )
        self.register_outputs({"links": args.links})
