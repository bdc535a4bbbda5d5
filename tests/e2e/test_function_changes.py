"""Changing an edge function: the new behaviour comes, the old one comes back, nothing is ever removed on the way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.checkout import Checkout

pytestmark = pytest.mark.rows("K4")


@pytest.fixture
def entry(checkout: Checkout) -> Iterator[Path]:
    """The source of a function, put back and deployed again after the test."""
    file = checkout.root / "supabase/functions/encrypt-data/index.ts"
    before = file.read_text()
    yield file
    file.write_text(before)
    checkout.pf("deploy")


def test_a_code_change_deploys_that_function_and_sends_no_delete(checkout: Checkout, entry: Path) -> None:
    seen = len(checkout.supabase_requests())
    original = entry.read_text()
    entry.write_text('Deno.serve(() => new Response("changed"));\n')
    checkout.pf("deploy", check=False)
    token = checkout.token("service_role")
    assert checkout.call("encrypt-data", {}, token).text == "changed"
    entry.write_text(original)
    checkout.pf("deploy")
    body = {"purpose": "general-data", "plaintext": "as before"}
    assert checkout.call("encrypt-data", body, token).status_code == 200
    requests = checkout.supabase_requests()[seen:]
    assert [path for method, path in requests if method == "DELETE"] == []
    bundled = [path for method, path in requests if method == "POST" and "/functions/deploy" in path]
    assert len(bundled) == 2, bundled


def test_a_function_that_does_not_parse_changes_nothing(checkout: Checkout, entry: Path) -> None:
    seen = len(checkout.supabase_requests())
    entry.write_text("export const broken = (;\n")
    refused = checkout.pf("deploy", check=False)
    message = refused.stdout + refused.stderr
    assert refused.returncode != 0
    assert "encrypt-data/index.ts" in message
    assert "Traceback" not in message
    writes = [request for request in checkout.supabase_requests()[seen:] if request[0] in ("POST", "PUT", "PATCH")]
    assert [request for request in writes if "/functions/v1/" not in request[1]] == []
