"""The readers against every snapshot that the Python project wrote, and what its own readers answered about it."""

from __future__ import annotations

import asyncio
import json
import pathlib
from typing import Any

import numpy
import peer
import pytest
from peer import Case, settled

from shardyfusion import (
    AsyncShardedReader,
    AsyncUnifiedShardedReader,
    ConcurrentShardedReader,
    ConfigValidationError,
    ManifestParseError,
    ManifestStoreError,
    ReaderStateError,
    ShardedReader,
    UnifiedShardedReader,
)
from shardyfusion.cel import UnknownRoutingTokenError

CASES = peer.cases()
if not CASES:
    pytest.skip("SHF_SHARED does not lead to the snapshots of the Python project", allow_module_level=True)

KV_READERS: dict[str, Any] = {
    "async": AsyncShardedReader.open,
    "sync": ShardedReader,
    "concurrent": ConcurrentShardedReader,
}
UNIFIED_READERS: dict[str, Any] = {"async": AsyncUnifiedShardedReader.open, "sync": UnifiedShardedReader}
ALL_READERS = {**KV_READERS, **{f"unified-{name}": reader for name, reader in UNIFIED_READERS.items()}}


def _parameters(readers: dict[str, Any], kinds: tuple[str, ...], *, opens: bool = True) -> list[Any]:
    return [
        pytest.param(case, reader, id=f"{case.name}-{name}")
        for case in CASES
        if case.kind in kinds and ("open_error" in case.about) != opens
        for name, reader in readers.items()
    ]


KV = _parameters(KV_READERS, ("kv-only",))
UNIFIED = _parameters(UNIFIED_READERS, ("unified", "composite"))
UNOPENED = _parameters(UNIFIED_READERS, ("unified", "composite"), opens=False)


async def _open(case: Case, reader: Any, folder: pathlib.Path, **more: Any) -> Any:
    return await settled(reader(s3_prefix=case.url, local_root=str(folder), **more))


async def _check_route(reader: Any, record: peer.Record, more: dict[str, Any]) -> None:
    given, error = record["given"], peer.routing_error(record)
    if error is not None:
        for route in (reader.route_key, reader.shard_for_key):
            with pytest.raises(error):
                route(given, **more)
        return
    assert reader.route_key(given, **more) == record["shard"], given
    assert reader.shard_for_key(given, **more).db_id == record["shard"], given


async def _check_get(reader: Any, record: peer.Record, more: dict[str, Any]) -> bool:
    """Whether it was answered; a token that is not known has no keys, and is no error here."""
    error = peer.routing_error(record)
    if error is None or error is UnknownRoutingTokenError:
        assert await settled(reader.get(record["given"], **more)) == record["bytes"], record["given"]
        return True
    for get in (reader.get, lambda key, **more: reader.multi_get([key], **more)):
        with pytest.raises(error):
            await settled(get(record["given"], **more))
    return False


async def _check_lookups(case: Case, reader: Any) -> None:
    alike: dict[str, tuple[dict[str, Any], list[peer.Record]]] = {}
    for record in case.keys:
        context = record.get("routing_context")
        more = {} if context is None else {"routing_context": context}
        await _check_route(reader, record, more)
        if await _check_get(reader, record, more):
            alike.setdefault(json.dumps(context), (more, []))[1].append(record)
    for more, records in alike.values():
        keys = [record["given"] for record in records]
        values = await settled(reader.multi_get(keys + keys[:2], **more))
        assert values == {record["given"]: record["bytes"] for record in records}
        if more:  # shards_for_keys takes no context
            continue
        shards = reader.shards_for_keys(keys)
        assert {key: shard.db_id for key, shard in shards.items()} == {
            record["given"]: record["shard"] for record in records
        }


def _check_inspection(case: Case, reader: Any) -> None:
    told, recorded = reader.snapshot_info(), case.info["snapshot_info"]
    assert {
        "run_id": told.run_id,
        "num_dbs": told.num_dbs,
        "sharding": told.sharding.value,
        "created_at": told.created_at.isoformat(),
        "manifest_ref": told.manifest_ref,
        "row_count": told.row_count,
        "key_encoding": told.key_encoding.value,
        "hash_algorithm": told.hash_algorithm.value,
    } == recorded
    names = ("db_id", "row_count", "min_key", "max_key", "db_url")
    details = [{name: getattr(shard, name) for name in names} for shard in reader.shard_details()]
    assert details == case.info["shard_details"]
    assert reader.key_encoding.value == recorded["key_encoding"]
    health = reader.health()
    assert (health.status, health.manifest_ref, health.is_closed) == ("healthy", recorded["manifest_ref"], False)


def _check_vector_meta(case: Case, reader: Any) -> None:
    names = ("dim", "index_type", "quantization", "index_params", "backend", "kv_backend")
    meta = reader.vector_meta
    assert {name: getattr(meta, name) for name in names} | {"metric": meta.metric.value} == case.info["vector_meta"]


def _is_zero_under_cosine(case: Case, query: Any) -> bool:
    return case.about["metric"] == "cosine" and not query.any()


async def _check_searches(case: Case, reader: Any) -> None:
    for number, record in enumerate(case.queries):
        what = f"{case.name}, query {number}"
        names = ("top_k", "shard_ids", "routing_context")
        given, chosen = record["given"], {name: record.get(name) for name in names}
        error = peer.routing_error(record)
        if error is not None:
            with pytest.raises(error):
                await settled(reader.search(given, **chosen))
            continue
        if _is_zero_under_cosine(case, given):
            with pytest.raises(ConfigValidationError):
                await settled(reader.search(given, **chosen))
            continue
        answer = await settled(reader.search(given, **chosen))
        peer.check_hits(answer.results, record, what)
        assert answer.latency_ms >= 0, what
        if record.get("num_shards_queried") is not None:
            assert answer.num_shards_queried == record["num_shards_queried"], what


async def _check_batches(case: Case, reader: Any) -> None:
    everywhere = [r for r in case.queries if not r.get("shard_ids") and r.get("routing_context") is None]
    alike = [record for record in everywhere if not _is_zero_under_cosine(case, record["given"])]
    most = max(record["top_k"] for record in alike)
    alike = [record for record in alike if record["top_k"] == most]
    answers = await settled(reader.batch_search(numpy.stack([record["given"] for record in alike]), most))
    assert len(answers) == len(alike)
    for number, (answer, record) in enumerate(zip(answers, alike, strict=True)):
        peer.check_hits(answer.results, record, f"{case.name}, query {number} of a batch")


@pytest.mark.parametrize(("case", "reader"), KV)
def test_keys_and_values(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    async def check() -> None:
        opened = await _open(case, reader, tmp_path)
        await _check_lookups(case, opened)
        _check_inspection(case, opened)
        assert await settled(opened.refresh()) is False
        await settled(opened.close())

    asyncio.run(check())


@pytest.mark.parametrize(("case", "reader"), UNIFIED)
def test_keys_and_vectors(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    async def check() -> None:
        opened = await _open(case, reader, tmp_path)
        await _check_lookups(case, opened)
        _check_inspection(case, opened)
        _check_vector_meta(case, opened)
        await _check_searches(case, opened)
        await _check_batches(case, opened)
        assert await settled(opened.refresh()) is False
        await settled(opened.close())

    asyncio.run(check())


@pytest.mark.parametrize(("case", "reader"), _parameters(ALL_READERS, ("vector-only",)))
def test_vectors_alone_are_for_other_readers(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ConfigValidationError, match="ShardedVectorReader"):
        asyncio.run(_open(case, reader, tmp_path))


# Where the Python project lets a FileNotFoundError through, as its code does not mean to: a missing pointer is a matter
# of state, a missing manifest one of the store.
NOT_FOUND: dict[str, type[Exception]] = {"current-dangling": ManifestStoreError, "current-missing": ReaderStateError}
RECORDED: dict[str, type[Exception]] = {"ManifestParseError": ManifestParseError, "ReaderStateError": ReaderStateError}


async def _check_failure(case: Case, reader: Any, folder: pathlib.Path, error: peer.Record, **more: Any) -> None:
    recorded = error["class"]
    expected = NOT_FOUND[case.name] if recorded == "FileNotFoundError" else RECORDED[recorded]
    with pytest.raises(expected) as caught:
        await _open(case, reader, folder, **more)
    assert type(caught.value) is expected


@pytest.mark.parametrize(("case", "reader"), UNOPENED)
def test_failures_to_open(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    asyncio.run(_check_failure(case, reader, tmp_path, case.about["open_error"]))


@pytest.mark.parametrize(
    ("case", "reader"),
    [given for given in UNIFIED + UNOPENED if "open_by_max_fallback_attempts" in given.values[0].about],
)
def test_fallback_attempts(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    async def check(attempts: int, error: peer.Record | None, run: int) -> None:
        if error is not None:
            await _check_failure(case, reader, tmp_path, error, max_fallback_attempts=attempts)
            return
        opened = await _open(case, reader, tmp_path, max_fallback_attempts=attempts)
        assert opened.snapshot_info().run_id.startswith(f"run-{run:02}-"), attempts
        await settled(opened.close())

    for recorded in case.about["open_by_max_fallback_attempts"]:
        asyncio.run(check(recorded["max_fallback_attempts"], recorded.get("error"), recorded.get("opened_run", 0)))
