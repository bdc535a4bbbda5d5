"""What the project remembers: functions with their sources, and secrets. A restart of the server loses nothing."""

import hashlib
import json
import os
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter


class Bundle(BaseModel):
    """Uploaded and checked source, not necessarily live."""

    slug: str
    name: str
    verify_jwt: bool
    entrypoint_path: str
    import_map_path: str = ""
    ezbr_sha256: str


class Function(Bundle):
    """What is live under a slug."""

    id: str
    version: int
    status: str = "ACTIVE"
    created_at: int
    updated_at: int


class Secret(BaseModel):
    name: str
    value: str
    updated_at: str

    def shown(self) -> dict[str, str]:
        """As the API lists it: never the value, its SHA-256."""
        digest = hashlib.sha256(self.value.encode()).hexdigest()
        return {"name": self.name, "value": digest, "updated_at": self.updated_at}


class Store:
    """One project's functions and secrets. Every change is on the disk before it is answered."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self.sources = folder / "sources"
        self.sources.mkdir(parents=True, exist_ok=True)
        self.functions = {one.slug: one for one in _load(folder / "functions.json", TypeAdapter(list[Function]))}
        self.secrets = {one.name: one for one in _load(folder / "secrets.json", TypeAdapter(list[Secret]))}

    def save_bundle(self, bundle: Bundle) -> None:
        (self.sources / f"{bundle.ezbr_sha256}.json").write_text(bundle.model_dump_json())

    def bundle(self, ezbr_sha256: str) -> Bundle | None:
        file = self.sources / f"{Path(ezbr_sha256).name}.json"
        return Bundle.model_validate_json(file.read_bytes()) if file.exists() else None

    def source(self, bundle: Bundle) -> Path:
        """The folder with the uploaded files, under the names that the CLI gave them."""
        return self.sources / bundle.ezbr_sha256

    def switch(self, bundles: list[Bundle]) -> list[Function]:
        """Make bundles live, all at once."""
        now = int(datetime.now(UTC).timestamp() * 1000)
        with self._lock:
            switched: list[Function] = []
            for bundle in bundles:
                before = self.functions.get(bundle.slug)
                switched.append(
                    Function(
                        **bundle.model_dump(),
                        id=before.id if before else _function_id(bundle.slug),
                        version=before.version + 1 if before else 1,
                        created_at=before.created_at if before else now,
                        updated_at=now,
                    )
                )
            self.functions |= {function.slug: function for function in switched}
            self._save_functions()
        return switched

    def remove(self, slug: str) -> bool:
        with self._lock:
            found = self.functions.pop(slug, None)
            self._save_functions()
        return found is not None

    def set_secrets(self, values: dict[str, str]) -> None:
        now = datetime.now(UTC).isoformat()
        with self._lock:
            self.secrets |= {key: Secret(name=key, value=value, updated_at=now) for key, value in values.items()}
            self._save_secrets()

    def unset_secrets(self, names: list[str]) -> None:
        with self._lock:
            for name in names:
                self.secrets.pop(name, None)
            self._save_secrets()

    def _save_functions(self) -> None:
        _save(self._folder / "functions.json", [one.model_dump() for one in self.functions.values()])

    def _save_secrets(self) -> None:
        _save(self._folder / "secrets.json", [one.model_dump() for one in self.secrets.values()])


def _load(file: Path, adapter: TypeAdapter[Any]) -> Any:
    return adapter.validate_json(file.read_bytes()) if file.exists() else []


def _save(file: Path, values: list[dict[str, Any]]) -> None:
    temporary = file.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as opened:
        json.dump(values, opened)
    temporary.rename(file)


def _function_id(slug: str) -> str:
    digest = hashlib.sha256(slug.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-4{digest[13:16]}-8{digest[17:20]}-{digest[20:32]}"
