"""The engine's home in the sandbox."""

from pathlib import Path

import pytest

from sandbox.providers.installation import forgo_log

pytestmark = pytest.mark.rows("P4")


def test_where_its_log_would_be_the_engine_can_make_no_folder(tmp_path: Path) -> None:
    """Also where an engine of before has left one."""
    log = tmp_path / "logs"
    for _ in range(2):
        forgo_log(tmp_path)
        assert log.is_file()
    log.unlink()
    (log / "of-before").mkdir(parents=True)
    forgo_log(tmp_path)
    with pytest.raises(FileExistsError):
        log.mkdir(exist_ok=True)
