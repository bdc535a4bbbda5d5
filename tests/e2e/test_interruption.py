"""A deployment killed in the middle: the next one finishes the job, and no key is made twice."""

import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager

import psutil
import pytest

from tests.e2e.checkout import Checkout


@contextmanager
def deploying(checkout: Checkout, *, until: str, stdout: int = subprocess.DEVNULL) -> Generator[subprocess.Popen[str]]:
    """A deployment in a process group of its own that has come as far as that call of AWS."""
    with subprocess.Popen(
        ["./pf", "deploy"],
        cwd=checkout.root,
        env=checkout.shell,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as deployment:
        assert checkout.eventually(lambda: until in checkout.aws_operations() or deployment.poll() is not None)
        yield deployment


@pytest.mark.rows("K1", "K7")
@pytest.mark.parametrize(
    "moment", ["CreateKey", *(pytest.param(later, marks=pytest.mark.drill) for later in ("CreateAlias", "CreateRole"))]
)
def test_a_killed_deployment_is_finished_by_the_next_one(fresh: Checkout, moment: str) -> None:
    with deploying(fresh, until=moment) as deployment:
        os.killpg(deployment.pid, signal.SIGKILL)

    fresh.pf("deploy")

    kms = fresh.aws("kms")
    aliases = [alias for alias in kms.list_aliases()["Aliases"] if alias["AliasName"].startswith("alias/parker-")]
    assert len(kms.list_keys()["Keys"]) == 3
    assert {alias["TargetKeyId"] for alias in aliases} == {key["KeyId"] for key in kms.list_keys()["Keys"]}
    fresh.pulumi("preview", "--expect-no-changes", "--non-interactive")


@pytest.mark.rows("K7")
def test_ctrl_c_ends_a_deployment_with_a_word_and_the_next_one_finishes_it(fresh: Checkout) -> None:
    with deploying(fresh, until="CreateKey", stdout=subprocess.PIPE) as deployment:
        os.killpg(deployment.pid, signal.SIGINT)
        output, _ = deployment.communicate(timeout=60)
    assert deployment.returncode not in (0, None)
    assert "Traceback" not in output
    assert "./pf deploy" in output
    fresh.pf("deploy")
    assert len(fresh.aws("kms").list_keys()["Keys"]) == 3


@pytest.mark.drill
@pytest.mark.rows("K1", "K7")
def test_what_a_dead_provider_left_is_taken_over_by_the_recovery(fresh: Checkout) -> None:
    """The engine lives on, and notes what its provider was making as not made."""
    with deploying(fresh, until="CreateKey") as deployment:
        for process in psutil.Process(deployment.pid).children(recursive=True):
            if "sandbox.providers.aws" in process.cmdline():
                process.kill()
    assert deployment.returncode == 4

    fresh.pf("recover")
    fresh.pf("deploy")

    assert len(fresh.aws("kms").list_keys()["Keys"]) == 3
    fresh.pulumi("preview", "--expect-no-changes", "--non-interactive")
    fresh.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes", "--non-interactive")
