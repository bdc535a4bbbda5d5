"""`make rows`: no test may claim a row that isn't there, and what has no test is said."""

from pathlib import Path

import pytest

from tests.rows import ROOT, Row, main, read_table, report

pytestmark = pytest.mark.rows("R5")


def test_the_table_has_every_row_once() -> None:
    ids = [row.id for row in read_table((ROOT / "docs/requirements.md").read_text())]
    groups = {"K": 9, "E": 5, "O": 3, "D": 6, "M": 9, "S": 2, "T": 4, "P": 7, "L": 9, "X": 3, "C": 3, "R": 5}
    assert ids == [f"{group}{number}" for group, count in groups.items() for number in range(1, count + 1)]


def test_a_row_shows_its_command_and_tests_or_that_it_has_none() -> None:
    rows = [Row(id="K1", text="keys", command="`pulumi up`"), Row(id="K5", text="pack", command="-")]
    shown = report(rows, {"K1": ["tests/a.py::test_keys"]})
    assert "pulumi up" in shown
    assert "tests/a.py::test_keys" in shown
    assert "not built yet" in shown.partition("K5")[2]
    assert "1 of 2 rows" in shown


@pytest.mark.parametrize(("row", "code", "said"), [("K1", 0, ""), ("Z9", 1, "Z9 is no row"), ("L7", 1, "L7 has tests")])
def test_a_row_that_the_table_does_not_have_or_calls_unbuilt_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: str, code: int, said: str
) -> None:
    file = tmp_path / f"test_claim_{row}.py"
    file.write_text(f'import pytest\n\n@pytest.mark.rows("{row}")\ndef test_it() -> None: ...\n')
    assert main([str(file)]) == code
    assert said in capsys.readouterr().err


def test_tests_that_cannot_be_collected_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "test_broken.py"
    file.write_text("import nothing_of_that_name\n")
    assert main([str(file)]) == 1
    assert "nothing_of_that_name" in capsys.readouterr().err
