"""A verdict in words: what is wrong, and the command that mends it."""

from gate.decision import Change, Verdict


def denial(verdict: Verdict, change: Change) -> str:
    """What the policy pack answers in place of an update."""
    stack = f" --stack {change.identity.stack}"
    lines = [f"The security surface {change.surface.digest[:12]} of {change.identity.stack} may not be applied:"]
    lines += [f"  - {problem}" for problem in verdict.problems]
    if verdict.missing:
        lines.append("  missing:")
        lines += [
            f"    {one.role}: {' or '.join(one.people) or 'nobody who may give it is among the signers'}"
            for one in verdict.missing
        ]
        version = f" --version {change.version}" if change.version else ""
        lines.append(f"  See what it is, and approve it: ./pf approve{stack}{version}")
    return "\n".join(lines)
