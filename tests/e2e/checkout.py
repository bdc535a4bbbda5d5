"""A checkout of this project with a sandbox of its own, worked on as a person does: by its commands."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import httpx
import psutil

from sandbox.processes import wait_for

ROOT = Path(__file__).resolve().parents[2]
COMMAND_SECONDS = 240
# What of this shell a checkout's commands get: where the tools are, and which certificates they trust (the first
# command that needs a package downloads it, perhaps from a mirror of a registry).
_KEPT = ("PATH", "HOME", "LANG", "PF_CACHE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE", "SSL_CERT_DIR")
# How operations of AWS begin that change nothing; what was refused is told (Publish), too.
_READING = (
    *("Describe", "Get", "List", "AssumeRole", "/", "Encrypt", "Decrypt", "GenerateDataKey", "PutMetricData"),
    "Publish",
)


@dataclass(frozen=True, kw_only=True)
class Checkout:
    """Copied sources (so that a test may edit them), this machine's tools, a state folder of its own."""

    root: Path
    state: Path

    def run(
        self, *command: str, check: bool = True, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run in the checkout's root; `check` makes a failure the test's failure, with what it printed."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.shell | (environment or {}),
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"{command} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def pf(
        self, *arguments: str, check: bool = True, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return self.run("./pf", *arguments, check=check, environment=environment)

    def pulumi(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Plain `pulumi`, in the shell that `make shell` gives."""
        return self.run("sh", "-c", 'eval "$(./pf env)" && exec pulumi "$@"', "pulumi", *arguments, check=check)

    def approved(self, reason: str = "a test") -> None:
        """The demo people approve what the sources would change."""
        self.pf("sandbox", "approve", "--reason", reason)

    @property
    def shell(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        return kept | {"PF_STATE": str(self.state), "NO_COLOR": "1", "COLUMNS": "100"}

    @property
    def environment(self) -> dict[str, str]:
        lines = (self.state / "sandbox.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def aws(self, service: str, variables: Mapping[str, str] | None = None) -> Any:
        """A boto3 client of the sandbox's AWS. `variables` go before the sandbox's own."""
        variables = self.environment | dict(variables or {})
        return boto3.client(  # pyright: ignore[reportCallIssue]
            service,  # pyright: ignore[reportArgumentType]
            endpoint_url=variables["AWS_ENDPOINT_URL"],
            region_name=variables["AWS_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        )

    def token(self, role: str) -> str:
        return self.pf("sandbox", "token", "--role", role).stdout.strip()

    def call(self, function: str, body: dict[str, Any], token: str | None = None) -> httpx.Response:
        """POST to a function through the gateway."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"{self.environment['SUPABASE_URL']}/functions/v1/{function}"
        return httpx.post(url, json=body, headers=headers, timeout=60)

    def served_release(self) -> str:
        """The digest of the release that encrypt-data says it is of."""
        answer = self.call("encrypt-data", {}, self.token("service_role"))
        return answer.headers["x-parker-flight-release"]

    def aws_operations(self) -> list[str]:
        """Every operation that reached AWS so far, in order."""
        return [entry["operation"] for entry in _json_lines(self.state / "sandbox/aws/requests.jsonl")]

    def aws_writes(self) -> list[str]:
        """Operations that changed something in AWS so far. What is measured or told changes nothing."""
        return [operation for operation in self.aws_operations() if not operation.startswith(_READING)]

    def supabase_requests(self) -> list[tuple[str, str]]:
        """Method and path of every call that reached the Management API or the gateway so far, in order."""
        return [
            (entry["method"], entry["path"]) for entry in _json_lines(self.state / "sandbox/supabase/requests.jsonl")
        ]

    def supabase_writes(self) -> list[tuple[str, str]]:
        """To the Management API; calls of the functions change nothing."""
        sent = self.supabase_requests()
        return [(method, path) for method, path in sent if method != "GET" and "/functions/v1/" not in path]

    @property
    def state_file(self) -> Path:
        return self.state / "sandbox/pulumi/.pulumi/stacks/parker-flight/sandbox.json"

    def standing(self) -> tuple[bytes, list[str], list[tuple[str, str]]]:
        """The same before and after what changes nothing: the state, and every write to AWS and Supabase so far."""
        return self.state_file.read_bytes(), self.aws_writes(), self.supabase_writes()

    def eventually(self, condition: Callable[[], bool], seconds: float = 60) -> bool:
        """Whether the condition came true in time."""
        return wait_for(condition, seconds)

    def processes(self) -> list[psutil.Process]:
        """Every process that was started for this checkout: its state folder stands in the command line."""
        found: list[psutil.Process] = []
        for process in psutil.process_iter(["cmdline", "status"]):
            line: list[str] = process.info["cmdline"] or []
            if process.info["status"] != psutil.STATUS_ZOMBIE and any(str(self.state) in word for word in line):
                found.append(process)
        return found


@contextmanager
def new_checkout() -> Generator[Checkout]:
    """A checkout with nothing started yet; when it is left, its sandbox is down and its folder gone."""
    # A short path: PostgreSQL's socket must fit into 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="pf-"))
    checkout = Checkout(root=folder / "project", state=folder / "state")
    _copy_sources(checkout.root)
    checkout.state.mkdir()
    # As `make setup` leaves a clone.
    folders = (
        *("checks", "components", "gate", "operations", "policies"),
        *("probe", "releases", "reports", "sandbox", "terminal"),
    )
    checkout.run(".venv/bin/python", "-m", "compileall", "-q", *folders, "settings.py")
    (checkout.state / "toolchain").symlink_to(_toolchain())
    try:
        yield checkout
    finally:
        checkout.pf("sandbox", "down")
        shutil.rmtree(folder)


def _toolchain() -> Path:
    return (Path(os.environ.get("PF_STATE") or ROOT / ".state") / "toolchain").resolve()


def _copy_sources(target: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).exists():  # deleted and not yet committed, otherwise
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target / name)
    (target / ".venv").symlink_to(ROOT / ".venv")


def _json_lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]
