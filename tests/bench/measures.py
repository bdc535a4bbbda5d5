"""How long the everyday commands take, each beside the floor of the same calls made directly.

Every figure is the median of some runs on this machine, in this hour; the ratio to the floor of the same run is what
counts.
"""

import os
import statistics
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.e2e.checkout import Checkout, new_checkout

RUNS = 5
FUNCTIONS = ("encrypt-data", "create-payment-method")
DATA_CLASSES = ("general", "pii", "payment")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A command's median and its floor's, in seconds; what the project allows itself, and what it aims for."""

    name: str
    seconds: float
    limit: float
    aim: float
    floor: float
    floor_is: str


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
        limit=30,
        aim=15,
        floor=statistics.median(floor() for _ in range(3)),
        floor_is="start the sandbox, boto3 calls three at a time, one CLI call",
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


def pulumi(checkout: Checkout, *arguments: str, folder: Path | None = None) -> None:
    """Plain `pulumi`, as in a shell that has the stack's environment already."""
    tools = {"PATH": f"{checkout.state / 'toolchain/bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        cwd=folder or checkout.root,
        env=checkout.shell | checkout.environment | tools,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"`pulumi {arguments[0]}` failed:\n{done.stdout}\n{done.stderr}")


def preview(checkout: Checkout) -> None:
    pulumi(checkout, "preview", "--stack", "sandbox", "--expect-no-changes")


def unchanged_preview(checkout: Checkout) -> Measure:
    """The program's preview, against that of a program that declares nothing."""
    empty = checkout.state / "empty"
    empty.mkdir()
    (empty / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (empty / "__main__.py").write_text("import pulumi\nimport pulumi_aws\n")
    pulumi(checkout, "stack", "init", "empty", folder=empty)
    return Measure(
        name="pulumi preview, unchanged",
        seconds=median(lambda: preview(checkout)),
        limit=2.5,
        aim=1.5,
        floor=median(lambda: pulumi(checkout, "preview", "--stack", "empty", folder=empty)),
        floor_is="preview of a program that only imports pulumi_aws",
    )


def change(checkout: Checkout) -> None:
    """One function's code is another than before."""
    entry = checkout.root / "supabase/functions/encrypt-data/index.ts"
    entry.write_text(entry.read_text() + f"// measured at {time.time_ns()}\n")


def update(checkout: Checkout) -> None:
    pulumi(checkout, "up", "--stack", "sandbox", "--yes", "--skip-preview")


def one_function(checkout: Checkout) -> Measure:
    """One changed function by a plain update, against the Supabase CLI's own call."""

    def command() -> float:
        change(checkout)
        return timed(lambda: update(checkout))

    def floor() -> float:
        change(checkout)
        return timed(lambda: supabase(checkout, "encrypt-data"))

    return Measure(
        name="one changed function",
        seconds=statistics.median(command() for _ in range(RUNS)),
        limit=5,
        aim=3,
        floor=statistics.median(floor() for _ in range(RUNS)),
        floor_is="supabase functions deploy of the same function",
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
        limit=1,
        aim=0.5,
        floor=median(slowest_request),
        floor_is="the function's own self-check, called directly",
    )


def measure_all() -> list[Measure]:
    measures = [up_from_nothing()]
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        checkout.pf("deploy")
        return [*measures, unchanged_preview(checkout), health(checkout), one_function(checkout)]
