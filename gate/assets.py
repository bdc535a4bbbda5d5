"""Code that a program hands over to be packed, by digests that the gate computes itself.

The engine takes an asset's hash as the program gives it, compares by it and by nothing else; providers keep files
under it. So texts alone count, that stand in the request themselves: a file, a folder or an address may hold something
else by the time that it is packed.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, cast

SIGNATURE = "4dabf18193072939515e22adb298388d"
ASSET = "c44067f5952c0a294b673a41bacd8c17"
ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7"
BLOCK = 512
# What has one spelling in the engine's own archive: no name that tar would have to extend, none outside the archive.
NAME = re.compile(r"(?!/)(?!.*(?:^|/)\.\.?(?:/|$))(?!.*//)[A-Za-z0-9._/-]{1,99}(?<!/)")


class OpaqueError(Exception):
    """What nobody can vouch for: no text, or a hash that isn't of it."""


def asset_digest(asset: Mapping[str, Any]) -> str:
    """SHA-256, in hex. Raises: OpaqueError."""
    digest = hashlib.sha256(_content(asset)).hexdigest()
    if asset.get("hash", digest) != digest:
        raise OpaqueError
    return digest


def archive_digests(archive: Mapping[str, Any]) -> dict[str, str]:
    """By the path of each file in it. Raises: OpaqueError."""
    assets = archive.get("assets")
    if archive.keys() - {SIGNATURE, "assets", "hash"} or not isinstance(assets, Mapping) or not assets:
        raise OpaqueError
    files = cast("Mapping[str, Any]", assets)
    if not all(NAME.fullmatch(name) and isinstance(one, Mapping) for name, one in files.items()):
        raise OpaqueError
    digests = {name: asset_digest(files[name]) for name in sorted(files)}
    if archive.get("hash", whole := _tar_digest({name: _content(files[name]) for name in sorted(files)})) != whole:
        raise OpaqueError
    return digests


def _content(asset: Mapping[str, Any]) -> bytes:
    text = asset.get("text")
    if asset.get(SIGNATURE) != ASSET or asset.keys() - {SIGNATURE, "text", "hash"} or not isinstance(text, str):
        raise OpaqueError
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise OpaqueError from error


def _tar_digest(files: Mapping[str, bytes]) -> str:
    """The engine's own hash of an archive: of a tar file, as Go's archive/tar writes it."""
    hashed = hashlib.sha256()
    for name, content in files.items():
        hashed.update(_tar_header(name, len(content)) + content + bytes(-len(content) % BLOCK))
    hashed.update(bytes(2 * BLOCK))
    return hashed.hexdigest()


def _tar_header(name: str, size: int) -> bytes:
    """POSIX ustar: name, mode, owner, group, size, time, checksum, kind, magic, device."""
    fields = [
        *(name.encode().ljust(100, b"\0"), b"0000600\0", b"0000000\0", b"0000000\0"),
        *(b"%011o\0" % size, b"%011o\0" % 0, b" " * 8, b"0".ljust(101, b"\0"), b"ustar\x0000".ljust(72, b"\0")),
        b"0000000\0" * 2,
    ]
    header = b"".join(fields).ljust(BLOCK, b"\0")
    return header[:148] + b"%06o\0 " % sum(header) + header[156:]
