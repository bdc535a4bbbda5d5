"""What the policy pack adds to a preview, by the number of resources, and what verifying one approval takes."""

import statistics
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table

from gate.signature import sign, verify
from gate.signers import Revoked, Signers
from tests.bench.measures import RUNS, Measure, median, shell, timed
from tests.e2e.checkout import Checkout

SIZES = (10, 100, 300)
PROGRAM = """
import pulumi_aws as aws

tags = {{"Application": "parker-flight", "Environment": "scale", "ManagedBy": "pulumi"}}
for number in range({size}):
    aws.cloudwatch.LogGroup(f"log-{{number}}", name=f"/scale/{{number}}", retention_in_days=30, tags=tags)
"""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Medians of a preview of so many resources, in seconds."""

    resources: int
    with_pack: float
    without: float


def costs(checkout: Checkout) -> list[Cost]:
    folder = checkout.state / "scale"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text("name: scale\nruntime: python\n")
    _preview(checkout, folder, "stack", "init", "scale")
    _preview(checkout, folder, "config", "set", "aws:region", "us-east-1")
    return [_cost(checkout, folder, size) for size in SIZES]


def _cost(checkout: Checkout, folder: Path, size: int) -> Cost:
    (folder / "__main__.py").write_text(PROGRAM.format(size=size))
    pack = ("--policy-pack", str(checkout.root / "policies"))
    pairs = [
        (
            timed(lambda: _preview(checkout, folder, "preview", *pack, resources=size)),
            timed(lambda: _preview(checkout, folder, "preview", resources=size)),
        )
        for _ in range(RUNS)
    ]
    return Cost(
        resources=size,
        with_pack=statistics.median(pair[0] for pair in pairs),
        without=statistics.median(pair[1] for pair in pairs),
    )


def _preview(checkout: Checkout, folder: Path, *arguments: str, resources: int = 0) -> None:
    """Denied or not: nobody approves this stack, and what a denial takes is the question."""
    environment = dict(shell(checkout)) | {"PULUMI_STACK": "scale", "PULUMI_OPTION_POLICY_PACK": ""}
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.stdout.count("aws:cloudwatch:LogGroup log-") < resources:
        raise RuntimeError(f"the preview of {resources} resources stopped early:\n{done.stdout}\n{done.stderr}")


def table(found: list[Cost]) -> Table:
    rows = Table(title="what the policy pack adds to a preview, in s", title_justify="left", box=None, pad_edge=False)
    for column in ("resources", "with", "without", "adds", "per 100 resources more"):
        rows.add_column(column, justify="right")
    for before, one in zip([None, *found], found, strict=False):
        adds = one.with_pack - one.without
        more = ""
        if before is not None:
            grown = adds - (before.with_pack - before.without)
            more = f"{100 * grown / (one.resources - before.resources):.2f}"
        rows.add_row(str(one.resources), f"{one.with_pack:.2f}", f"{one.without:.2f}", f"{adds:.2f}", more)
    return rows


def verification(checkout: Checkout) -> Measure:
    """One signature over one statement, as the pack verifies it."""
    key = checkout.state / "sandbox/people/security"
    folder = checkout.state / "sandbox/approvals"
    signers, revoked = Signers.read(folder / "allowed_signers"), Revoked.read(folder / "revoked_keys")
    message, now = b'{"a statement":"of some length"}' * 20, datetime.now(UTC)
    armoured, _ = sign(message, key, "security", signers=signers, revoked=revoked, at=now)
    signature = checkout.state / "statement.sig"
    signature.write_bytes(armoured)
    plain = ["ssh-keygen", "-Y", "verify", "-f", str(folder / "allowed_signers"), "-I", "security@example.com"]
    plain += ["-n", "security@parker-flight", "-s", str(signature)]
    return Measure(
        name="verify one approval",
        seconds=median(
            lambda: verify(message, armoured, signers=signers, revoked=revoked, role="security", at=now), 20
        ),
        limit=0.05,
        aim=0.02,
        floor=median(lambda: subprocess.run(plain, input=message, capture_output=True, check=True), 20),
        floor_is="ssh-keygen -Y verify, called once",
    )
