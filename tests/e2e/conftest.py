"""One deployed sandbox for all tests of the main job."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

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
