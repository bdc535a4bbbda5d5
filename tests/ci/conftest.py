"""One production for all workflows."""

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from tests.ci.github import GitHub
from tests.ci.scenario import Scenario, plays_production
from tests.e2e.checkout import new_checkout


@pytest.fixture(scope="package")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scenario]:
    """Production stands as main says."""
    with new_checkout() as checkout, HTTPServer() as server:
        scenario = Scenario(checkout=checkout, github=GitHub(server=server), folder=tmp_path_factory.mktemp("act"))
        checkout.pf("sandbox", "up")
        plays_production(checkout)
        checkout.run("git", "init", "-q", "--bare", "-b", "main", str(scenario.origin))
        checkout.run("git", "init", "-q", "-b", "main")
        scenario.git("remote", "add", "origin", str(scenario.origin))
        scenario.commit("the program", "main")
        scenario.pf("signers", "confirm", "--confirm", "production")
        scenario.signed("security", "devops")
        scenario.commit("approved", "main")
        scenario.pf("deploy")
        yield scenario
