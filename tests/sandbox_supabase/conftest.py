"""One Supabase stand-in, and small projects that the real CLI deploys to it."""

import os
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.e2e.checkout import Checkout, new_checkout

PROJECT = "sandboxsandboxsandbo"


@dataclass(frozen=True, kw_only=True)
class Project:
    """A folder as `supabase init` lays it out, beside a running stand-in."""

    folder: Path
    sandbox: Checkout

    def write(self, function: str, source: str) -> None:
        file = self.folder / "supabase/functions" / function / "index.ts"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)

    def cli(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        tools = f"{self.sandbox.state}/toolchain/bin:{os.environ['PATH']}"
        return subprocess.run(
            ["supabase", *arguments, f"--remote={PROJECT}", "--yes"],
            cwd=self.folder,
            env=self.sandbox.shell | self.sandbox.environment | {"PATH": tools},
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


@pytest.fixture(scope="session")
def sandbox() -> Generator[Checkout]:
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up", environment={"OWNERS_SECRET": "private"})
        yield checkout


@pytest.fixture
def project(sandbox: Checkout, tmp_path: Path) -> Project:
    (tmp_path / "supabase").mkdir()
    (tmp_path / "supabase/config.toml").write_text('project_id = "test"\n[functions.open]\nverify_jwt = false\n')
    return Project(folder=tmp_path, sandbox=sandbox)


@pytest.fixture(scope="session")
def user(sandbox: Checkout) -> str:
    return sandbox.token("authenticated")
