"""Manifest stores of the program: what readers ask them, and what becomes of wrong answers."""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import pathlib
from datetime import UTC, datetime
from typing import Any

import pytest
from readers import Builder, Opener, manifest_of

from shardyfusion.async_manifest_store import AsyncS3ManifestStore
from shardyfusion.errors import (
    ConfigValidationError,
    ManifestParseError,
    ManifestStoreError,
    ReaderStateError,
)
from shardyfusion.manifest import ManifestRef, ParsedManifest
from shardyfusion.manifest_store import InMemoryManifestStore, S3ManifestStore, parse_manifest_payload
from shardyfusion.storage import AsyncMemoryBackend, MemoryBackend


class Store:
    """Refs and manifests, the newest last; counts what it is asked. An exception for a manifest is raised."""

    def __init__(self, *manifests: Any, current: Any = -1) -> None:
        self.manifests = {f"kept/{number}": manifest for number, manifest in enumerate(manifests)}
        self.current = current
        self.asked: list[str] = []

    def _refs(self) -> list[ManifestRef]:
        return [ManifestRef(ref, "run", datetime.now(UTC)) for ref in self.manifests]

    def load_current(self) -> Any:
        self.asked.append("load_current")
        return self._refs()[self.current]

    def load_manifest(self, ref: str) -> Any:
        self.asked.append(f"load_manifest {ref}")
        manifest = self.manifests[ref]
        if isinstance(manifest, BaseException):
            raise manifest
        return manifest

    def list_manifests(self, *, limit: int = 10) -> Any:
        self.asked.append("list_manifests")
        return self._refs()[::-1][:limit]


class Awaited:
    """The same store for asynchronous readers."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    async def load_current(self) -> Any:
        return self._inner.load_current()

    async def load_manifest(self, ref: str) -> Any:
        return self._inner.load_manifest(ref)

    async def list_manifests(self, *, limit: int = 10) -> Any:
        return self._inner.list_manifests(limit=limit)


def fitting(open_reader: Opener, store: Any) -> Any:
    return Awaited(store) if open_reader.is_async else store


def parsed(snapshot: pathlib.Path) -> ParsedManifest:
    return parse_manifest_payload(manifest_of(snapshot).read_bytes())


def rows(value: str, count: int = 20) -> list[dict[str, Any]]:
    return [{"key": f"k{i}", "value": value, "vector": [float(i), 1.0]} for i in range(count)]


MALFORMED = ManifestParseError("this one is malformed")


def test_reading_through_a_store(open_reader: Opener, data: pathlib.Path) -> None:
    store = Store(parsed(data / "packages-1k"))
    reader = open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))
    plain = open_reader(data / "packages-1k")
    assert store.asked == ["load_current", "load_manifest kept/0"]
    assert dataclasses.replace(reader.snapshot_info(), manifest_ref="") == dataclasses.replace(
        plain.snapshot_info(), manifest_ref=""
    )
    assert reader.snapshot_info().manifest_ref == "kept/0"
    assert reader.health().manifest_ref == "kept/0"
    assert reader.vector_meta == plain.vector_meta
    assert reader.shard_details() == plain.shard_details()
    for detail in plain.shard_details():
        assert reader.get(detail.min_key) == plain.get(detail.min_key) is not None
        assert reader.shard_for_key(detail.min_key) == plain.shard_for_key(detail.min_key)
    assert reader.search([1.0] * 384).results == plain.search([1.0] * 384).results
    assert reader.refresh() is False
    assert store.asked[2:] == ["load_current"]


def test_refresh_through_a_store(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    place = tmp_path / "snapshot"
    build(rows("one"), place)
    store = Store(parsed(place))
    reader = open_reader(place, manifest_store=fitting(open_reader, store))
    build(rows("two"), place)
    assert reader.refresh() is False
    assert reader.get("k1") == b"one"
    store.manifests["kept/later"] = parsed(place)
    assert reader.refresh() is True
    assert reader.get("k1") == b"two"
    store.current = 0  # somebody rolled back
    assert reader.refresh() is True
    assert reader.get("k1") == b"one"
    assert reader.snapshot_info().manifest_ref == "kept/0"


@pytest.mark.parametrize("place", ["files", "s3"])
def test_a_store_beside_the_snapshot(
    open_reader: Opener, data: pathlib.Path, place: str, request: pytest.FixtureRequest
) -> None:
    """Manifests in memory, shards on the store that the manifest names."""
    manifest = parsed(data / "packages-1k")
    url: Any = data / "packages-1k"
    if place == "s3":
        url = f"{request.getfixturevalue('s3_data')}/packages-1k"
    memory = InMemoryManifestStore()
    ref = memory.publish(
        run_id=manifest.required_build.run_id,
        required_build=manifest.required_build,
        shards=manifest.shards,
        custom=manifest.custom,
    )
    reader = open_reader(url, manifest_store=fitting(open_reader, memory))
    assert reader.snapshot_info().manifest_ref == ref
    assert reader.get(reader.shard_details()[1].max_key) is not None


def test_the_stores_of_this_package(open_reader: Opener, data: pathlib.Path) -> None:
    snapshot = data / "packages-1k"
    prefix = "s3://samples/packages-1k"
    objects = {
        f"{prefix}/{path.relative_to(snapshot)}": path.read_bytes()
        for path in (snapshot / "_CURRENT", manifest_of(snapshot))
    }
    store: Any
    if open_reader.is_async:
        awaited = AsyncMemoryBackend()
        for url, content in objects.items():
            asyncio.run(awaited.put(url, content, "application/octet-stream"))
        store = AsyncS3ManifestStore(awaited, prefix)
    else:
        plain = MemoryBackend()
        for url, content in objects.items():
            plain.put(url, content, "application/octet-stream")
        store = S3ManifestStore(plain, prefix)
    reader = open_reader(snapshot, manifest_store=store)
    assert reader.get(reader.shard_details()[0].min_key) is not None
    assert reader.refresh() is False


def test_nothing_published(open_reader: Opener, data: pathlib.Path) -> None:
    store = Store()
    store.load_current = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ReaderStateError, match="CURRENT pointer not found"):
        open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))
    good = Store(parsed(data / "packages-1k"))
    reader = open_reader(data / "packages-1k", manifest_store=fitting(open_reader, good))
    good.load_current = lambda: None  # type: ignore[method-assign]
    with pytest.raises(ReaderStateError, match="CURRENT pointer not found"):
        reader.refresh()
    assert reader.get(reader.shard_details()[0].min_key) is not None


@pytest.mark.parametrize("answer", ["kept/0", 5, b"", {"ref": "kept/0"}, ManifestRef("", "", datetime.now(UTC))])
def test_a_nonsensical_current(open_reader: Opener, data: pathlib.Path, answer: Any) -> None:
    store = Store(parsed(data / "packages-1k"))
    store.load_current = lambda: answer  # type: ignore[method-assign]
    with pytest.raises(ManifestStoreError, match=r"(Store|Awaited)\.load_current returned") as caught:
        open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))
    assert caught.value.retryable is False


@pytest.mark.parametrize("answer", [None, 5, b"SQLite format 3", "text", {"shards": []}, object()])
def test_a_nonsensical_manifest(open_reader: Opener, data: pathlib.Path, answer: Any) -> None:
    store = Store(answer)
    with pytest.raises(ManifestStoreError, match=r"load_manifest returned .*, not a ParsedManifest") as caught:
        open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))
    assert caught.value.retryable is False
    assert "list_manifests" not in store.asked


@pytest.mark.parametrize("answer", [None, 5, "ab", [1], [None], ["kept/0"]])
def test_a_nonsensical_list(open_reader: Opener, data: pathlib.Path, answer: Any) -> None:
    store = Store(MALFORMED)
    store.list_manifests = lambda *, limit=10: answer  # type: ignore[method-assign]
    with pytest.raises(ManifestStoreError, match="list_manifests returned"):
        open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))


def test_what_a_store_raises_comes_through(open_reader: Opener, data: pathlib.Path) -> None:
    store = Store(ZeroDivisionError("mine"))
    with pytest.raises(ZeroDivisionError, match="mine"):
        open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))
    assert store.asked == ["load_current", "load_manifest kept/0"]
    good = Store(parsed(data / "packages-1k"))
    reader = open_reader(data / "packages-1k", manifest_store=fitting(open_reader, good))
    good.manifests["kept/bad"] = ManifestStoreError("down")
    with pytest.raises(ManifestStoreError, match="down"):
        reader.refresh()
    assert reader.get(reader.shard_details()[0].min_key) is not None
    assert reader.snapshot_info().manifest_ref == "kept/0"


@pytest.mark.parametrize("attempts", [0, 1, 2, 3])
def test_fallback_through_a_store(open_reader: Opener, data: pathlib.Path, attempts: int) -> None:
    good = parsed(data / "packages-1k")
    newer = [parsed(data / "packages-1k"), parsed(data / "packages-1k")]
    store = Store(good, MALFORMED, MALFORMED, *newer, current=2)  # two newer ones: somebody rolled back
    options: dict[str, Any] = {
        "manifest_store": fitting(open_reader, store),
        "max_fallback_attempts": attempts,
    }
    if attempts == 0:
        with pytest.raises(ManifestParseError, match="this one is malformed"):
            open_reader(data / "packages-1k", **options)
        assert store.asked == ["load_current", "load_manifest kept/2"]
        return
    if attempts == 1:
        with pytest.raises(ReaderStateError, match="this one is malformed"):
            open_reader(data / "packages-1k", **options)
        return
    reader = open_reader(data / "packages-1k", **options)
    assert reader.snapshot_info().manifest_ref == "kept/0"
    assert [line for line in store.asked if line.startswith("load_manifest")] == [
        "load_manifest kept/2",
        "load_manifest kept/1",
        "load_manifest kept/0",
    ]


def test_a_malformed_manifest_at_refresh(
    open_reader: Opener, data: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = Store(parsed(data / "packages-1k"), MALFORMED, current=0)
    reader = open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))
    store.current = 1
    caplog.set_level(logging.WARNING, "shardyfusion")
    assert reader.refresh() is False
    assert reader.snapshot_info().manifest_ref == "kept/0"
    told = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(told) == 1
    assert "kept/1" in told[0]
    assert "this one is malformed" in told[0]


def test_a_manifest_that_the_core_refuses(
    open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its shards are elsewhere, which the core follows no manifest to."""
    good = parsed(data / "packages-1k")
    moved = [shard.model_copy(update={"db_url": "s3://elsewhere/shard"}) for shard in good.shards]
    bad = ParsedManifest(required_build=good.required_build, shards=moved, custom=good.custom)
    with pytest.raises(ManifestParseError, match="elsewhere"):
        open_reader(data / "packages-1k", manifest_store=fitting(open_reader, Store(bad)), max_fallback_attempts=0)
    store = Store(good, bad, current=0)
    reader = open_reader(data / "packages-1k", manifest_store=fitting(open_reader, store))
    store.current = 1
    caplog.set_level(logging.WARNING, "shardyfusion")
    assert reader.refresh() is False
    assert reader.get(reader.shard_details()[0].min_key) is not None
    assert any("elsewhere" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("store", [5, "text", object(), {}, Store, InMemoryManifestStore])
def test_what_is_no_store(open_reader: Opener, data: pathlib.Path, store: Any) -> None:
    with pytest.raises(ConfigValidationError, match="manifest_store"):
        open_reader(data / "packages-1k", manifest_store=store)


def test_half_a_store(open_reader: Opener, data: pathlib.Path) -> None:
    class Half:
        def load_current(self) -> None:
            return None

    with pytest.raises(ConfigValidationError, match="Half has no method load_manifest, list_manifests"):
        open_reader(data / "packages-1k", manifest_store=Half())


@pytest.mark.parametrize("method", ["load_current", "load_manifest", "list_manifests"])
def test_a_store_of_the_other_way(open_reader: Opener, data: pathlib.Path, method: str) -> None:
    """Refused with what to give instead; a coroutine that nobody awaits leaves no warning."""
    manifest = parsed(data / "packages-1k") if method == "load_manifest" else MALFORMED
    mixed: Any = fitting(open_reader, Store(manifest))
    other = Store(manifest) if open_reader.is_async else Awaited(Store(manifest))
    setattr(mixed, method, getattr(other, method))
    with pytest.raises(ManifestStoreError, match=f"{method} returned .*Store"):
        open_reader(data / "packages-1k", manifest_store=mixed)
