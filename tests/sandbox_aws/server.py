"""The sandbox's AWS, as a process of its own."""

import os
import random
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config

from sandbox.inbox import INBOX
from sandbox.processes import wait_for
from sandbox.state import PORTS, ROOT, port_is_free


@dataclass(frozen=True, kw_only=True)
class Aws:
    """A running AWS. `folder` has what it writes."""

    url: str
    folder: Path
    process: subprocess.Popen[bytes]

    @property
    def inbox(self) -> Path:
        return self.folder / INBOX

    def client(self, service: str, *, attempts: int = 3, keys: tuple[str, str] = ("test", "test")) -> Any:
        return boto3.client(  # pyright: ignore[reportCallIssue]
            service,  # pyright: ignore[reportArgumentType]
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            config=Config(retries={"total_max_attempts": attempts}),
        )

    def total(self, namespace: str, dimension: tuple[str, str], metric: str) -> float:
        """What the metric sums up to in the last minutes."""
        name, value = dimension
        now = datetime.now(UTC)
        found = self.client("cloudwatch").get_metric_statistics(
            Namespace=namespace,
            MetricName=metric,
            Dimensions=[{"Name": name, "Value": value}],
            StartTime=now - timedelta(minutes=5),
            EndTime=now + timedelta(minutes=5),
            Period=600,
            Statistics=["Sum"],
        )
        return sum(point["Sum"] for point in found["Datapoints"])


@contextmanager
def running(folder: Path) -> Generator[Aws]:
    port = next(port for port in random.sample(PORTS, len(PORTS)) if port_is_free(port))  # tests run side by side
    url = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.get(f"{url}/moto-api/", timeout=2).is_success
        except httpx.HTTPError:
            return False

    with subprocess.Popen(
        [
            *(sys.executable, "-m", "sandbox.aws", "--port", str(port)),
            *("--log", str(folder / "requests.jsonl"), "--inbox", str(folder / INBOX)),
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    ) as server:
        try:
            assert wait_for(answers, 30, alive=lambda: server.poll() is None)
            assert server.poll() is None, "another server took the port"
            yield Aws(url=url, folder=folder, process=server)
        finally:
            server.kill()
