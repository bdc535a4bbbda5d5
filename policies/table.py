"""`python -m policies.table`: docs/policies.md, written anew from the rules themselves."""

from datetime import date
from pathlib import Path

from policies import waivers
from policies.rules import CONCERNS, all_policies

FILE = Path(__file__).resolve().parent.parent / "docs" / "policies.md"

HEAD = """# Policies

What the policy pack (`policies/`) lets nobody deploy. Every rule is mandatory, no configuration lowers one, and a value
that isn't known before the deployment counts as a violation. `bootstrap/` is held to all but two of them:
`policies/foundation.py`. Written by `python -m policies.table`.

| rule | demands | concern |
|---|---|---|
"""
WAIVED = """
## Waivers

Each is for one resource, and ends: on the day after, the pack doesn't start.

| rule | resource | until | approved by | because |
|---|---|---|---|---|
"""


def page() -> str:
    rows = [f"| `{one.name}` | {one.description} | {name} |" for name, several in CONCERNS.items() for one in several]
    waived = [
        f"| `{one.rule}` | `{one.resource}` | {one.expires} | {one.approver} | {one.reason} |"
        for one in waivers.read(
            waivers.FILE.read_text(),
            {policy.name for policy in all_policies()},
            date.min,
        ).all()
    ]
    return HEAD + "\n".join(rows) + "\n" + (WAIVED + "\n".join(waived) + "\n" if waived else "")


if __name__ == "__main__":
    FILE.write_text(page())
