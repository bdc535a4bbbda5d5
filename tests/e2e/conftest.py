"""One deployed sandbox for all tests of the main job."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.function_source import read_release
from tests.e2e.checkout import Checkout, new_checkout


@dataclass(frozen=True, kw_only=True)
class Deployed:
    """A checkout after `make up`, and what the deployment printed."""

    checkout: Checkout
    deployment: subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def deployed() -> Iterator[Deployed]:
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        checkout.approved()
        yield Deployed(checkout=checkout, deployment=checkout.pf("deploy"))


@pytest.fixture(scope="session")
def checkout(deployed: Deployed) -> Checkout:
    return deployed.checkout


@pytest.fixture
def fresh() -> Iterator[Checkout]:
    """A checkout whose sandbox runs and has nothing deployed, with an approval for what its sources say."""
    with new_checkout() as checkout:
        checkout.pf("sandbox", "up")
        checkout.approved()
        yield checkout


def _restored(checkout: Checkout, name: str) -> Iterator[Path]:
    """A source of encrypt-data. It is put back after the test, and deployed where the test left another live."""
    file = checkout.root / "supabase/functions/encrypt-data" / name
    before = file.read_text()
    yield file
    file.write_text(before)
    if checkout.served_release() != read_release(checkout.root).digest:
        checkout.pf("deploy")


@pytest.fixture
def entry(checkout: Checkout) -> Iterator[Path]:
    yield from _restored(checkout, "index.ts")


@pytest.fixture
def handler(checkout: Checkout) -> Iterator[Path]:
    """What the function answers."""
    yield from _restored(checkout, "handler.ts")
