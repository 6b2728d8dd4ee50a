"""Whatever goes wrong, readers keep what they had, and the exception tells what it was."""

from __future__ import annotations

import os
import pathlib
import signal
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from s3_faults import FaultyServer

from shardyfusion import (
    ConfigValidationError,
    HashShardedWriteConfig,
    PublishCurrentError,
    PublishManifestError,
    PythonRecordInput,
    RetryConfig,
    S3TransientError,
    ShardedReader,
    ShardWriteError,
    ShardyfusionError,
    VectorSpec,
    WriterOutputConfig,
)
from shardyfusion._runtime import call_and_wait, runtime_stats
from shardyfusion._shardyfusion import Reader
from shardyfusion.errors import ManifestStoreError
from shardyfusion.writer.python import write_hash_sharded

PAIRS: PythonRecordInput[tuple[Any, Any]] = PythonRecordInput(lambda pair: pair[0], lambda pair: pair[1])
ROWS = [(number, str(number).encode()) for number in range(50)]


class BrokenError(Exception):
    """What the functions of a caller raise."""


def write(url: object, rows: Any = ROWS, input: PythonRecordInput[Any] = PAIRS, **config: Any) -> None:
    url = f"file://{url}" if isinstance(url, pathlib.Path) else url
    write_hash_sharded(rows, HashShardedWriteConfig(s3_prefix=url, num_dbs=3, **config), input)


def served(url: object, local_root: pathlib.Path, **options: Any) -> bytes | None:
    url = f"file://{url}" if isinstance(url, pathlib.Path) else str(url)
    with ShardedReader(s3_prefix=url, local_root=str(local_root), **options) as reader:
        return reader.get(1)


@pytest.fixture
def old(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A folder with a snapshot, which must be served afterwards, with nothing else left but the record of a run."""
    place = tmp_path / "snapshot"
    write(place, [(1, b"old")])
    files = {path for path in place.rglob("*") if path.is_file()}
    yield place
    assert served(place, tmp_path / "cache") == b"old"
    left = [path for path in place.rglob("*") if path.is_file() and path not in files and path.name != ".shardy-lock"]
    assert all(path.name == "run.yaml" and b"status: failed" in path.read_bytes() for path in left)


# -- what the caller's functions raise


def test_records_that_end_half_way(old: pathlib.Path) -> None:
    def rows() -> Iterator[tuple[int, bytes]]:
        for number in range(30_000):
            yield number, b"new"
        raise BrokenError

    with pytest.raises(BrokenError) as caught:
        write(old, rows())
    assert caught.value.__cause__ is None and caught.value.__context__ is None


@pytest.mark.parametrize("name", ["key_fn", "value_fn", "vector_fn", "columns_fn"])
def test_a_function_that_raises(old: pathlib.Path, name: str) -> None:
    def broken(row: int) -> Any:
        if row == 7_000:
            raise BrokenError(name)
        return {"key_fn": row, "value_fn": b"new", "vector_fn": (row, [1, 2], None), "columns_fn": {"v": [1, 2]}}[name]

    functions: dict[str, Any] = {"key_fn": lambda row: row, "value_fn": lambda row: b"new"}
    functions[name] = broken
    spec = None if name in ("key_fn", "value_fn") else VectorSpec(2, vector_col="v")
    with pytest.raises(BrokenError, match=name):
        write(old, range(10_000), PythonRecordInput(**functions), vector_spec=spec)


def test_ctrl_c_between_rows(old: pathlib.Path) -> None:
    def rows() -> Iterator[tuple[int, bytes]]:
        for number in range(5_000):
            yield number, b"new"
        signal.raise_signal(signal.SIGINT)
        yield from ROWS

    with pytest.raises(KeyboardInterrupt):
        write(old, rows())


def test_a_signal_between_submitting_and_waiting(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    def interrupted(queue: Any, options: Any) -> Any:
        assert Reader.submit_open(queue, options) is not None
        raise KeyboardInterrupt  # as a handler does that runs before the operation is in anybody's hands

    before = runtime_stats()["inflight_ops"]
    with pytest.raises(KeyboardInterrupt):
        call_and_wait(interrupted, {"url": f"{data}/packages-1k", "local_root": str(tmp_path)})
    # What was cancelled is met again when somebody waits for something else.
    for _ in range(1000):
        if runtime_stats()["inflight_ops"] == before:
            break
        call_and_wait(Reader.submit_open, {"url": f"{data}/packages-1k", "local_root": str(tmp_path)})
    else:
        raise AssertionError("the operation was never taken")


# -- rows that are wrong


@pytest.mark.parametrize(
    ("encoding", "key", "message"),
    [
        ("u64be", "text", "row 5001: the key is text; with key encoding u64be all keys are integers"),
        ("u64be", b"bytes", "row 5001: the key is bytes"),
        ("u64be", -1, "row 5001: the key -1 is negative"),
        ("u64be", 2**63, "row 5001: the key 9223372036854775808 is too large"),
        ("u64be", 2**64, "row 5001: an integer key must be"),
        ("u64be", 1.5, "row 5001: a key must be an int, a str or bytes, not float"),
        ("u64be", None, "row 5001: a key must be"),
        ("u32be", 2**32, "row 5001: the key 4294967296 is too large"),
        ("utf8", 5, "row 5001: the key is an integer"),
        ("utf8", b"\xff", "row 5001: the text key is not valid UTF-8"),
        ("utf8", "\ud800", "row 5001: the key is not valid text"),
        ("raw", 5, "row 5001: the key is an integer"),
    ],
)
def test_keys_that_are_wrong(old: pathlib.Path, encoding: str, key: Any, message: str) -> None:
    keys = list(range(5_000)) if encoding.startswith("u") and encoding != "utf8" else [str(n) for n in range(5_000)]
    with pytest.raises(ConfigValidationError) as caught:
        write(old, [*((each, b"new") for each in keys), (key, b"")], key_encoding=encoding)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("text", "row 5001: a value must be bytes"),
        (None, "row 5001: a value must be bytes, got NoneType"),
        (7, "row 5001: a value must be bytes, got int"),
        ([1], "row 5001: a value must be bytes"),
    ],
)
def test_values_that_are_wrong(old: pathlib.Path, value: Any, message: str) -> None:
    with pytest.raises(ConfigValidationError, match=message):
        write(old, [*((number, b"new") for number in range(5_000)), (5_000, value)])


@pytest.mark.parametrize(
    ("vector", "message"),
    [
        (("id", [1.0], None), "row 3: the vector has 1 components; those of this snapshot have 2"),
        (("id", b"12345678", None), "row 3: a vector must be an array"),
        (("id", "12", None), "row 3: a vector must be an array"),
        (("id", None, None), "row 3: a vector must be an array"),
        (("id", [1.0, "x"], None), "row 3: component 1 of the vector is not a number"),
        (("id", [1.0, float("nan")], None), "row 3: element 1 of the vector is not a finite number"),
        (("id", [1e300, 1.0], None), "row 3: element 0 of the vector is not a finite number"),
        ((7, [1.0, 2.0], None), "row 3: the id is an integer, others are text"),
        ((b"id", [1.0, 2.0], None), "row 3: an id must be an int from"),
        ((2**63, [1.0, 2.0], None), "row 3: an id must be an int from"),
        (("a\0b", [1.0, 2.0], None), "row 3: the id holds a NUL"),
        (("id", [1.0, 2.0], [1]), "row 3: the payload is no JSON object"),
        (("id", [1.0, 2.0], {"x": float("nan")}), "row 3: the payload is no JSON object"),
    ],
)
def test_vectors_that_are_wrong(old: pathlib.Path, vector: Any, message: str) -> None:
    rows = [("1", [1.0, 2.0], None), ("2", [1.0, 2.0], {}), vector]
    taken: PythonRecordInput[int] = PythonRecordInput(lambda row: row, lambda row: b"", vector_fn=lambda row: rows[row])
    with pytest.raises(ConfigValidationError) as caught:
        write(old, range(3), taken, vector_spec=VectorSpec(2))
    assert message in str(caught.value)


def test_one_id_of_two_keys(tmp_path: pathlib.Path) -> None:
    write(tmp_path / "snapshot", [(1, b"old")])
    taken: PythonRecordInput[int] = PythonRecordInput(
        lambda row: row, lambda row: b"", vector_fn=lambda row: (row % 5, [1.0, 2.0], None)
    )
    with pytest.raises(ConfigValidationError, match="rows 1 and 6 have the same id"):
        write(tmp_path / "snapshot", range(6), taken, vector_spec=VectorSpec(2))
    assert served(tmp_path / "snapshot", tmp_path / "cache") == b"old"


# -- runs


def test_a_run_id_is_used_once(old: pathlib.Path) -> None:
    (record,) = (old / "runs").iterdir()
    run_id = record.name.partition("_run_id=")[2].partition("_")[0]
    with pytest.raises(ConfigValidationError) as caught:
        write(old, output=WriterOutputConfig(run_id=run_id))
    assert run_id in str(caught.value) and caught.value.code == "STATE"


def test_another_writer_publishes_meanwhile(tmp_path: pathlib.Path) -> None:
    def rows() -> Iterator[tuple[int, bytes]]:
        yield 1, b"mine"
        write(tmp_path / "snapshot", [(1, b"theirs")])

    with pytest.raises(PublishCurrentError, match="another writer published") as caught:
        write(tmp_path / "snapshot", rows())
    assert caught.value.manifest_ref is None and caught.value.retryable is False
    assert served(tmp_path / "snapshot", tmp_path / "cache") == b"theirs"


def test_a_folder_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ShardyfusionError) as caught:
        write(tmp_path / "file" / "snapshot")
    assert caught.value.code in ("LOCAL", "STORE", "NOT_FOUND", "ACCESS")


# -- the store


@pytest.fixture
def faulty(s3_bucket: str) -> Iterator[FaultyServer]:
    server = FaultyServer(os.environ["AWS_ENDPOINT_URL"])
    yield server
    server.close()


def spoil(server: FaultyServer, name: str, status: int, **config: Any) -> tuple[ShardyfusionError, str]:
    """What a writer raises when PUTs of objects of that name are answered so, and its prefix, with an old snapshot."""
    url = f"s3://python/written/{uuid.uuid4().hex}"
    write(url, [(1, b"old")])
    server.fault = lambda method, path: status if method == "PUT" and path.endswith(f"/{name}") else None
    options: Any = {"endpoint_url": server.endpoint, "max_attempts": 1}
    with pytest.raises(ShardyfusionError) as caught:
        write(url, [(number, b"new") for number in range(100)], s3_connection_options=options, **config)
    return caught.value, url


def test_shards_are_refused(faulty: FaultyServer, tmp_path: pathlib.Path) -> None:
    error, url = spoil(faulty, "shard.db", 403)
    assert type(error) is ShardWriteError and error.shard_id in (0, 1, 2)
    assert (error.http_status, error.retryable, error.code) == (403, False, "ACCESS")
    assert isinstance(error.__cause__, ManifestStoreError)
    assert served(url, tmp_path) == b"old"


def test_the_manifest_is_refused(faulty: FaultyServer, tmp_path: pathlib.Path) -> None:
    error, url = spoil(faulty, "manifest", 403)
    assert type(error) is PublishManifestError and error.http_status == 403
    assert served(url, tmp_path) == b"old"


def test_the_pointer_is_refused(faulty: FaultyServer, tmp_path: pathlib.Path) -> None:
    error, url = spoil(faulty, "_CURRENT", 403)
    # Nothing of the manifest is left, which nobody would ever name.
    assert type(error) is PublishCurrentError and error.manifest_ref is None
    assert served(url, tmp_path) == b"old"


def test_the_pointer_fails_for_now(faulty: FaultyServer, tmp_path: pathlib.Path) -> None:
    error, url = spoil(faulty, "_CURRENT", 503)
    assert type(error) is PublishCurrentError and error.retryable is True
    assert error.manifest_ref is not None and error.manifest_ref.startswith(f"{url}/manifests/")
    assert served(url, tmp_path) == b"old"


@pytest.mark.parametrize(("retry", "attempts"), [(None, 1), (RetryConfig(1, timedelta(0)), 2)])
def test_attempts_of_a_shard(faulty: FaultyServer, retry: RetryConfig | None, attempts: int) -> None:
    error, _ = spoil(faulty, "shard.db", 503, shard_retry=retry)
    assert type(error) is ShardWriteError and error.retryable is True
    tried = [path for method, path in faulty.requests if path.endswith(f"/db={error.shard_id:05d}/attempt=01/shard.db")]
    assert bool(tried) is (attempts == 2)


def test_ctrl_c_while_shards_are_uploaded(faulty: FaultyServer, tmp_path: pathlib.Path) -> None:
    url = f"s3://python/written/{uuid.uuid4().hex}"
    write(url, [(1, b"old")])

    def interrupt(method: str, path: str) -> int | None:
        if method == "PUT" and path.endswith("/shard.db"):
            os.kill(os.getpid(), signal.SIGINT)
            return 503
        return None

    faulty.fault = interrupt
    options: Any = {"endpoint_url": faulty.endpoint}
    with pytest.raises(KeyboardInterrupt):
        write(url, s3_connection_options=options, shard_retry=RetryConfig(99))
    faulty.fault = lambda method, path: None
    assert served(url, tmp_path) == b"old"


def test_the_store_is_not_there() -> None:
    options: Any = {"endpoint_url": "http://127.0.0.1:9", "max_attempts": 1}
    with pytest.raises(S3TransientError):
        write("s3://python/nowhere", s3_connection_options=options)


def test_a_bucket_that_is_not_there(s3_bucket: str) -> None:
    with pytest.raises(ManifestStoreError):
        write("s3://not-there-at-all/prefix")
