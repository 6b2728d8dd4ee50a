"""The readers of vectors alone against every such snapshot that the Python project wrote, and what it answered."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import numpy
import peer
import pytest
from peer import Case, settled

from shardyfusion import ConfigValidationError, InvalidArgumentError, ReaderStateError, ShardAssignmentError
from shardyfusion.cel import UnknownRoutingTokenError
from shardyfusion.vector import AsyncShardedVectorReader, ShardedVectorReader, VectorShardDetail, VectorSnapshotInfo

CASES = peer.cases()
if not CASES:
    pytest.skip("SHF_SHARED does not lead to the snapshots of the Python project", allow_module_level=True)

READERS: dict[str, Any] = {"async": AsyncShardedVectorReader.open, "sync": ShardedVectorReader}
ARGUMENTS = ("shard_ids", "num_probes", "routing_context")


def _parameters(*kinds: str) -> list[Any]:
    return [
        pytest.param(case, reader, id=f"{case.name}-{name}")
        for case in CASES
        if case.kind in kinds and "open_error" not in case.about
        for name, reader in READERS.items()
    ]


async def _open(case: Case, reader: Any, folder: pathlib.Path, **more: Any) -> Any:
    return await settled(reader(s3_prefix=case.url, local_root=str(folder), **more))


def _arguments(record: peer.Record) -> dict[str, Any]:
    return {name: record[name] for name in ARGUMENTS if name in record}


def _refusal(record: peer.Record) -> type[Exception] | None:
    if "error" not in record:
        return None
    recorded = {"ConfigValidationError": ConfigValidationError, "UnknownRoutingTokenError": UnknownRoutingTokenError}
    return recorded[record["error"]["class"]]


def _check_route(reader: Any, record: peer.Record) -> None:
    arguments = _arguments(record)
    if "shard_ids" in arguments:
        return
    refused = _refusal(record)
    if refused is None:
        assert reader.route_vector(record["given"], **arguments) == record["routed_shards"]
        return
    with pytest.raises(refused):
        reader.route_vector(record["given"], **arguments)


async def _check_search(reader: Any, record: peer.Record, what: str) -> None:
    refused = _refusal(record)
    if refused is not None:
        with pytest.raises(refused) as caught:
            await settled(reader.search(record["given"], record["top_k"], **_arguments(record)))
        assert isinstance(caught.value, (ConfigValidationError, ShardAssignmentError)), what
        return
    answer = await settled(reader.search(record["given"], record["top_k"], **_arguments(record)))
    peer.check_hits(answer.results, record, what)
    assert answer.num_shards_queried == record["num_shards_queried"], what


async def _check_batch(reader: Any, records: list[peer.Record]) -> None:
    """Those that share their arguments, together."""
    alike: dict[str, list[peer.Record]] = {}
    for record in records:
        if _refusal(record) is None:
            alike.setdefault(repr((record["top_k"], _arguments(record))), []).append(record)
    assert any(len(group) > 1 for group in alike.values())
    for what, group in alike.items():
        queries = numpy.stack([record["given"] for record in group])
        answers = await settled(reader.batch_search(queries, group[0]["top_k"], **_arguments(group[0])))
        for answer, record in zip(answers, group, strict=True):
            peer.check_hits(answer.results, record, what)
            assert answer.num_shards_queried == record["num_shards_queried"], what


def _check_inspection(case: Case, reader: Any) -> None:
    recorded = case.info["snapshot_info"]
    info = reader.snapshot_info()
    assert isinstance(info, VectorSnapshotInfo)
    names = ("run_id", "num_dbs", "dim", "manifest_ref", "total_vectors")
    told = {name: getattr(info, name) for name in names}
    assert {**told, "metric": info.metric.value, "sharding": info.sharding.value} == recorded
    details = reader.shard_details()
    assert details == [VectorShardDetail(**shard) for shard in case.info["shard_details"]]
    assert [reader.shard_for_id(shard.db_id) for shard in details] == details
    for unknown in (-1, info.num_dbs, 2**40):
        assert reader.shard_for_id(unknown) == VectorShardDetail(unknown, None, 0, None)
    health = reader.health()
    assert (health.status, health.manifest_ref, health.num_shards, health.is_closed) == (
        "healthy",
        recorded["manifest_ref"],
        recorded["num_dbs"],
        False,
    )
    assert health.manifest_age_seconds > 0


@pytest.mark.parametrize("preload_shards", [False, True], ids=["late", "preloaded"])
@pytest.mark.parametrize(("case", "reader"), _parameters("vector-only"))
def test_vectors(case: Case, reader: Any, preload_shards: bool, tmp_path: pathlib.Path) -> None:
    async def check() -> None:
        opened = await _open(case, reader, tmp_path, preload_shards=preload_shards)
        _check_inspection(case, opened)
        for number, record in enumerate(case.queries):
            _check_route(opened, record)
            await _check_search(opened, record, f"{case.name}, query {number}")
        await _check_batch(opened, case.queries)
        assert await settled(opened.refresh()) is False
        await settled(opened.close())

    asyncio.run(check())


@pytest.mark.parametrize(("case", "reader"), _parameters("vector-only"))
def test_what_is_refused(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    """The Python project answers the first few with no hits, or with the hits of one shard twice."""

    async def check() -> None:
        opened = await _open(case, reader, tmp_path)
        query = numpy.ones(case.about["dim"], dtype=numpy.float32)
        shards = case.about["num_dbs"]
        for arguments in (
            {"shard_ids": [shards]},
            {"shard_ids": [-1]},
            {"shard_ids": [0, 0]},
            {"num_probes": 0},
            {"num_probes": -1},
            {"num_probes": True},
            {"num_probes": "2"},
        ):
            with pytest.raises(InvalidArgumentError):
                await settled(opened.search(query, **arguments))
        for wrong in (numpy.ones(case.about["dim"] + 1), numpy.full(case.about["dim"], numpy.nan)):
            with pytest.raises(InvalidArgumentError):
                await settled(opened.search(wrong, shard_ids=[0]))
        with pytest.raises(InvalidArgumentError):
            await settled(opened.search(query, 0, shard_ids=[0]))
        nothing = await settled(opened.search(query, shard_ids=[]))
        assert (nothing.results, nothing.num_shards_queried) == ([], 0)
        await settled(opened.close())

    asyncio.run(check())


@pytest.mark.parametrize(("case", "reader"), _parameters("kv-only"))
def test_snapshots_without_vectors(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    with pytest.raises(ReaderStateError, match="ShardedReader"):
        asyncio.run(_open(case, reader, tmp_path))


@pytest.mark.parametrize(("case", "reader"), [given for given in _parameters("unified") if "cosine-str" in given.id])
def test_vectors_beside_keys_are_searched_by_shard_ids(case: Case, reader: Any, tmp_path: pathlib.Path) -> None:
    """As in the Python project: such a manifest names no strategy, and none means EXPLICIT."""

    async def check() -> None:
        opened = await _open(case, reader, tmp_path)
        assert opened.snapshot_info().sharding.value == "explicit"
        for number, record in enumerate(case.queries):
            if not record["given"].any():
                continue
            if record.get("shard_ids"):
                await _check_search(opened, record, f"{case.name}, query {number}")
                continue
            for ask in (opened.search, opened.route_vector):
                with pytest.raises(ConfigValidationError, match="shard_ids"):
                    await settled(ask(record["given"]))
        await settled(opened.close())

    asyncio.run(check())
