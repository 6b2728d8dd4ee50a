"""Handles of one shard: stored keys, pinned over a refresh and a close."""

from __future__ import annotations

import pathlib
import struct
from typing import Any

import pytest
from readers import Builder, Opener

from shardyfusion.errors import ConfigValidationError, ReaderStateError
from shardyfusion.reader import AsyncShardReaderHandle, ShardReaderHandle


@pytest.mark.parametrize("name", ["packages-1k", "composite-120"])
def test_stored_keys(open_reader: Opener, data: pathlib.Path, name: str) -> None:
    reader = open_reader(data / name)
    key = reader.shard_details()[1].min_key
    handle = reader.reader_for_key(key)
    assert type(getattr(handle, "inner", handle)) in (ShardReaderHandle, AsyncShardReaderHandle)
    value = reader.get(key)
    assert value is not None
    assert handle.get(key.encode()) == value
    assert handle.get(b"not there") is None
    found = handle.multi_get([b"not there", key.encode(), b"not there"])
    assert list(found.items()) == [(b"not there", None), (key.encode(), value)]
    assert handle.multi_get([]) == {}
    other = reader.shard_details()[0].min_key.encode()
    assert handle.get(other) is None  # it is in the other shard
    handle.close()
    handle.close()
    calls: list[Any] = [lambda: handle.get(b"a"), lambda: handle.multi_get([b"a"])]
    for call in calls:
        with pytest.raises(ReaderStateError, match="closed"):
            call()


def test_integers_are_stored_big_endian(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    build([{"key": key, "value": f"v{key}"} for key in range(10)], tmp_path / "ints", "--num-dbs", "3")
    reader = open_reader(tmp_path / "ints", unified=False)
    for key in range(10):
        assert reader.reader_for_key(key).get(struct.pack(">Q", key)) == f"v{key}".encode()


@pytest.mark.parametrize("key", ["a", 1, None, bytearray(b"a"), 1.5, memoryview(b"a")])
def test_what_is_no_stored_key(open_reader: Opener, data: pathlib.Path, key: Any) -> None:
    handle = open_reader(data / "packages-1k").reader_for_key("a")
    with pytest.raises(ConfigValidationError, match="bytes"):
        handle.get(key)
    with pytest.raises(ConfigValidationError, match="bytes"):
        handle.multi_get([b"a", key])
    with pytest.raises(ConfigValidationError, match="bytes"):
        handle.multi_get("ab")


def test_handles_of_several_keys(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    keys = [key for detail in reader.shard_details() for key in (detail.min_key, detail.max_key)]
    handles = reader.readers_for_keys(keys + keys)
    assert list(handles) == keys
    for key, handle in handles.items():
        assert handle.get(key.encode()) == reader.get(key)
    handles[keys[0]].close()
    assert handles[keys[1]].get(keys[1].encode()) is not None
    assert list(reader.readers_for_keys(iter(keys))) == keys
    assert reader.readers_for_keys([]) == {}
    with pytest.raises(ConfigValidationError):
        reader.readers_for_keys([keys[0], 1.5])
    with pytest.raises(ConfigValidationError):
        reader.reader_for_key(None)


def test_a_refresh_does_not_change_handles(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    rows = [{"key": "a", "value": "first"}, {"key": "gone", "value": "first"}]
    build(rows, tmp_path / "kv")
    reader = open_reader(tmp_path / "kv", unified=False)
    handle, never_used = reader.reader_for_key("a"), reader.reader_for_key("a")
    assert handle.get(b"a") == b"first"
    build([{"key": "a", "value": "second"}], tmp_path / "kv")
    assert reader.refresh() is True
    assert (reader.get("a"), reader.get("gone")) == (b"second", None)
    for pinned in (handle, never_used):
        assert pinned.multi_get([b"a", b"gone"]) == {b"a": b"first", b"gone": b"first"}
    assert reader.reader_for_key("a").get(b"a") == b"second"


def test_a_shard_that_is_empty(open_reader: Opener, shared: pathlib.Path) -> None:
    reader = open_reader(shared / "fixtures" / "peer" / "unified-sparse-shards" / "snapshot")
    empty = {detail.db_id for detail in reader.shard_details() if detail.db_url is None}
    key = next(key for key in (f"key-{i}" for i in range(1000)) if reader.route_key(key) in empty)
    handle = reader.reader_for_key(key)
    assert handle.get(key.encode()) is None
    assert handle.multi_get([b"a", b"b"]) == {b"a": None, b"b": None}


def test_handles_of_a_closed_reader(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    key = reader.shard_details()[0].min_key
    handle = reader.reader_for_key(key)
    reader.close()
    with pytest.raises(ReaderStateError):
        handle.get(key.encode())
    handle.close()
    with pytest.raises(ReaderStateError, match="closed"):
        reader.reader_for_key(key)


def test_with(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    opener = Opener("sync", tmp_path)
    reader = opener(data / "packages-1k")
    with reader.reader_for_key("a") as handle:
        assert handle.get(b"none") is None
    with pytest.raises(ReaderStateError):
        handle.get(b"none")
    opener.close()


def test_a_handle_that_a_user_makes() -> None:
    class Shard:
        closed = 0

        def get(self, key: bytes) -> bytes:
            return key * 2

        def close(self) -> None:
            self.closed += 1

    released: list[int] = []
    handle = ShardReaderHandle(Shard(), lambda: released.append(1))
    assert handle.get(b"a") == b"aa"
    assert handle.multi_get([b"a", b"b"]) == {b"a": b"aa", b"b": b"bb"}
    handle.close()
    handle.close()
    assert released == [1]
