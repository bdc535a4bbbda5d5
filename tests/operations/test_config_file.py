"""Settings go into a stack's file by lines; whatever else stands there stays to the letter."""

from errno import ENOSPC
from pathlib import Path

import pytest
import yaml

from operations.config_file import Values, with_settings, write_settings
from operations.errors import OperationError
from settings import Settings
from tests.operations.conftest import ROOT

pytestmark = pytest.mark.rows("K7", "R3")

KEY, OTHER = "1234abcd-12ab-34cd-56ef-1234567890ab", "00000000-0000-0000-0000-000000000001"
VALUES: Values = {"existingKeyIds": {"general": KEY, "pii": OTHER}, "adoptRole": True}
LINES = f"""\
  parker-flight:existingKeyIds:
    general: "{KEY}"
    pii: "{OTHER}"
  parker-flight:adoptRole: true
"""


def written(folder: Path, text: str, values: Values = VALUES) -> str:
    file = folder / "Pulumi.staging.yaml"
    file.write_text(text)
    write_settings("staging", folder, values)
    return file.read_text()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("config:\n  a: 1\n", f"config:\n  a: 1\n{LINES}"),
        ("config:\n  a: 1", f"config:\n  a: 1\n{LINES}"),
        ("config:\n  a: 1 # one\n# end\nx: 1\n", f"config:\n  a: 1 # one\n{LINES}# end\nx: 1\n"),
        ("config:\n  a:\n    - b: [1, 2] # two\n\nx: 1\n", f"config:\n  a:\n    - b: [1, 2] # two\n{LINES}\nx: 1\n"),
        ("config:\n  a: |\n    text\n\n# end\n", f"config:\n  a: |\n    text\n\n{LINES}# end\n"),
        (
            f"config:\n  adoptRole: false # not yet\n  existingKeyIds: # ours\n    general: '{KEY}' # old\n  b: 1\n",
            f'config:\n  adoptRole: true # not yet\n  existingKeyIds: # ours\n    general: "{KEY}" # old\n'
            f'    pii: "{OTHER}"\n  b: 1\n',
        ),
        (
            "config:\n  parker-flight:existingKeyIds: {}\n  parker-flight:adoptRole: false\n",
            f'config:\n  parker-flight:existingKeyIds: {{general: "{KEY}", pii: "{OTHER}"}}\n'
            "  parker-flight:adoptRole: true\n",
        ),
        (
            "config: {a: 1}\n",
            f'config: {{a: 1, parker-flight:existingKeyIds: {{general: "{KEY}", pii: "{OTHER}"}}, '
            "parker-flight:adoptRole: true}\n",
        ),
    ],
)  # fmt: skip
def test_settings_are_put_where_they_belong_and_all_else_stays(tmp_path: Path, before: str, after: str) -> None:
    assert written(tmp_path, before) == after
    assert [file.name for file in tmp_path.iterdir()] == ["Pulumi.staging.yaml"]


@pytest.mark.parametrize(
    "before",
    [
        "config:\n  a: &x {b: 1}\n  existingKeyIds: *x\n",
        "config: {a: 1, # one\n}\n",
        "config: {a: 1,}\n",
    ],
)
def test_a_file_that_lines_would_spoil_is_left_alone_and_the_lines_are_named(tmp_path: Path, before: str) -> None:
    with pytest.raises(OperationError, match="nothing was written") as caught:
        written(tmp_path, before)
    assert f"general: {KEY}" in caught.value.cure
    assert (tmp_path / "Pulumi.staging.yaml").read_text() == before


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: Path, _mode: int) -> None:
        assert file.exists(), "what was begun is there to be cleared away"
        raise OSError(ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "chmod", full)
    with pytest.raises(OperationError, match="is as it was: No space left"):
        written(tmp_path, "config:\n  a: 1\n")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["config:\n  a: 1\n"]


@pytest.mark.parametrize("stack", ["production", "sandbox"])
def test_the_files_of_this_project_take_them_and_keep_each_line(stack: str) -> None:
    before = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    after = with_settings(before, VALUES)
    assert after.replace(LINES, "") == before
    config = yaml.safe_load(after)["config"]
    assert config["parker-flight:existingKeyIds"] == {"general": KEY, "pii": OTHER}


def test_what_is_written_are_settings(tmp_path: Path) -> None:
    text = (ROOT / "Pulumi.sandbox.yaml").read_text()
    (tmp_path / "Pulumi.sandbox.yaml").write_text(text)
    write_settings("sandbox", tmp_path, {"existingKeyIds": {"payment": KEY}, "adoptUser": True, "adoptLogGroup": True})
    settings = Settings.from_file("sandbox", tmp_path)
    assert settings.existing_key_ids.payment == KEY
    assert (settings.adopt_role, settings.adopt_user, settings.adopt_log_group) == (False, True, True)
