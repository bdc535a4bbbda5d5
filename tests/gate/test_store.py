"""The store beside the state: objects are whole or not there, and what fails closes the gate with its cause."""

import os
import stat
import threading
from collections.abc import Generator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from moto.server import ThreadedMotoServer

from gate.evidence import CLOSED
from gate.store import BucketStore, FolderStore, Store, StoreError, of_backend

pytestmark = pytest.mark.rows("K5")

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@pytest.fixture(scope="module")
def s3() -> Generator[str]:
    """The address of a moto server with the bucket `state`."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        region_name="us-east-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_bucket(Bucket="state")
    yield f"{host}:{port}"
    server.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction]
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in {**KEYS, "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: str) -> Store:
    """A new one of each kind."""
    if request.param == "folder":
        return FolderStore(folder=tmp_path / "not yet" / "there")
    return of_backend(f"s3://state/{tmp_path.name}?endpoint=http://{s3}&region=us-east-1", "p", "s")


def test_what_stands_directly_there_is_listed(store: Store) -> None:
    assert store.names() == store.names("deeper") == []
    for name in ("b.json", "a.json", "deeper/c.json", "deeper/still/d.json"):
        store.put(name, b"one")
    assert store.names() == ["a.json", "b.json"]
    assert store.names("deeper") == ["c.json"]


def test_what_is_deleted_is_gone_and_may_have_been(store: Store) -> None:
    for name in ("live.json", "deeper/a.json"):
        store.put(name, b"one")
    store.delete("live.json")
    assert store.get("live.json") is None
    assert store.get("deeper/a.json") == b"one"
    store.delete("live.json")
    store.delete("nowhere/b.json")


def test_what_was_put_is_there_and_nothing_else(store: Store) -> None:
    assert store.get("live.json") is None
    store.put("live.json", b"one")
    store.put("applied/a.json", b"\0\xff")
    assert (store.get("live.json"), store.get("applied/a.json")) == (b"one", b"\0\xff")
    assert store.get("applied/b.json") is None
    assert store.get("live") is None


def test_a_later_content_replaces_the_earlier(store: Store) -> None:
    store.put("live.json", b"one and more")
    store.put("live.json", b"two")
    assert store.get("live.json") == b"two"


def test_what_is_new_is_written_once(store: Store) -> None:
    assert store.put_new("trust.json", b"one")
    assert not store.put_new("trust.json", b"two")
    assert store.get("trust.json") == b"one"


def test_of_many_at_once_one_is_first(store: Store) -> None:
    first: list[int] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        if store.put_new("trust.json", str(number).encode()):
            first.append(number)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(first) == 1
    assert store.get("trust.json") == str(first[0]).encode()


def test_two_stacks_share_nothing(tmp_path: Path, s3: str) -> None:
    for url in (f"file://{tmp_path}", f"s3://state/shared?endpoint=http://{s3}&region=us-east-1"):
        of_backend(url, "p", "a").put("live.json", b"a")
        assert of_backend(url, "p", "b").get("live.json") is None
        assert of_backend(url, "q", "a").get("live.json") is None
        assert of_backend(url, "p", "organization/p/a").get("live.json") == b"a"


# Folders


def test_an_object_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(folder=tmp_path)
    store.put("live.json", b"one")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match="No space left"):
        store.put("live.json", b"two")
    with pytest.raises(StoreError, match="No space left"):
        store.put_new("trust.json", b"two")
    assert store.get("live.json") == b"one"
    assert [file.name for file in tmp_path.iterdir()] == ["live.json"]


def test_a_file_where_a_folder_belongs_is_no_object_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "surfaces").write_text("")
    store = FolderStore(folder=tmp_path)
    for attempt in (store.put, store.put_new):
        with pytest.raises(StoreError, match=r"surfaces/a\.json can't be written"):
            attempt("surfaces/a.json", b"")
    with pytest.raises(StoreError, match=r"surfaces/a\.json can't be deleted"):
        store.delete("surfaces/a.json")
    with pytest.raises(StoreError, match="Not a directory"):
        store.get("surfaces/a.json")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StoreError, match="Permission denied"):
        FolderStore(folder=tmp_path).put("live.json", b"")


def test_a_folder_in_the_place_of_an_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "live.json").mkdir()
    store = FolderStore(folder=tmp_path)
    with pytest.raises(StoreError, match="Is a directory"):
        store.get("live.json")
    with pytest.raises(StoreError, match="can't be written"):
        store.put("live.json", b"")


def test_a_link_to_nowhere_is_nothing_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "live.json").symlink_to(tmp_path / "gone")
    assert FolderStore(folder=tmp_path).get("live.json") is None
    assert not FolderStore(folder=tmp_path).put_new("live.json", b"x")


# Buckets


def test_a_bucket_that_is_not_there_is_named(s3: str) -> None:
    store = of_backend(f"s3://gone?endpoint=http://{s3}&region=us-east-1", "p", "s")
    for attempt in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: store.put_new("a", b"")):
        with pytest.raises(StoreError, match=r"s3://gone/\.parker-flight/p/s/a: .*NoSuchBucket"):
            attempt()


def test_credentials_that_are_refused_or_missing_are_no_absent_object(
    s3: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = f"s3://state?endpoint=http://{s3}&region=us-east-1"
    for name in KEYS:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    with pytest.raises(StoreError, match="credentials"):
        of_backend(url, "p", "s").get("live.json")


def test_a_refusal_is_no_absent_object(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from botocore.exceptions import ClientError

    store = of_backend(f"s3://state?endpoint=http://{s3}&region=us-east-1", "p", "s")
    assert isinstance(store, BucketStore)

    def denied(**_arguments: object) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetObject")

    client = store._client  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(client, "get_object", denied)
    monkeypatch.setattr(client, "put_object", denied)
    for attempt in (lambda: store.get("a"), lambda: store.put("a", b""), lambda: store.put_new("a", b"")):
        with pytest.raises(StoreError, match="AccessDenied"):
            attempt()


def test_a_server_that_does_not_answer_closes_the_gate(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(_seconds: float) -> None:
        """Between two attempts."""

    monkeypatch.setattr("time.sleep", at_once)
    with pytest.raises(StoreError, match=r"127\.0\.0\.1:1"):
        of_backend("s3://state?endpoint=http://127.0.0.1:1&region=us-east-1", "p", "s").get("live.json")


@pytest.mark.parametrize(
    ("options", "address"),
    [
        ("endpoint=localhost:9000&disableSSL=true", "http://localhost:9000"),
        ("endpoint=localhost:9000", "https://localhost:9000"),
        ("endpoint=http://localhost:9000", "http://localhost:9000"),
        ("", "https://s3.eu-west-1.amazonaws.com"),
    ],
)
def test_a_buckets_options_are_the_engines(options: str, address: str) -> None:
    store = of_backend(f"s3://state/some/where?region=eu-west-1&s3ForcePathStyle=true&{options}", "p", "s")
    assert isinstance(store, BucketStore)
    client = store._client  # pyright: ignore[reportPrivateUsage]
    sent = urlsplit(client.generate_presigned_url("get_object", Params={"Bucket": "state", "Key": "x"}))
    assert f"{sent.scheme}://{sent.netloc}{sent.path}" == f"{address}/state/x"
    assert store._prefix == "some/where/.parker-flight/p/s/"  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("options", ["endpoint=http://%5Bbad", "profile=nobody", "endpoint=://"])
def test_options_that_cannot_be_used_close_the_gate(options: str) -> None:
    with pytest.raises(StoreError):
        of_backend(f"s3://state?region=us-east-1&{options}", "p", "s")


# Backends


def test_a_file_backend_keeps_it_beside_the_state(tmp_path: Path) -> None:
    store = of_backend(f"file://{tmp_path}/a b?metadata=skip", "p", "s")
    assert store == FolderStore(folder=tmp_path / "a b" / ".parker-flight" / "p" / "s")


def test_a_file_backend_in_the_home_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for url, folder in (("file://~", tmp_path), ("file://~/state", tmp_path / "state")):
        assert of_backend(url, "p", "s") == FolderStore(folder=folder / ".parker-flight" / "p" / "s")


@pytest.mark.parametrize(
    "url", ["", "https://api.pulumi.com", "gs://bucket", "azblob://x", "/a/path", "FILE", "s4://x"]
)
def test_another_backend_is_refused_with_its_name(url: str) -> None:
    with pytest.raises(StoreError, match=r"PULUMI_BACKEND_URL is .*file:// and s3:// backends only"):
        of_backend(url, "p", "s")


def test_every_failure_of_the_store_closes_the_gate() -> None:
    assert StoreError in CLOSED
