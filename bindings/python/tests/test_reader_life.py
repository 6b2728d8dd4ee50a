"""Readers before they are open, while they are closed and after; what opening brings along; Ctrl-C."""

from __future__ import annotations

import asyncio
import inspect
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest
from readers import Opener

from shardyfusion.errors import ConfigValidationError, ReaderStateError
from shardyfusion.reader import (
    AsyncShardedReader,
    AsyncUnifiedShardedReader,
    ConcurrentShardedReader,
    ShardedReader,
    UnifiedShardedReader,
)


def states(reader: Any) -> dict[str, Any]:
    """Calls that need an open reader."""
    return {
        "get": lambda: reader.get("a"),
        "multi_get": lambda: reader.multi_get(["a"]),
        "route_key": lambda: reader.route_key("a"),
        "shard_for_key": lambda: reader.shard_for_key("a"),
        "shards_for_keys": lambda: reader.shards_for_keys(["a"]),
        "reader_for_key": lambda: reader.reader_for_key("a"),
        "readers_for_keys": lambda: reader.readers_for_keys(["a"]),
        "snapshot_info": lambda: reader.snapshot_info(),
        "shard_details": lambda: reader.shard_details(),
        "key_encoding": lambda: reader.key_encoding,
        "vector_meta": lambda: reader.vector_meta,
        "refresh": lambda: reader.refresh(),
        "search": lambda: reader.search([1.0] * 384),
        "batch_search": lambda: reader.batch_search([[1.0] * 384]),
        "batch_search of nothing": lambda: reader.batch_search([]),
    }


async def outcome(call: Any) -> Any:
    answer = call()
    return await answer if inspect.isawaitable(answer) else answer


def test_the_constructor_alone_opens_nothing(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        reader = AsyncUnifiedShardedReader(s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path))
        for name, call in states(reader).items():
            with pytest.raises(ReaderStateError, match=r"not yet initialized \(use open\(\)\)"):
                await outcome(call)
                pytest.fail(name)
        health = reader.health()
        assert (health.status, health.is_closed, health.num_shards) == ("unhealthy", False, 0)
        await reader.close()
        await reader.close()
        with pytest.raises(ReaderStateError, match="closed"):
            await reader.get("a")

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


def test_a_closed_reader(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    reader.get("a")
    reader.close()
    reader.close()
    for name, call in states(reader).items():
        with pytest.raises(ReaderStateError, match="closed"):
            call()
            pytest.fail(name)
    health = reader.health()
    assert (health.status, health.is_closed) == ("unhealthy", True)


@pytest.mark.parametrize("kind", [ShardedReader, UnifiedShardedReader, ConcurrentShardedReader])
def test_with(data: pathlib.Path, tmp_path: pathlib.Path, kind: Any) -> None:
    with kind(s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path)) as reader:
        assert reader.get("not there") is None
        assert reader.get(reader.shard_details()[0].min_key) is not None
    with pytest.raises(ReaderStateError, match="closed"):
        reader.get("not there")
    with (
        pytest.raises(ZeroDivisionError),
        kind(s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path)) as other,
    ):
        raise ZeroDivisionError
    assert other.health().is_closed


@pytest.mark.parametrize("kind", [AsyncShardedReader, AsyncUnifiedShardedReader])
def test_async_with(data: pathlib.Path, tmp_path: pathlib.Path, kind: Any) -> None:
    async def main() -> None:
        async with await kind.open(s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path)) as reader:
            assert type(reader) is kind
            assert await reader.get("not there") is None
            assert await reader.get(reader.shard_details()[0].min_key) is not None
        with pytest.raises(ReaderStateError, match="closed"):
            await reader.get("not there")

    asyncio.run(main())


def test_a_subclass_stays_one(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    class Mine(AsyncShardedReader):
        pass

    async def main() -> None:
        async with await Mine.open(s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path)) as reader:
            assert type(reader) is Mine

    asyncio.run(main())


def test_closing_while_others_read(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        reader: Any = await AsyncUnifiedShardedReader.open(
            s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path)
        )
        running = [asyncio.create_task(reader.search([1.0] * 384)) for _ in range(20)]
        await asyncio.sleep(0)
        await reader.close()
        assert all(len(response.results) == 10 for response in await asyncio.gather(*running))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("s3_prefix", value) for value in ("", None, 5, b"file:///x", "http://host/x", "file://\0", "s3://")),
        *(("s3_prefix", value) for value in ("s3://bucket/%2e%2e/x", "s3://user:pw@bucket/x", "\ud800")),
        *(("local_root", value) for value in ("", None, 5, pathlib.Path("/"), "a\0b")),
        *(("current_pointer_key", value) for value in ("", 5, "../up", "a\0b", "/abs")),
        *(("max_fallback_attempts", value) for value in (-1, 1.5, "3", 2**40, True)),
        *(("s3_connection_options", value) for value in (5, {"unknown": 1}, {"max_attempts": 0})),
        ("slate_env_file", "/nonexistent/file"),
        ("reader_factory", 5),
        ("credential_provider", 5),
        ("manifest_store", 5),
    ],
)
def test_wrong_arguments(open_reader: Opener, data: pathlib.Path, name: str, value: Any) -> None:
    options = {name: value}
    with pytest.raises(ConfigValidationError) as caught:
        open_reader(options.pop("s3_prefix", data / "packages-1k"), **options)
    assert caught.value.retryable is False
    said = {"s3_prefix": r"", "slate_env_file": "environment file"}.get(name, name)
    assert said in str(caught.value), str(caught.value)


@pytest.mark.parametrize("name", ["max_concurrency", "max_workers"])
@pytest.mark.parametrize("value", [0, -1, 2.5, "4", True])
def test_wrong_bounds(data: pathlib.Path, tmp_path: pathlib.Path, name: str, value: Any) -> None:
    url, options = f"file://{data}/packages-1k", {name: value}
    with pytest.raises(ConfigValidationError, match=name):
        if name == "max_workers":
            ShardedReader(s3_prefix=url, local_root=str(tmp_path), **options)
        else:
            asyncio.run(AsyncShardedReader.open(s3_prefix=url, local_root=str(tmp_path), **options))


def test_wrong_thread_safety(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    wrong: dict[str, Any]
    for wrong in ({"thread_safety": "none"}, {"pool_checkout_timeout": 5}):
        with pytest.raises(ConfigValidationError, match=next(iter(wrong))):
            ConcurrentShardedReader(s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path), **wrong)


CODE = """
import asyncio, sys
from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader
from shardyfusion.reader.unified_reader import UnifiedShardedReader

async def main():
    async with await AsyncUnifiedShardedReader.open(s3_prefix=sys.argv[1], local_root=sys.argv[2]) as reader:
        key = reader.shard_details()[0].min_key
        assert await reader.get(key) and (await reader.multi_get([key]))[key]
        assert (await reader.search([1.0] * 384)).results
        reader.snapshot_info(), reader.health(), reader.vector_meta, reader.route_key(key)

asyncio.run(main())
with UnifiedShardedReader(s3_prefix=sys.argv[1], local_root=sys.argv[2]) as reader:
    assert reader.search([1.0] * 384).results
print(sorted({"numpy", "pydantic", "sqlite3"} & set(sys.modules)))
"""


def test_opening_imports_neither_numpy_nor_pydantic(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-W", "error", "-c", CODE, f"file://{data}/packages-1k", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


def test_ctrl_c_ends_an_open_that_hangs(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        accepted: list[socket.socket] = []

        def interrupt() -> None:
            accepted.append(server.accept()[0])
            accepted[0].recv(1)  # the request is on its way, and nobody answers
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=interrupt)
        thread.start()
        options: Any = {"endpoint_url": f"http://127.0.0.1:{server.getsockname()[1]}", "region_name": "us-east-1"}
        with pytest.raises(KeyboardInterrupt):
            UnifiedShardedReader(s3_prefix="s3://bucket/x", local_root=str(tmp_path), s3_connection_options=options)
        thread.join()
        accepted[0].settimeout(30)
        while accepted[0].recv(65536):  # until the core has hung up
            pass
        accepted[0].close()
    with UnifiedShardedReader(s3_prefix=f"file://{data}/packages-1k", local_root=str(tmp_path)) as reader:
        assert reader.search([1.0] * 384).results
