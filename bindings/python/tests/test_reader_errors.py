"""Failures: the class, the message (what, where, what to do), what an exception carries, and what it must not say."""

from __future__ import annotations

import copy
import json
import os
import pathlib
import pickle
import socket
from typing import Any

import pytest
from readers import Opener, copy_of, manifest_of

from shardyfusion.errors import (
    ConfigValidationError,
    DbAdapterError,
    ManifestParseError,
    ManifestStoreError,
    ReaderStateError,
    S3TransientError,
    ShardyfusionError,
    VectorIndexError,
)

KEY_ID = "AKIDTHISISNOTTHERE"
SECRET = "aVerySecretKeyThatNobodyMaySee"
TOKEN = "aSessionTokenThatNobodyMaySee"


def no_secret(error: BaseException) -> None:
    """Neither the error nor what it came from says a secret."""
    said = ""
    link: BaseException | None = error
    while link is not None:
        said += f"{link}{link!r}{link.__dict__}"
        link = link.__cause__ or link.__context__
    for secret in (SECRET, TOKEN, os.environ.get("AWS_SECRET_ACCESS_KEY", SECRET)):
        assert secret not in said


def failure(open_reader: Opener, url: object, **options: Any) -> ShardyfusionError:
    with pytest.raises(ShardyfusionError) as caught:
        open_reader(url, **options)
    no_secret(caught.value)
    return caught.value


def particulars(error: ShardyfusionError) -> tuple[type, str | None, bool, int | None, int | None]:
    return (type(error), error.code, error.retryable, error.shard_id, error.http_status)


def test_nothing_published(open_reader: Opener, tmp_path: pathlib.Path) -> None:
    error = failure(open_reader, tmp_path)
    assert particulars(error) == (ReaderStateError, "STATE", False, None, None)
    assert "CURRENT pointer not found" in str(error)
    assert str(tmp_path / "_CURRENT") in str(error)


def test_nothing_published_on_s3(open_reader: Opener, s3_bucket: str) -> None:
    error = failure(open_reader, f"{s3_bucket}/nothing-here")
    assert (type(error), error.code, error.retryable) == (ReaderStateError, "STATE", False)
    assert f"{s3_bucket}/nothing-here/_CURRENT" in str(error)


@pytest.mark.parametrize("pointer", [b"", b"{", b"[]", b"null", b'{"manifest_ref": 5}', b"\xff\xfe", b"[" * 10_000])
def test_a_malformed_pointer(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path, pointer: bytes) -> None:
    snapshot = copy_of(data / "composite-120", tmp_path)
    (snapshot / "_CURRENT").write_bytes(pointer)
    error = failure(open_reader, snapshot)
    assert particulars(error) == (ManifestParseError, "MANIFEST", False, None, None)
    assert f"{snapshot}/_CURRENT" in str(error)


@pytest.mark.parametrize(
    "ref", ["s3://elsewhere/manifests/a/manifest", "http://127.0.0.1/manifests/../../etc/passwd", "file:///etc/passwd"]
)
def test_a_pointer_that_leads_elsewhere(
    open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path, ref: str
) -> None:
    snapshot = copy_of(data / "composite-120", tmp_path)
    pointer = json.loads((snapshot / "_CURRENT").read_bytes())
    (snapshot / "_CURRENT").write_text(json.dumps({**pointer, "manifest_ref": ref}))
    error = failure(open_reader, snapshot)
    assert isinstance(error, ManifestParseError | ManifestStoreError)
    assert error.retryable is False


def test_a_missing_manifest(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    snapshot = copy_of(data / "composite-120", tmp_path)
    manifest = manifest_of(snapshot)
    manifest.unlink()
    error = failure(open_reader, snapshot)
    assert particulars(error) == (ManifestStoreError, "NOT_FOUND", False, None, None)
    assert str(manifest) in str(error)
    assert error.object_url == f"file://{manifest}"


@pytest.mark.parametrize("content", [b"", b"SQLite format 3\0" + b"\0" * 4096, b"x" * 5000])
def test_a_malformed_manifest(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path, content: bytes) -> None:
    snapshot = copy_of(data / "composite-120", tmp_path)
    manifest_of(snapshot).write_bytes(content)
    error = failure(open_reader, snapshot, max_fallback_attempts=0)
    assert particulars(error) == (ManifestParseError, "MANIFEST", False, None, None)
    assert str(manifest_of(snapshot)) in str(error)
    error = failure(open_reader, snapshot)
    assert isinstance(error, ReaderStateError)
    assert str(manifest_of(snapshot)) in str(error)


def test_a_missing_shard(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    snapshot = copy_of(data / "packages-1k", tmp_path)
    shard = next(snapshot.glob("shards/*/db=00001/attempt=00/shard.db"))
    shard.unlink()
    error = failure(open_reader, snapshot)
    assert particulars(error) == (DbAdapterError, "NOT_FOUND", False, 1, None)
    assert str(shard) in str(error)
    assert error.object_url == f"file://{shard}"


@pytest.mark.parametrize("damage", ["cut", "no database", "empty", "garbled page"])
def test_a_corrupt_shard(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path, damage: str) -> None:
    snapshot = copy_of(data / "packages-1k", tmp_path)
    shard = next(snapshot.glob("shards/*/db=00001/attempt=00/shard.db"))
    content = shard.read_bytes()
    damaged = {
        "cut": content[: len(content) // 2],
        "no database": b"x" * len(content),
        "empty": b"",
        "garbled page": content[:4096] + b"\xff" * (len(content) - 4096),
    }[damage]
    shard.write_bytes(damaged)
    with pytest.raises((DbAdapterError, VectorIndexError)) as caught:
        reader = open_reader(snapshot)
        reader.search([1.0] * 384)
    no_secret(caught.value)
    assert caught.value.shard_id == 1
    assert caught.value.code in ("CORRUPT", "INDEX")
    assert caught.value.retryable is False
    assert "shard" in str(caught.value)


def options(**more: Any) -> dict[str, Any]:
    return {"s3_connection_options": {"max_attempts": 1, **more}}


def test_wrong_credentials(open_reader: Opener, s3_data: str) -> None:
    from shardyfusion.credentials import StaticCredentialProvider

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    wrong = StaticCredentialProvider(KEY_ID, SECRET, TOKEN)
    error = failure(open_reader, f"{s3_data}/packages-1k", credential_provider=wrong, **options(endpoint_url=endpoint))
    assert (type(error), error.code, error.retryable) == (ManifestStoreError, "ACCESS", False)
    assert error.http_status in (400, 401, 403)
    assert error.object_url is not None
    assert "packages-1k" in error.object_url
    assert "check the session token" in str(error)


def test_a_wrong_secret(open_reader: Opener, s3_data: str) -> None:
    from shardyfusion.credentials import StaticCredentialProvider

    wrong = StaticCredentialProvider(os.environ["AWS_ACCESS_KEY_ID"], SECRET)
    error = failure(open_reader, f"{s3_data}/packages-1k", credential_provider=wrong, **options())
    assert (type(error), error.code, error.http_status) == (ManifestStoreError, "ACCESS", 403)


def test_no_credentials(open_reader: Opener, s3_data: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    error = failure(open_reader, f"{s3_data}/packages-1k", **options())
    assert (type(error), error.code) == (ManifestStoreError, "ACCESS")
    assert "AWS_ACCESS_KEY_ID" in str(error)


def test_no_bucket(open_reader: Opener, s3_bucket: str) -> None:
    error = failure(open_reader, "s3://there-is-no-such-bucket/x", **options())
    assert error.retryable is False
    assert error.code in ("STORE", "NOT_FOUND", "STATE", "ACCESS")
    assert "there-is-no-such-bucket" in str(error)


def test_a_server_that_is_down(open_reader: Opener, s3_bucket: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    error = failure(open_reader, "s3://bucket/x", **options(endpoint_url=f"http://127.0.0.1:{port}"))
    assert particulars(error) == (S3TransientError, "STORE_RETRY", True, None, None)
    assert f"127.0.0.1:{port}" in str(error)


def test_a_server_that_speaks_something_else(open_reader: Opener, s3_bucket: str) -> None:
    import threading

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(65536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        port = server.getsockname()[1]
        error = failure(open_reader, "s3://bucket/x", **options(endpoint_url=f"http://127.0.0.1:{port}"))
        thread.join()
    assert isinstance(error, S3TransientError | ManifestStoreError)
    assert "endpoint_url" in str(error)


@pytest.mark.parametrize(
    "endpoint", ["127.0.0.1:9", "ftp://127.0.0.1", "http://", "http://user:password@127.0.0.1:9", "x y"]
)
def test_a_wrong_endpoint(open_reader: Opener, s3_bucket: str, endpoint: str) -> None:
    error = failure(open_reader, "s3://bucket/x", **options(endpoint_url=endpoint))
    assert isinstance(error, ConfigValidationError)
    assert isinstance(error, ValueError)
    assert (error.code, error.retryable) == ("INVALID", False)
    assert "endpoint" in str(error)
    assert "password" not in str(error)


def test_a_cache_that_cannot_be_made(open_reader: Opener, s3_data: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    error = failure(open_reader, f"{s3_data}/packages-1k", local_root=str(tmp_path / "file" / "cache"))
    assert (type(error), error.code) == (ManifestStoreError, "LOCAL")
    assert str(tmp_path / "file") in str(error)


def test_errors_are_values(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    """Copied and pickled (multiprocessing hands them over), they keep what they carry."""
    snapshot = copy_of(data / "packages-1k", tmp_path)
    next(snapshot.glob("shards/*/db=00001/attempt=00/shard.db")).unlink()
    error = failure(open_reader, snapshot)
    for other in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (particulars(other), str(other), other.object_url) == (particulars(error), str(error), error.object_url)


def test_a_name_that_is_not_utf8(open_reader: Opener, tmp_path: pathlib.Path) -> None:
    error = failure(open_reader, "file:///nowhere/\N{SNOWMAN}")
    assert isinstance(error, ReaderStateError | ConfigValidationError)
