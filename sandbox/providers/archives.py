"""Archives and assets as the engine hands them over, and the zip file that is made of them."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sandbox.providers.wire import SIGNATURE, Values

ARCHIVE: Final = "0def7320c3a5731c473e5ecbe6d01bc7"
ASSET: Final = "c44067f5952c0a294b673a41bacd8c17"
OTHER_FORMATS = (".tar", ".tgz", ".tar.gz", ".jar")
UNCHANGING_DATE = (1990, 1, 1, 0, 0, 0)


def is_archive(value: Any) -> bool:
    """Whether `zipped` can make a zip of it: of assets, of a folder or of a zip file; nothing from the network."""
    if not _is(value, ARCHIVE) or "uri" in value:
        return False
    if "assets" not in value:
        return "path" in value and not value["path"].endswith(OTHER_FORMATS)
    return all(_is_part(one) for one in value["assets"].values())


def zipped(archive: Values) -> bytes:
    """The same content gives the same bytes. Paths are relative to the working folder, which is the engine's."""
    if archive.get("path", "").endswith(".zip"):
        return Path(archive["path"]).read_bytes()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, content in sorted(dict(_files(archive)).items()):
            member = zipfile.ZipInfo(name, UNCHANGING_DATE)
            member.external_attr = 0o644 << 16
            file.writestr(member, content)
    return made.getvalue()


def _files(part: Values, name: str = "") -> Iterator[tuple[str, bytes]]:
    """Every file with its name in the archive; links are followed to files and not into folders, as the engine does."""
    if _is(part, ASSET):
        yield name, Path(part["path"]).read_bytes() if "path" in part else part.get("text", "").encode()
    elif "path" in part:
        folder = Path(part["path"])
        for file in folder.rglob("*"):
            if file.is_file():
                yield _joined(name, file.relative_to(folder).as_posix()), file.read_bytes()
    else:
        for key, one in part.get("assets", {}).items():
            yield from _files(one, _joined(name, key))


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _is(value: Any, signature: str) -> bool:
    return isinstance(value, dict) and value.get(SIGNATURE) == signature


def _is_part(value: Any) -> bool:
    """An asset, or an archive within one: a zip file only stands for itself."""
    if _is(value, ASSET):
        return "uri" not in value
    return is_archive(value) and not value.get("path", "").endswith(".zip")
