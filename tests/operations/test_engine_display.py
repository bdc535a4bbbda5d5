"""What a person sees of the engine: everything once, in its place."""

import pytest

from operations.engine_display import Display

pytestmark = pytest.mark.rows("E1")

RUN = """\
Updating (sandbox):

@ updating.....
 +  command:local:Command functions-settings creating (0s)
 +  command:local:Command functions-settings creating (2s) Set 7 secrets
 +  command:local:Command functions-settings created (2s) Set 7 secrets
 ~  command:local:Command functions-release updating (0s) [diff: ~environment]
 ~  command:local:Command functions-release updating (2s) [diff: ~environment]; Deploying Function: encrypt-data
 ~  command:local:Command functions-release updating (2s) [diff: ~environment]; error: exit status 1
Diagnostics:
  command:local:Command (functions-settings):
    Set 7 secrets

  command:local:Command (functions-release):
    Deploying Function: encrypt-data
    Uploading asset (encrypt-data): supabase/functions/deno.json
    error: exit status 1

  pulumi:pulumi:Stack (parker-flight-sandbox):
    error: update failed

Resources:
    + 1 created

Duration: 8s
"""
SHOWN = """\
Updating (sandbox):

 +  command:local:Command functions-settings creating (2s) Set 7 secrets
 +  command:local:Command functions-settings created (2s) Set 7 secrets
 ~  command:local:Command functions-release updating (2s) [diff: ~environment]; Deploying Function: encrypt-data
 ~  command:local:Command functions-release updating (2s) [diff: ~environment]; error: exit status 1
Diagnostics:
  command:local:Command (functions-release):
    error: exit status 1

  pulumi:pulumi:Stack (parker-flight-sandbox):
    error: update failed

Resources:
    + 1 created

Duration: 8s
"""


def shown(run: str) -> str:
    display = Display()
    return "".join(display.passed(line) for line in run.splitlines(keepends=True))


def test_what_a_command_said_while_it_ran_is_not_repeated_but_its_error_is() -> None:
    assert shown(RUN) == SHOWN


def test_where_everything_was_said_the_section_goes_as_a_whole() -> None:
    well = "\n".join(line for line in RUN.splitlines() if "error" not in line and "Stack" not in line)
    assert "Diagnostics" not in shown(well)
    assert shown(well).endswith("Deploying Function: encrypt-data\nResources:\n    + 1 created\n\nDuration: 8s")


def test_colours_change_nothing() -> None:
    said = "".join(f"\x1b[1m{line}\x1b[0m\n" if line else "\n" for line in RUN.splitlines())
    assert shown(said).replace("\x1b[1m", "").replace("\x1b[0m", "") == SHOWN
