"""Lifting a quarantine."""

from pathlib import Path

import pytest

from gate.records import Records
from gate.store import FolderStore
from operations import unblock
from operations.errors import OperationError
from operations.releases import ReleaseStore
from releases.versions import Versions

pytestmark = pytest.mark.rows("K8")


def test_a_version_in_no_quarantine_is_refused_with_where_to_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = FolderStore(folder=tmp_path)

    def of_environment(stack: str) -> ReleaseStore:
        return ReleaseStore(stack=stack, versions=Versions(kept), records=Records(kept))

    monkeypatch.setattr(unblock.ReleaseStore, "of_environment", of_environment)
    with pytest.raises(OperationError, match="version 7 is not in quarantine; there is: none") as caught:
        unblock.unblock("production", 7, "it was the database")
    assert caught.value.cure == "./pf history --stack production"
    assert list(tmp_path.iterdir()) == []
