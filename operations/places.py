"""Where this checkout and its state are. It needs nothing else of the project: a log is kept where that fails, too."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def state_folder() -> Path:
    return Path(os.environ.get("PF_STATE") or ROOT / ".state").resolve()
