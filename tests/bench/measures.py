"""How long the everyday commands take, each beside the floor of the same calls made directly.

Every figure is the median of some runs on this machine, in this hour; the ratio to the floor of the same run is what
counts.
"""

import statistics
import subprocess
import time
from collections.abc import Callable, Generator, Mapping
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


def make_up(checkout: Checkout) -> None:
    """What `make up` runs once everything is installed."""
    checkout.pf("sandbox", "up")
    checkout.pf("sandbox", "approve")
    checkout.pf("deploy")


def up_from_nothing() -> Measure:
    """`make up` with the tools in place, against starting the same servers and making the same calls by hand."""

    def command() -> float:
        with new_checkout() as checkout:
            return timed(lambda: make_up(checkout))

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


def supabase(checkout: Checkout, *functions: str, variables: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(
        [
            *(str(checkout.state / "toolchain/bin/supabase"), "functions", "deploy", *functions),
            *("--use-api", f"--jobs={len(functions)}", "--remote=sandboxsandboxsandbo", "--yes"),
        ],
        cwd=checkout.root,
        env=checkout.shell | checkout.environment | dict(variables or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the floor's own deployment failed:\n{done.stderr}")


def shell(checkout: Checkout) -> dict[str, str]:
    """The environment that `make shell` gives, policy pack included."""
    said = checkout.run("sh", "-c", 'eval "$(./pf env)" && env -0').stdout
    return dict(variable.split("=", 1) for variable in said.split("\0") if variable)


def pulumi(folder: Path, environment: Mapping[str, str], *arguments: str) -> None:
    """Plain `pulumi`, in a shell that is there already."""
    done = subprocess.run(
        ["pulumi", *arguments, "--non-interactive"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"`pulumi {arguments[0]}` failed:\n{done.stdout}\n{done.stderr}")


def preview(checkout: Checkout, environment: Mapping[str, str]) -> None:
    pulumi(checkout.root, environment, "preview", "--expect-no-changes")


def unchanged_preview(checkout: Checkout) -> Measure:
    """The program's preview under the policy pack, against that of a program that declares nothing."""
    empty = checkout.state / "empty"
    empty.mkdir()
    (empty / "Pulumi.yaml").write_text("name: empty\nruntime: python\n")
    (empty / "__main__.py").write_text("import pulumi\nimport pulumi_aws\n")
    environment = shell(checkout)
    bare = environment | {"PULUMI_STACK": "empty", "PULUMI_OPTION_POLICY_PACK": ""}
    pulumi(empty, bare, "stack", "init", "empty")
    return Measure(
        name="pulumi preview, unchanged",
        seconds=median(lambda: preview(checkout, environment)),
        limit=2.5,
        aim=1.5,
        floor=median(lambda: pulumi(empty, bare, "preview")),
        floor_is="preview of a program that only imports pulumi_aws, without policies",
    )


def change(checkout: Checkout, function: str = FUNCTIONS[0]) -> None:
    """One function's code is another than before."""
    entry = checkout.root / "supabase/functions" / function / "index.ts"
    entry.write_text(entry.read_text() + f"// measured at {time.time_ns()}\n")


def update(checkout: Checkout, environment: Mapping[str, str]) -> None:
    pulumi(checkout.root, environment, "up", "--yes")


def one_function(checkout: Checkout) -> Measure:
    """One changed function by a plain update, against the Supabase CLI's own call."""
    environment = shell(checkout)

    def command() -> float:
        change(checkout)
        return timed(lambda: update(checkout, environment))

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


def standard_deployment(checkout: Checkout) -> Measure:
    """`pf deploy` of one changed function, without the watch, against the Supabase CLI's own call."""

    def command() -> float:
        change(checkout)
        return timed(lambda: checkout.pf("deploy", "--watch", "0s"))

    def floor() -> float:
        change(checkout)
        return timed(lambda: supabase(checkout, "encrypt-data"))

    return Measure(
        name="pf deploy, one changed function",
        seconds=statistics.median(command() for _ in range(RUNS)),
        limit=10,
        aim=6,
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


def measure_all() -> Generator[Measure]:
    """Each as soon as it is known."""
    yield up_from_nothing()
    with new_checkout() as checkout:
        make_up(checkout)
        for measure in (unchanged_preview, health, one_function, standard_deployment):
            yield measure(checkout)
