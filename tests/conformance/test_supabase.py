"""What the real Supabase CLI sends and is answered stays as it was recorded, command by command."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conformance.supabase_calls import COMMANDS, FILE, record
from tests.e2e.checkout import new_checkout

pytestmark = [pytest.mark.drill, pytest.mark.rows("K4", "K7")]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    with new_checkout() as sandbox:
        sandbox.pf("sandbox", "up")
        return record(sandbox, tmp_path_factory.mktemp("project"))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_calls_what_was_recorded(seen: dict[str, Any], command: str) -> None:
    recorded: dict[str, Any] = json.loads(Path(FILE).read_text())
    assert seen[command] == recorded[command], "write it anew: .venv/bin/python -m tests.conformance.supabase_calls"
