"""One Supabase stand-in, and small projects that the real CLI deploys to it."""

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.checkout import Checkout, new_checkout
from tests.sandbox_supabase.project import Project


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
