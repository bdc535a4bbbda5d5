"""Where the gate remembers what was approved and applied: beside the engine's state, in the same backend.

A folder for `file://` backends, a prefix in the same bucket for `s3://`. Whoever can write there can forge what stands
there, so nothing here approves anything by itself: a signed statement always has to go with it.
"""

import os
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs, urlsplit

from pydantic import TypeAdapter, ValidationError

FOLDER = ".parker-flight"


class StoreError(Exception):
    """The store can't be read or written; the message says where and what to do."""


class Store(Protocol):
    """Small named objects of one stack."""

    def get(self, name: str) -> bytes | None: ...

    def put(self, name: str, content: bytes) -> None: ...

    def put_new(self, name: str, content: bytes) -> bool:
        """Write what isn't there yet, in one step; False where it is."""
        ...

    def delete(self, name: str) -> None:
        """It may be gone already."""
        ...

    def names(self, folder: str = "") -> list[str]:
        """Of what stands directly there, in order."""
        ...


Model = TypeVar("Model")


def read_as(store: Store, name: str, kind: type[Model], place: str) -> Model | None:
    """A JSON object by its type; None where there is none. What can't be read counts as damage, never as absent.

    `place` is what people call the store. Raises: StoreError.
    """
    content = store.get(name)
    if content is None:
        return None
    try:
        return TypeAdapter(kind).validate_json(content)
    except ValidationError as error:
        wrong = "; ".join(f"{one['msg']}: {'.'.join(map(str, one['loc'])) or name}" for one in error.errors())
        raise StoreError(f"{name} in {place} is damaged: restore it from a backup ({wrong})") from error


@dataclass(frozen=True, kw_only=True)
class FolderStore:
    """A folder on this machine; each object is written whole or not at all."""

    folder: Path

    def get(self, name: str) -> bytes | None:
        try:
            return (self.folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}") from error

    def put(self, name: str, content: bytes) -> None:
        self._write(name, content, os.replace)

    def put_new(self, name: str, content: bytes) -> bool:
        return self._write(name, content, os.link)

    def delete(self, name: str) -> None:
        target = self.folder / name
        try:
            target.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{target} can't be deleted: {error.strerror}") from error

    def names(self, folder: str = "") -> list[str]:
        try:
            return sorted(entry.name for entry in os.scandir(self.folder / folder) if entry.is_file())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StoreError(f"{error.filename}: {error.strerror}") from error

    def _write(self, name: str, content: bytes, place: Callable[[str, Path], None]) -> bool:
        """False where `place` finds the name taken."""
        target = self.folder / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor, unfinished = tempfile.mkstemp(dir=target.parent, prefix=".unfinished-")
            try:
                with os.fdopen(descriptor, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                place(unfinished, target)
            except FileExistsError:
                return False
            finally:
                with suppress(FileNotFoundError):  # `replace` has moved it away
                    Path(unfinished).unlink()
        except OSError as error:
            raise StoreError(f"{target} can't be written: {error.strerror}. Free space or mend the rights") from error
        return True


class BucketStore:
    """A prefix of the S3 bucket that holds the state."""

    def __init__(self, bucket: str, prefix: str, options: Mapping[str, str], variables: Mapping[str, str]) -> None:
        import botocore.session  # 0.2 s that only an S3 backend has to pay
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError

        style: Any = {"addressing_style": "path"} if options.get("s3ForcePathStyle") == "true" else {}
        endpoint = options.get("endpoint")
        if endpoint and "://" not in endpoint:
            endpoint = f"{'http' if options.get('disableSSL') == 'true' else 'https'}://{endpoint}"
        session = botocore.session.Session(profile=options.get("profile") or variables.get("AWS_PROFILE"))
        self._bucket = bucket
        self._prefix = prefix
        try:
            self._client: Any = session.create_client(
                "s3",
                region_name=options.get("region"),
                endpoint_url=endpoint,
                aws_access_key_id=variables.get("AWS_ACCESS_KEY_ID"),
                aws_secret_access_key=variables.get("AWS_SECRET_ACCESS_KEY"),
                aws_session_token=variables.get("AWS_SESSION_TOKEN"),
                config=Config(s3=style, connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 4}),
            )
        except (BotoCoreError, ValueError) as error:
            raise StoreError(f"the state's bucket {bucket} can't be asked: {error}") from error

    def get(self, name: str) -> bytes | None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return self._client.get_object(Bucket=self._bucket, Key=self._prefix + name)["Body"].read()
        except ClientError as error:
            if _code(error) == "NoSuchKey":
                return None
            raise self._failed(name, error) from error
        except BotoCoreError as error:
            raise self._failed(name, error) from error

    def put(self, name: str, content: bytes) -> None:
        self._put(name, content)

    def put_new(self, name: str, content: bytes) -> bool:
        return self._put(name, content, IfNoneMatch="*")

    def delete(self, name: str) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + name)
        except (BotoCoreError, ClientError) as error:
            raise self._failed(name, error) from error

    def names(self, folder: str = "") -> list[str]:
        from botocore.exceptions import BotoCoreError, ClientError

        prefix = f"{self._prefix}{folder}/" if folder else self._prefix
        try:
            pager = self._client.get_paginator("list_objects_v2")
            pages = pager.paginate(Bucket=self._bucket, Prefix=prefix, Delimiter="/")
            found = [one["Key"] for page in pages for one in page.get("Contents", ())]
        except (BotoCoreError, ClientError) as error:
            raise self._failed(folder, error) from error
        return sorted(key.removeprefix(prefix) for key in found)

    def _put(self, name: str, content: bytes, **condition: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + name, Body=content, **condition)
        except ClientError as error:
            if _code(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                return False
            raise self._failed(name, error) from error
        except BotoCoreError as error:
            raise self._failed(name, error) from error
        return True

    def _failed(self, name: str, error: Exception) -> StoreError:
        return StoreError(f"s3://{self._bucket}/{self._prefix}{name}: {error}. Do these credentials reach the bucket?")


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def of_backend(url: str, project: str, stack: str, variables: Mapping[str, str] = os.environ) -> Store:
    """The store that belongs to a stack of the engine's backend (PULUMI_BACKEND_URL); `variables` say who asks AWS.

    Raises: StoreError for a backend that can't hold it.
    """
    return in_backend(url, f"{FOLDER}/{project}/{stack.rpartition('/')[2]}", variables)


def in_backend(url: str, folder: str, variables: Mapping[str, str]) -> Store:
    """What stands in one folder of the engine's backend.

    Raises: StoreError for a backend that can't hold it.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        path = url.removeprefix("file://").partition("?")[0]
        return FolderStore(folder=Path(path).expanduser() / folder)
    if parts.scheme == "s3":
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        prefix = f"{parts.path.strip('/')}/" if parts.path.strip("/") else ""
        return BucketStore(parts.netloc, f"{prefix}{folder}/", options, variables)
    raise StoreError(
        f"PULUMI_BACKEND_URL is {url or 'not set'!r}: the gate keeps its records in file:// and s3:// backends only"
    )
