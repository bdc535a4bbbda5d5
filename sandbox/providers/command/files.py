"""The files that a command leaves, by globs as pulumi-command has them (those of gobwas/glob)."""

import hashlib
import os
import re
from collections.abc import Sequence
from pathlib import Path

from sandbox.providers.archives import ARCHIVE, ASSET
from sandbox.providers.wire import SIGNATURE, Values

_PARTS = re.compile(r"\*\*|\*|\?|\[!?[^]]+\]|[{},]|\\.|.", re.DOTALL)
_TRANSLATED = {"**": ".*", "*": "[^/]*", "?": "[^/]", "{": "(?:", "}": ")"}


def assets(folder: str, globs: Sequence[str]) -> Values:
    """Path below the folder to asset. Each glob adds what it matches, or takes it away where it begins with `!`."""
    found: Values = {}
    paths = sorted(path.relative_to(folder).as_posix() for path in Path(folder).rglob("*") if not path.is_dir())
    for glob in globs:
        matches = [one for one in paths if _pattern(glob.removeprefix("!")).fullmatch(one)]
        if glob.startswith("!"):
            found = {path: asset for path, asset in found.items() if path not in matches}
        else:
            found |= {path: _asset(os.path.join(folder, path)) for path in matches}  # noqa: PTH118 (keeps "./")
    return found


def archive(folder: str, globs: Sequence[str]) -> Values:
    content = assets(folder, globs)
    named = repr([(path, asset["hash"]) for path, asset in sorted(content.items())])
    return {SIGNATURE: ARCHIVE, "assets": content, "hash": hashlib.sha256(named.encode()).hexdigest()}


def _asset(path: str) -> Values:
    return {SIGNATURE: ASSET, "path": path, "hash": hashlib.sha256(Path(path).read_bytes()).hexdigest()}


def _pattern(glob: str) -> re.Pattern[str]:
    parts: list[str] = []
    depth = 0
    for part in _PARTS.findall(glob):
        depth += {"{": 1, "}": -1}.get(part, 0)
        if part == "," and depth:
            parts.append("|")
        elif part.startswith("[") and len(part) > 1:
            parts.append(part.replace("[!", "[^"))
        else:
            parts.append(_TRANSLATED.get(part) or re.escape(part.removeprefix("\\") or "\\"))
    return re.compile("".join(parts), re.DOTALL)
