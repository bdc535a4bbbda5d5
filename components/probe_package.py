"""The probe's code as one archive: the files of `probe` and `checks`, and nothing from anywhere else.

The texts themselves and no paths: what the policy pack hashes is then what the provider packs, and the state is the
same on every machine.
"""

from collections.abc import Iterator
from pathlib import Path

import pulumi

PACKAGES = ("checks", "probe")
HANDLER = "probe.handler.handle"


def probe_package(root: Path) -> pulumi.AssetArchive:
    """By path within the archive."""
    return pulumi.AssetArchive(
        {
            file.relative_to(root).as_posix(): pulumi.StringAsset(file.read_bytes().decode())
            for package in PACKAGES
            for file in _sources(root / package)
        }
    )


def _sources(folder: Path) -> Iterator[Path]:
    return (
        file
        for file in sorted(folder.rglob("*.py"))
        if not any(part.startswith(".") for part in file.relative_to(folder).parts)
    )
