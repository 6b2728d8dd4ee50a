"""Readers of vectors alone: their life, their hooks, where they read from, and what they do with shards."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import logging
import pathlib
import shutil
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy
import pytest
import vector_records
from readers import InLoop

from shardyfusion import (
    ConfigValidationError,
    InMemoryManifestStore,
    InvalidArgumentError,
    ManifestParseError,
    ReaderStateError,
    ShardyfusionError,
    StaticCredentialProvider,
    VectorSpec,
)
from shardyfusion.composite_adapter import CompositeReaderFactory
from shardyfusion.manifest_store import parse_manifest_payload
from shardyfusion.reader import SlateDbReaderFactory
from shardyfusion.sqlite_adapter import SqliteReaderFactory
from shardyfusion.sqlite_vec_adapter import (
    AdaptiveSqliteVecReaderFactory,
    SqliteVecRangeReaderFactory,
    SqliteVecReaderFactory,
)
from shardyfusion.vector import AsyncShardedVectorReader, ShardedVectorReader, VectorReaderHealth
from shardyfusion.vector.adapters.lancedb_adapter import LanceDbReaderFactory

RECORDS = vector_records.records()
QUERY = RECORDS[0].vector


@pytest.fixture
def place(tmp_path: pathlib.Path) -> pathlib.Path:
    """A snapshot of five clusters."""
    vector_records.write(tmp_path / "snapshot", "centroids")
    return tmp_path / "snapshot"


class Opener:
    """Opens readers of one way, under the face of synchronous ones, and closes them at the end of the test."""

    def __init__(self, how: str, cache: pathlib.Path) -> None:
        self.is_async, self._cache = how == "async", cache
        self._runner, self._opened = asyncio.Runner(), contextlib.ExitStack()

    def __call__(self, url: object, **options: Any) -> Any:
        prefix = f"file://{url}" if isinstance(url, pathlib.Path) else str(url)
        options = {"s3_prefix": prefix, "local_root": str(self._cache), **options}
        reader: Any
        if self.is_async:
            reader = InLoop(self._runner, self._runner.run(AsyncShardedVectorReader.open(**options)))
        else:
            reader = ShardedVectorReader(**options)
        self._opened.callback(reader.close)
        return reader

    def close(self) -> None:
        self._opened.close()
        self._runner.close()


@pytest.fixture(params=["sync", "async"])
def opened(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> Iterator[Opener]:
    opener = Opener(request.param, tmp_path / "cache")
    yield opener
    opener.close()


def open_shards(reader: Any) -> int:
    core = getattr(reader, "inner", reader)._core
    return int(core.health(0)[4])


# -- life


def test_a_closed_reader(opened: Opener, place: pathlib.Path) -> None:
    reader = opened(place)
    assert reader.health().num_shards == 5
    reader.close()
    reader.close()
    assert reader.health() == VectorReaderHealth("unhealthy", None, None, 0, True)
    for call in (
        lambda: reader.search(QUERY),
        lambda: reader.batch_search([QUERY]),
        lambda: reader.batch_search([]),
        lambda: reader.route_vector(QUERY),
        lambda: reader.shard_for_id(0),
        reader.shard_details,
        reader.snapshot_info,
        reader.refresh,
    ):
        with pytest.raises(ReaderStateError, match="closed"):
            call()


def test_a_reader_that_was_never_opened(place: pathlib.Path, tmp_path: pathlib.Path) -> None:
    async def check() -> None:
        reader = AsyncShardedVectorReader(s3_prefix=f"file://{place}", local_root=str(tmp_path / "cache"))
        assert reader.health() == VectorReaderHealth("unhealthy", None, None, 0, False)
        with pytest.raises(ReaderStateError, match="open"):
            await reader.search(QUERY)
        with pytest.raises(ReaderStateError, match="open"):
            await reader.refresh()
        await reader.close()

    asyncio.run(check())


def test_with(place: pathlib.Path, tmp_path: pathlib.Path) -> None:
    options = {"s3_prefix": f"file://{place}", "local_root": str(tmp_path / "cache")}

    async def check() -> None:
        async with await AsyncShardedVectorReader.open(**options) as reader:
            assert (await reader.search(QUERY, 1)).results[0].id == RECORDS[0].id
            assert inspect.iscoroutinefunction(reader.batch_search)
        assert reader.health().is_closed
        with pytest.raises(TypeError):
            await AsyncShardedVectorReader.open(**options, current_pointer_key="_CURRENT")

    asyncio.run(check())
    with ShardedVectorReader(**options) as reader:  # type: ignore[arg-type]
        assert reader.search(QUERY, 1).results[0].id == RECORDS[0].id
        assert "ShardedVectorReader('file://" in repr(reader)
    assert reader.health().is_closed


def test_many_searches_at_once(place: pathlib.Path, tmp_path: pathlib.Path) -> None:
    async def check() -> None:
        async with await AsyncShardedVectorReader.open(
            s3_prefix=f"file://{place}", local_root=str(tmp_path / "cache"), max_concurrency=2, max_cached_shards=1
        ) as reader:
            answers = await asyncio.gather(*(reader.search(record.vector, 1) for record in RECORDS[:200]))
            assert [answer.results[0].id for answer in answers] == [record.id for record in RECORDS[:200]]

    asyncio.run(check())


def test_health_and_age(opened: Opener, place: pathlib.Path) -> None:
    reader = opened(place)
    assert reader.health(staleness_threshold=timedelta(days=1)).status == "healthy"
    told = reader.health(staleness_threshold=timedelta(microseconds=1))
    assert told.manifest_age_seconds >= 0 and told.status in ("healthy", "degraded")
    with pytest.raises(ConfigValidationError):
        reader.health(staleness_threshold=5)


# -- refresh: whatever fails leaves what is served


def test_refresh_swallows_failures(opened: Opener, place: pathlib.Path, caplog: pytest.LogCaptureFixture) -> None:
    reader = opened(place)
    run = reader.snapshot_info().run_id
    pointer = (place / "_CURRENT").read_bytes()
    for broken in (b"{", None):
        if broken is None:
            (place / "_CURRENT").unlink()
        else:
            (place / "_CURRENT").write_bytes(broken)
        with caplog.at_level(logging.WARNING, "shardyfusion"):
            assert reader.refresh() is False
        assert any("served on" in record.getMessage() for record in caplog.records)
        caplog.clear()
        assert reader.snapshot_info().run_id == run and reader.search(QUERY, 1).results
    (place / "_CURRENT").write_bytes(pointer)
    assert reader.refresh() is False
    again = vector_records.write(place, "lsh")
    assert reader.refresh() is True
    assert reader.snapshot_info().run_id == again.run_id


def test_centroids_that_are_gone(opened: Opener, place: pathlib.Path) -> None:
    reader = opened(place)
    vector_records.write(place, "centroids", RECORDS[:50])
    for table in place.rglob("centroids.npy"):
        table.unlink()
    assert reader.refresh() is False
    assert reader.snapshot_info().total_vectors == len(RECORDS)
    with pytest.raises(ReaderStateError, match="centroids"):
        opened(place)


# -- shards


def test_shards_are_opened_when_they_are_searched(opened: Opener, place: pathlib.Path) -> None:
    late, early = opened(place), opened(place, preload_shards=True)
    assert (open_shards(late), open_shards(early)) == (0, 5)
    late.search(QUERY, 1)
    assert open_shards(late) == 1
    shutil.rmtree(place / "shards")
    assert early.search(QUERY, 3, shard_ids=[0, 1, 2, 3, 4]).results
    with pytest.raises(ShardyfusionError):
        late.search(QUERY, 3, shard_ids=[0, 1, 2, 3, 4])
    with pytest.raises(ShardyfusionError):
        opened(place, preload_shards=True)


@pytest.mark.parametrize("limit", [None, 0, -3, 1, 2, 9])
def test_shards_that_stay_open(opened: Opener, place: pathlib.Path, limit: int | None) -> None:
    reader = opened(place, max_cached_shards=limit)
    everywhere = [0, 1, 2, 3, 4]
    for _ in range(2):
        for shard in everywhere:
            assert reader.search(QUERY, 1, shard_ids=[shard]).num_shards_queried == 1
        found = [hit.id for hit in reader.search(QUERY, 9, shard_ids=everywhere).results]
        assert found == vector_records.nearest(RECORDS, QUERY, 9)
    reader.search(QUERY, 1, shard_ids=[0])
    assert open_shards(reader) == (limit if limit in (1, 2) else 5)


# -- arguments


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"max_cached_shards": "2"}, InvalidArgumentError),
        ({"max_cached_shards": True}, InvalidArgumentError),
        ({"max_fallback_attempts": -1}, InvalidArgumentError),
        ({"s3_prefix": ""}, InvalidArgumentError),
        ({"local_root": ""}, InvalidArgumentError),
        ({"metrics_collector": object()}, ConfigValidationError),
        ({"rate_limiter": object()}, ConfigValidationError),
        ({"manifest_store": object()}, ConfigValidationError),
    ],
)
def test_wrong_arguments(opened: Opener, place: pathlib.Path, options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        opened(place, **options)


def test_a_path_as_local_root(opened: Opener, place: pathlib.Path, tmp_path: pathlib.Path) -> None:
    assert opened(place, local_root=tmp_path / "other").search(QUERY, 1).results


def test_wrong_arguments_of_a_batch(opened: Opener, place: pathlib.Path) -> None:
    reader = opened(place)
    with pytest.raises(TypeError):
        reader.batch_search([QUERY], 3, shards=[0])
    with pytest.raises(InvalidArgumentError):
        reader.batch_search(QUERY, 3)
    with pytest.raises(InvalidArgumentError):
        reader.batch_search([QUERY, [1.0]], 3)
    assert reader.batch_search([], 3) == []
    assert reader.batch_search(numpy.empty((0, 8), numpy.float32)) == []


FACTORIES = [
    SqliteVecReaderFactory(),
    SqliteVecRangeReaderFactory(),
    AdaptiveSqliteVecReaderFactory(),
    LanceDbReaderFactory(),
]


@pytest.mark.parametrize("factory", FACTORIES, ids=lambda factory: type(factory).__name__)
def test_factories_are_settings(opened: Opener, place: pathlib.Path, factory: Any) -> None:
    assert opened(place, reader_factory=factory).search(QUERY, 1).results[0].id == RECORDS[0].id


class OwnFactory:
    def __call__(self, **arguments: Any) -> Any:
        raise AssertionError("nobody calls it")


@pytest.mark.parametrize(
    "factory",
    [
        OwnFactory(),
        SqliteReaderFactory(),
        SlateDbReaderFactory(),
        CompositeReaderFactory(SqliteReaderFactory(), LanceDbReaderFactory(), VectorSpec(8)),
    ],
    ids=lambda factory: type(factory).__name__,
)
def test_factories_for_other_readers(opened: Opener, place: pathlib.Path, factory: Any) -> None:
    with pytest.raises(ConfigValidationError, match=f"reader_factory={type(factory).__name__}"):
        opened(place, reader_factory=factory)


# -- hooks and stores


class Collector:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def emit(self, event: Any, payload: dict[str, Any]) -> None:
        self.told.append((event.value, dict(payload)))


class Limiter:
    """Of both ways."""

    def __init__(self) -> None:
        self.taken: list[int] = []

    def acquire(self, tokens: int = 1) -> None:
        self.taken.append(tokens)

    async def acquire_async(self, tokens: int = 1) -> None:
        self.taken.append(tokens)

    def try_acquire(self, tokens: int = 1) -> Any:
        raise AssertionError("nobody asks")


def test_hooks(opened: Opener, place: pathlib.Path) -> None:
    collector, limiter = Collector(), Limiter()
    reader = opened(place, metrics_collector=collector, rate_limiter=limiter)
    reader.search(QUERY, 4, num_probes=2)
    reader.batch_search([QUERY, QUERY, QUERY], 2, shard_ids=[0, 1])
    reader.refresh()
    result = vector_records.write(place, "lsh")
    reader.refresh()
    reader.close()
    reader.close()
    assert limiter.taken == [1, 3]
    for name, payload in collector.told:
        if name == "vector.reader.search":
            assert payload.pop("elapsed_ms") >= 0
    one = {"top_k": 4, "num_shards_queried": 2, "num_results": 4}
    each = {"top_k": 2, "num_shards_queried": 2, "num_results": 2}
    assert collector.told == [
        ("vector.reader.initialized", {"s3_prefix": f"file://{place}", "num_shards": 5}),
        ("vector.reader.search", one),
        *[("vector.reader.search", each)] * 3,
        ("vector.reader.refreshed", {"manifest_ref": result.manifest_ref}),
        ("vector.reader.closed", {}),
    ]


class _AsyncStore:
    def __init__(self, inner: InMemoryManifestStore) -> None:
        self._inner = inner

    async def load_current(self) -> Any:
        return self._inner.load_current()

    async def load_manifest(self, ref: str) -> Any:
        return self._inner.load_manifest(ref)

    async def list_manifests(self, *, limit: int = 10) -> Any:
        return self._inner.list_manifests(limit=limit)


def test_manifest_stores(opened: Opener, place: pathlib.Path) -> None:
    inner = InMemoryManifestStore()

    def publish() -> str:
        path = next(iter(sorted((place / "manifests").rglob("manifest"), reverse=True)))
        manifest = parse_manifest_payload(path.read_bytes())
        build = manifest.required_build
        return inner.publish(run_id=build.run_id, required_build=build, shards=manifest.shards, custom=manifest.custom)

    ref = publish()
    reader = opened(place, manifest_store=_AsyncStore(inner) if opened.is_async else inner)
    assert reader.snapshot_info().manifest_ref == ref
    assert reader.search(QUERY, 1).results[0].id == RECORDS[0].id
    vector_records.write(place, "lsh", RECORDS[:90])
    assert reader.refresh() is False
    publish()
    assert reader.refresh() is True
    assert reader.snapshot_info().total_vectors == 90


def test_malformed_manifests(opened: Opener, place: pathlib.Path) -> None:
    first = opened(place).snapshot_info().run_id
    vector_records.write(place, "lsh")
    newest = sorted((place / "manifests").rglob("manifest"))[-1]
    newest.write_bytes(b"no manifest")
    assert opened(place).snapshot_info().run_id == first
    with pytest.raises(ManifestParseError):
        opened(place, max_fallback_attempts=0)


def test_over_s3(opened: Opener, s3_bucket: str, tmp_path: pathlib.Path) -> None:
    url = f"{s3_bucket}/{tmp_path.name}-{'async' if opened.is_async else 'sync'}"
    vector_records.write(url, "trained", metric="cosine")
    reader = opened(url, max_cached_shards=2)
    for record in RECORDS[::100]:
        found = [hit.id for hit in reader.search(record.vector, 5, num_probes=4).results]
        assert found == vector_records.nearest(RECORDS, record.vector, 5, "cosine")
    wrong = StaticCredentialProvider(access_key_id="wrong", secret_access_key="wrong")
    with pytest.raises(ShardyfusionError):
        opened(url, credential_provider=wrong)
    vector_records.write(url, "lsh")
    assert reader.refresh() is True
    assert reader.snapshot_info().sharding.value == "lsh"
