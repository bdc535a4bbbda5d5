"""Prints the digest of an export, with whatever environment and folder it is run in."""

import json
import sys
from pathlib import Path

from gate.state import State
from gate.surface import Surface

if __name__ == "__main__":
    print(Surface.of(State.of_export(json.loads(Path(sys.argv[1]).read_text())).entries, {"a": "ä"}).digest)
