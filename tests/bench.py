"""`make bench`: how long the everyday commands take, each beside the floor of the same calls made directly.

Every figure is the median of some runs on this machine, in this hour; the ratio to the floor of the same run is what
counts.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from tests.e2e.checkout import Checkout, new_checkout

RUNS = 5
FUNCTIONS = ("encrypt-data", "create-payment-method")
DATA_CLASSES = ("general", "pii", "payment")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A command's median and its floor's, in seconds; `limit` is what the project allows itself."""

    name: str
    seconds: float
    floor: float
    floor_is: str
    limit: float


def timed(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def median(action: Callable[[], object], runs: int = RUNS) -> float:
    return statistics.median(timed(action) for _ in range(runs))


def up_from_nothing() -> Measure:
    """`make up` with the tools in place, against starting the same servers and making the same calls by hand."""

    def command() -> float:
        with new_checkout() as checkout:
            return timed(lambda: (checkout.pf("sandbox", "up"), checkout.pf("deploy")))

    def floor() -> float:
        with new_checkout() as checkout:
            return timed(lambda: (checkout.pf("sandbox", "up"), direct_deployment(checkout)))

    return Measure(
        name="make up",
        seconds=statistics.median(command() for _ in range(3)),
        floor=statistics.median(floor() for _ in range(3)),
        floor_is="start the sandbox, boto3 calls three at a time, one CLI call",
        limit=30,
    )


def direct_deployment(checkout: Checkout) -> None:
    """Three keys with rotation and alias, and both functions: what a deployment must call at the very least."""
    kms = checkout.aws("kms")

    def key(name: str) -> None:
        made = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.enable_key_rotation(KeyId=made)
        kms.create_alias(AliasName=f"alias/floor-{name}-{made}", TargetKeyId=made)

    with ThreadPoolExecutor(len(DATA_CLASSES)) as pool:
        list(pool.map(key, DATA_CLASSES))
    supabase(checkout, *FUNCTIONS)


def supabase(checkout: Checkout, *functions: str) -> None:
    done = subprocess.run(
        [
            *(str(checkout.state / "toolchain/bin/supabase"), "functions", "deploy", *functions),
            *("--use-api", "--remote=sandboxsandboxsandbo", "--yes"),
        ],
        cwd=checkout.root,
        env=checkout.shell | checkout.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the floor's own deployment failed:\n{done.stderr}")


def unchanged_preview(checkout: Checkout) -> Measure:
    """The program's preview, against that of a program that declares nothing."""
    empty = checkout.state / "empty"
    empty.mkdir()
    (empty / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (empty / "__main__.py").write_text("import pulumi\nimport pulumi_aws\n")
    environment = checkout.shell | checkout.environment
    tools = {"PATH": f"{checkout.state / 'toolchain/bin'}:{os.environ['PATH']}"}

    def pulumi(folder: Path, *arguments: str) -> None:
        subprocess.run(
            ["pulumi", *arguments, "--non-interactive"],
            cwd=folder,
            env=environment | tools,
            capture_output=True,
            check=True,
        )

    pulumi(empty, "stack", "init", "empty")
    return Measure(
        name="pulumi preview, unchanged",
        seconds=median(lambda: pulumi(checkout.root, "preview", "--stack", "sandbox", "--expect-no-changes")),
        floor=median(lambda: pulumi(empty, "preview", "--stack", "empty")),
        floor_is="preview of a program that only imports pulumi_aws",
        limit=2.5,
    )


def one_function(checkout: Checkout) -> Measure:
    """One changed function by a plain update, against the Supabase CLI's own call."""
    entry = checkout.root / "supabase/functions/encrypt-data/index.ts"

    def change() -> None:
        entry.write_text(entry.read_text() + f"// measured at {time.time_ns()}\n")

    def command() -> float:
        change()
        return timed(lambda: checkout.pulumi("up", "--yes", "--skip-preview", "--non-interactive"))

    def floor() -> float:
        change()
        return timed(lambda: supabase(checkout, "encrypt-data"))

    return Measure(
        name="one changed function",
        seconds=statistics.median(command() for _ in range(RUNS)),
        floor=statistics.median(floor() for _ in range(RUNS)),
        floor_is="supabase functions deploy of the same function",
        limit=5,
    )


def health(checkout: Checkout) -> Measure:
    """`pf health`, against its slowest single request."""
    token = checkout.token("service_role")

    def slowest_request() -> None:
        url = f"{checkout.environment['SUPABASE_URL']}/functions/v1/encrypt-data"
        httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).raise_for_status()

    return Measure(
        name="pf health",
        seconds=median(lambda: checkout.pf("health")),
        floor=median(slowest_request),
        floor_is="the function's own self-check, called directly",
        limit=1,
    )


def main() -> int:
    measures = [up_from_nothing()]
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        checkout.pf("deploy")
        measures += [unchanged_preview(checkout), health(checkout), one_function(checkout)]
    table = Table(title=f"medians on {os.cpu_count()} cores", box=None, pad_edge=False)
    for column in ("what", "s", "floor s", "ratio", "limit s", "floor is"):
        table.add_column(column, overflow="fold")
    for one in measures:
        ratio = f"{one.seconds / one.floor:.1f}"
        table.add_row(one.name, f"{one.seconds:.2f}", f"{one.floor:.2f}", ratio, f"{one.limit:g}", one.floor_is)
    Console().print(table)
    late = [one.name for one in measures if one.seconds > one.limit]
    if late:
        print(f"over the limit: {', '.join(late)}", file=sys.stderr)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
