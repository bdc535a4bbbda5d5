"""A small project that the real CLI deploys to a running stand-in."""

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.e2e.checkout import Checkout

PROJECT = "sandboxsandboxsandbo"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder as `supabase init` lays it out, beside a running stand-in."""

    folder: Path
    sandbox: Checkout
    variables: Mapping[str, str] = field(default_factory=dict[str, str])
    """Before those that lead to the stand-in."""

    def write(self, function: str, source: str) -> None:
        file = self.folder / "supabase/functions" / function / "index.ts"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        tools = f"{self.sandbox.state}/toolchain/bin:{os.environ['PATH']}"
        return subprocess.run(
            ["supabase", *arguments, f"--remote={PROJECT}", "--yes"],
            cwd=self.folder,
            env=self.sandbox.shell | self.sandbox.environment | {"PATH": tools, **self.variables},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def deploy(self, *functions: str) -> subprocess.CompletedProcess[str]:
        return self.cli("functions", "deploy", *functions, "--use-api")

    def call(self, function: str, token: str | None = None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.get(f"{self.url}/functions/v1/{function}", headers=headers, timeout=60)

    def api(self, method: str, path: str, token: str | None = None, **arguments: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.sandbox.environment['SUPABASE_ACCESS_TOKEN']}"}
        url = f"{self.url}/v1/projects/{path}"
        return httpx.request(method, url, headers=headers, timeout=60, **arguments)  # pyright: ignore[reportArgumentType]

    @property
    def url(self) -> str:
        return self.sandbox.environment["SUPABASE_URL"]
