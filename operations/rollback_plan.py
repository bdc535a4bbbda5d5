"""A rollback as it would be done, previewed for real: nothing is changed by looking (O3)."""

from dataclasses import replace

from gate.evidence import EMERGENCY
from operations.errors import ExitCode
from operations.output import show_fields
from operations.preview import preview
from operations.preview_text import show_preview
from operations.rollback import Return
from releases.versions import Version
from reports.summary import SHOWN, made_from


def show_plan(plan: Return) -> ExitCode:
    """Print it; the code says whether it may be done now, as `pf preview`'s does."""
    print(
        f"{plan.store.stack}: from version {plan.live.number} back to version {plan.target.number}; nothing is changed"
    )
    show_fields(
        {
            "comes back": _described(plan.target),
            "is left": _described(plan.live) if plan.leaves else "an update that broke off",
            "alarms": f"tell others than now: {plan.contacts}" if plan.contacts else "",
            "stays": "keys, secret values, database, signers, policy pack, business hours",
            "afterwards": f"version {plan.live.number} is refused until pf unblock" if plan.leaves else "",
        }
    )
    variables = {**plan.stack.variables, **({EMERGENCY: "1"} if plan.wish.emergency else {})}
    # Where a rollback from there would lead is another question: what is left now goes into quarantine.
    report = preview(replace(plan.stack, variables=variables)).model_copy(update={"way_back": None})
    print()
    show_preview(report)
    return report.outcome.code


def _described(version: Version) -> str:
    commit = made_from(version.commit[:SHOWN], dirty=version.dirty)
    return f"version {version.number} of {version.made}{commit and f', commit {commit}'}"
