"""A stack's file without what the engine appends to it: how the state is encrypted, which is no part of a release.

Only at its end, where the engine writes it: anywhere else such a line could swallow the settings that follow.
"""

import re

ENCRYPTION = ("secretsprovider", "encryptedkey", "encryptionsalt")
_APPENDED = re.compile(f"({'|'.join(ENCRYPTION)}):.*".encode())


def release_part(content: bytes) -> bytes:
    """All but that, with one line break at its end."""
    lines = content.rstrip().split(b"\n")
    while lines and (not lines[-1].strip() or _APPENDED.fullmatch(lines[-1])):
        lines.pop()
    return b"\n".join([*lines, b""])
