"""Turning an upload of the CLI into a bundle: the files as they came, and Deno's word that they hold together."""

import asyncio
import hashlib
import json
import shutil
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.datastructures import FormData, UploadFile

from sandbox.supabase.deno import DENO, bundling_environment, source_options
from sandbox.supabase.store import Bundle, Store

BUNDLE_SECONDS = 120


class BundleError(Exception):
    """Why an upload can't become a function; shown to the CLI's user."""


class Metadata(BaseModel):
    """What the CLI says of a function beside its files."""

    model_config = ConfigDict(extra="ignore")

    name: str | None = None
    entrypoint_path: str
    import_map_path: str | None = None
    verify_jwt: bool = True


async def make_bundle(store: Store, slug: str, form: FormData) -> Bundle:
    """Keep the files and let Deno load the entry point with all that it imports.

    Raises:
        BundleError: a path leads outside, the entry point is missing, or the source doesn't load.
    """
    try:
        metadata = Metadata.model_validate_json(str(form.get("metadata") or "{}"))
    except ValidationError as error:
        raise BundleError(f"Invalid metadata: {error.errors()[0]['msg']}") from error
    files: dict[str, bytes] = {}
    for upload in form.getlist("file"):
        if isinstance(upload, UploadFile):
            files[_inside(upload.filename or "")] = await upload.read()
    entry = _inside(metadata.entrypoint_path)
    if entry not in files:
        raise BundleError(f"Entrypoint path does not exist - {entry}")
    bundle = Bundle(
        slug=slug,
        name=metadata.name or slug,
        verify_jwt=metadata.verify_jwt,
        entrypoint_path=entry,
        import_map_path=_inside(metadata.import_map_path) if metadata.import_map_path else "",
        ezbr_sha256=_hash(slug, metadata, files),
    )
    folder = store.source(bundle)
    if not folder.exists():
        with tempfile.TemporaryDirectory(dir=store.sources) as made:
            content = Path(made) / "content"
            for name, data in files.items():
                try:
                    (content / name).parent.mkdir(parents=True, exist_ok=True)
                    (content / name).write_bytes(data)
                except (OSError, ValueError) as error:
                    raise BundleError(f"Invalid file path - {name}") from error
            await _load(content, bundle)
            if not folder.exists():  # the same source may have been uploaded twice at once
                shutil.move(content, folder)
    store.save_bundle(bundle)
    return bundle


def as_form(bundle: Bundle, folder: Path) -> tuple[bytes, str]:
    """(what `functions download` unpacks, its content type): the files under the names that they came with."""
    names = (file.relative_to(folder).as_posix() for file in sorted(folder.rglob("*")) if file.is_file())
    files = [
        ("file", (name, (folder / name).read_bytes(), "application/octet-stream", {"Supabase-Path": name}))
        for name in names
    ]
    metadata = json.dumps({"entrypoint_path": bundle.entrypoint_path})
    form = httpx.Request("POST", "http://form", data={"metadata": metadata}, files=files)
    return form.read(), form.headers["Content-Type"]


async def _load(folder: Path, bundle: Bundle) -> None:
    """Parse everything and fetch what it imports, as the real bundler does; types are not its business."""
    process = await asyncio.create_subprocess_exec(
        *(str(DENO), "install", "--quiet", "--entrypoint", *source_options(folder, bundle.import_map_path)),
        str(folder / bundle.entrypoint_path),
        cwd=folder,
        env=bundling_environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), BUNDLE_SECONDS)
    except TimeoutError as error:
        process.kill()
        raise BundleError("Failed to bundle the function (reason: it took too long)") from error
    if process.returncode:
        reason = output.decode(errors="replace").replace(f"file://{folder}", "file://").strip()
        raise BundleError(f"Failed to bundle the function (reason: {reason})")


def _inside(name: str) -> str:
    """The name as a path below the source folder."""
    path = PurePosixPath(name.removeprefix("file://"))
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise BundleError(f"Invalid file path - {name}")
    return str(path)


def _hash(slug: str, metadata: Metadata, files: dict[str, bytes]) -> str:
    content: dict[str, Any] = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())}
    described = json.dumps([slug, metadata.model_dump(), content], sort_keys=True)
    return hashlib.sha256(described.encode()).hexdigest()
