"""Where reports are kept: a folder or a bucket, one file a report, written whole and never over another.

Reports are listed by their names alone, so that a long history costs nothing and a damaged one hides no other.
"""

import re
import tempfile
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, ObjectStore, S3Store
from pydantic import ValidationError

from reports.models import ID, Kind, OperationReport, report_id, time_of

LATEST = "latest"
NAME = re.compile(rf"(?P<kind>{'|'.join(Kind)})-report-(?P<id>{ID})\.json")
# obstore ends the process on an address that isn't one.
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]+[a-z0-9]")
PREFIX = re.compile(r"(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)*/?")
OPTIONS = {"region": re.compile(r"[a-z0-9-]+"), "endpoint": re.compile(r"https?://[A-Za-z0-9.:-]+/?")}
ROOM = 64 << 10  # bytes: more than a report takes
TRIES = 100  # milliseconds that may be taken, one after the other
FIRST_LINES = re.compile(r"\n\nDebug source:.*", re.DOTALL)
SAID_BY_S3 = re.compile(r"<Code>(?P<code>.*?)</Code>.*?<Message>(?P<message>.*?)</Message>", re.DOTALL)


class ReportError(Exception):
    """A report or its store can't be read or written; the message says which and why."""


@dataclass(frozen=True, kw_only=True)
class Filed:
    """A report, as its name tells of it."""

    kind: Kind
    id: str

    @property
    def name(self) -> str:
        return f"{self.kind}-report-{self.id}.json"


class ReportStore:
    """The reports of one stack. `ReportStore.of(…).write(report)` keeps one."""

    def __init__(self, url: str, place: Path | S3Store) -> None:
        self.url = url
        self._place = place

    @classmethod
    def of(cls, url: str | Path, stack: str, variables: Mapping[str, str]) -> Self:
        """The stack's part of `file:///FOLDER` or `s3://BUCKET/PREFIX?region=…&endpoint=…`, or of a folder.

        `variables` say how AWS is reached: AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_REGION, AWS_ENDPOINT_URL, ….
        Raises: ReportError.
        """
        if isinstance(url, Path):
            return cls(f"{url / stack}", url / stack)
        parts = urlsplit(url)
        if parts.scheme == "file" and not parts.query:
            folder = Path(url.removeprefix("file://")).expanduser() / stack
            if folder.is_absolute():
                return cls(f"file://{folder}", folder)
        if parts.scheme == "s3" and BUCKET.fullmatch(parts.netloc) and PREFIX.fullmatch(parts.path):
            defaults = {"region": variables.get("AWS_REGION", ""), "endpoint": variables.get("AWS_ENDPOINT_URL", "")}
            options = defaults | dict(parse_qsl(parts.query, keep_blank_values=True))
            if all(name in OPTIONS and OPTIONS[name].fullmatch(value) for name, value in options.items() if value):
                prefix = "/".join(filter(None, (parts.path.strip("/"), stack)))
                return cls(f"s3://{parts.netloc}/{prefix}", _bucket(parts.netloc, prefix, options, variables))
        raise ReportError(
            f"reports can't be kept in {url!r}: give file:///FOLDER, or s3://BUCKET/PREFIX?region=…&endpoint=…"
        )

    def refuse_unwritable(self) -> None:
        """Raises: ReportError for a folder that can't take a report. Of a bucket only writing one tells that."""
        if not isinstance(self._place, Path):
            return
        with _told(f"reports can't be written to {self.url}"):
            self._place.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self._place) as file:
                file.write(bytes(ROOM))
                file.flush()

    def write(self, report: OperationReport) -> str:
        """Keep a report, whole; says where. An id that is taken becomes the next free millisecond's."""
        at = time_of(report.id)
        with _told(f"the report can't be written to {self.url}"):
            if isinstance(self._place, Path):
                self._place.mkdir(parents=True, exist_ok=True)
            for later in range(TRIES):
                filed = Filed(kind=report.kind, id=report_id(at + timedelta(milliseconds=later)))
                content = report.model_copy(update={"id": filed.id}).model_dump_json(indent=2)
                if self._put_new(filed.name, f"{content}\n".encode()):
                    return f"{self.url}/{filed.name}"
        raise ReportError(f"the report can't be written to {self.url}: {TRIES} ids from {report.id} on are taken")

    def list(self) -> list[Filed]:
        """Every report there is, the newest first. What isn't called like a report is none."""
        with _told(f"the reports in {self.url} can't be listed"):
            names = [match for name in self._names() if (match := NAME.fullmatch(name))]
        filed = [Filed(kind=Kind(name["kind"]), id=name["id"]) for name in names]
        return sorted(filed, key=lambda one: (one.id, one.kind), reverse=True)

    def find(self, which: str) -> Filed:
        """`latest`, or the one whose id or name begins so."""
        filed = self.list()
        if which == LATEST:
            if not filed:
                raise ReportError(f"there is no report in {self.url} yet")
            return filed[0]
        found = [one for one in filed if one.id.startswith(which) or one.name.startswith(which)]
        if len(found) != 1:
            fitting = f"{len(found)} reports begin so" if found else "no report begins so"
            raise ReportError(f"{which!r} names no report in {self.url}: {fitting}")
        return found[0]

    def read(self, filed: Filed) -> OperationReport:
        """Raises: ReportError for one that is damaged, or of another schema."""
        where = f"{self.url}/{filed.name}"
        with _told(f"{where} can't be read"):
            content = bytes(obstore.get(self._objects(), filed.name).bytes())
        try:
            report = OperationReport.model_validate_json(content)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            if place == "schema_version":
                raise ReportError(f"{where} is of schema version {first['input']!r}: another pf wrote it") from error
            raise ReportError(f"{where} is damaged: {': '.join(filter(None, (place, first['msg'])))}") from error
        if (report.kind, report.id) != (filed.kind, filed.id):
            raise ReportError(f"{where} is damaged: it holds the {report.kind} report {report.id}")
        return report

    def _names(self) -> Iterable[str]:
        if not isinstance(self._place, Path):
            return (one["path"] for one in obstore.list_with_delimiter(self._place)["objects"])
        try:
            return [file.name for file in self._place.iterdir() if file.is_file()]
        except FileNotFoundError:  # nothing was ever written; looking makes no folder
            return []

    def _objects(self) -> ObjectStore:
        return LocalStore(self._place) if isinstance(self._place, Path) else self._place

    def _put_new(self, name: str, content: bytes) -> bool:
        objects = self._objects()
        try:
            obstore.put(objects, name, content, mode="create", use_multipart=False)
        except AlreadyExistsError:
            # A retry, after an answer that was lost, finds what it had written itself.
            return bytes(obstore.get(objects, name).bytes()) == content
        return True


def _bucket(bucket: str, prefix: str, options: Mapping[str, str], variables: Mapping[str, str]) -> S3Store:
    # Some tenths of a second that only a bucket has to pay.
    import botocore.session
    from botocore.exceptions import BotoCoreError
    from obstore.auth.boto3 import Boto3CredentialProvider

    if not options["region"]:
        raise ReportError(f"s3://{bucket} is in no region: add ?region=… to its address")
    try:
        # obstore itself knows no profiles.
        session = botocore.session.Session(profile=variables.get("AWS_PROFILE") or None)
        if variables.get("AWS_ACCESS_KEY_ID"):
            session.set_credentials(
                variables["AWS_ACCESS_KEY_ID"],
                variables.get("AWS_SECRET_ACCESS_KEY", ""),
                variables.get("AWS_SESSION_TOKEN") or None,
            )
        if not session.get_credentials():
            raise ReportError(f"there are no AWS credentials for s3://{bucket}: export AWS_PROFILE or an access key")
        return S3Store(
            bucket,
            prefix=prefix,
            config={"endpoint": options["endpoint"]} if options["endpoint"] else {},
            region=options["region"],
            credential_provider=Boto3CredentialProvider(session),
            client_options={
                "allow_http": options["endpoint"].startswith("http://"),
                "connect_timeout": timedelta(seconds=3),
                "timeout": timedelta(seconds=10),
            },
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=15)},
        )
    except (BaseError, BotoCoreError, ValueError) as error:
        raise ReportError(f"s3://{bucket} can't be reached: {_cause(error)}") from error


@contextmanager
def _told(what: str) -> Generator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise ReportError(f"{what}: {_cause(error)}") from error


def _cause(error: Exception) -> str:
    """In one line."""
    said = SAID_BY_S3.search(str(error))
    if said:
        return f"{said['code']}: {said['message']}"
    return " ".join(FIRST_LINES.sub("", str(error)).split())
