"""What readers say of themselves and of their snapshot."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from readers import Builder, Opener, lines

from shardyfusion.errors import ConfigValidationError
from shardyfusion.manifest import RequiredShardMeta
from shardyfusion.reader import ReaderHealth, ShardDetail, SnapshotInfo
from shardyfusion.reader.unified_reader import UnifiedVectorMeta
from shardyfusion.sharding_types import KeyEncoding, ShardHashAlgorithm, ShardingStrategy
from shardyfusion.vector.types import DistanceMetric

RUN = "d597585d196845f8875aba3ba5395387"


def test_snapshot_info(open_reader: Opener, data: pathlib.Path) -> None:
    info = open_reader(data / "packages-1k").snapshot_info()
    assert info == SnapshotInfo(
        run_id=RUN,
        num_dbs=2,
        sharding=ShardingStrategy.HASH,
        created_at=info.created_at,
        manifest_ref=info.manifest_ref,
        row_count=1000,
        key_encoding=KeyEncoding.UTF8,
        hash_algorithm=ShardHashAlgorithm.XXH3_64,
    )
    assert f"_run_id={RUN}/manifest" in info.manifest_ref
    assert datetime(2026, 11, 22, 7, tzinfo=UTC) < info.created_at < datetime(2026, 11, 22, 8, tzinfo=UTC)
    assert dataclasses.asdict(info)["sharding"] is ShardingStrategy.HASH
    with pytest.raises(dataclasses.FrozenInstanceError):
        info.num_dbs = 3


@pytest.mark.parametrize("name", ["kv-sqlite-u64be", "kv-slatedb-013", "unified-l2-int", "composite-slatedb-l2"])
def test_as_it_was_recorded(open_reader: Opener, shared: pathlib.Path, name: str) -> None:
    case = shared / "fixtures" / "peer" / name
    recorded = json.loads((case / "info.json").read_text())
    reader = open_reader(case / "snapshot", unified=not name.startswith("kv"))
    info, expected = reader.snapshot_info(), recorded["snapshot_info"]
    for field in ("run_id", "num_dbs", "row_count"):
        assert getattr(info, field) == expected[field]
    assert info.key_encoding.value == expected["key_encoding"]
    assert info.created_at == datetime.fromisoformat(expected["created_at"])
    for detail, wanted in zip(reader.shard_details(), recorded["shard_details"], strict=True):
        assert (detail.db_id, detail.row_count) == (wanted["db_id"], wanted["row_count"])
        assert (detail.min_key, detail.max_key) == (wanted["min_key"], wanted["max_key"])


def test_shard_details_and_empty_shards(open_reader: Opener, shared: pathlib.Path) -> None:
    reader = open_reader(shared / "fixtures" / "peer" / "unified-sparse-shards" / "snapshot")
    details = reader.shard_details()
    assert [detail.db_id for detail in details] == list(range(16))
    assert sum(detail.row_count for detail in details) == 5
    empty = [detail for detail in details if detail.row_count == 0]
    assert len(empty) >= 11
    assert all(detail == ShardDetail(detail.db_id, 0, None, None, None) for detail in empty)
    full = [detail for detail in details if detail.row_count]
    assert all(detail.db_url.endswith(f"db={detail.db_id:05d}/attempt=00") for detail in full)
    assert reader.shard_for_key(full[0].min_key).db_id == full[0].db_id


def test_route_key(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    for detail in reader.shard_details():
        for key in (detail.min_key, detail.max_key, detail.min_key.encode()):
            assert reader.route_key(key) == detail.db_id
    assert reader.route_key("not there") in (0, 1)
    with pytest.raises(ConfigValidationError):
        reader.route_key(1.5)


def test_routes_as_recorded(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "composite-120")
    for line in lines(data / "composite-120-answers.jsonl"):
        assert reader.route_key(line["key"]["str"]) == line["shard"]


def test_shard_for_key(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    detail = reader.shard_details()[1]
    shard = reader.shard_for_key(detail.min_key)
    assert type(shard) is RequiredShardMeta
    assert (shard.db_id, shard.row_count, shard.db_url) == (1, detail.row_count, detail.db_url)
    assert (shard.min_key, shard.max_key, shard.attempt) == (detail.min_key, detail.max_key, 0)
    assert shard.db_bytes > 0
    keys = [detail.min_key, detail.max_key, detail.min_key]
    assert reader.shards_for_keys(keys) == {detail.min_key: shard, detail.max_key: shard}
    assert reader.shards_for_keys(iter(keys)) == reader.shards_for_keys(keys)
    assert reader.shards_for_keys([]) == {}
    with pytest.raises(ConfigValidationError):
        reader.shards_for_keys([detail.min_key, None])


def test_key_encoding(open_reader: Opener, data: pathlib.Path, build: Builder, tmp_path: pathlib.Path) -> None:
    assert open_reader(data / "packages-1k").key_encoding is KeyEncoding.UTF8
    build([{"key": 1, "value": "a"}], tmp_path / "u32", "--key-encoding", "u32be")
    build([{"key": 1, "value": "a"}], tmp_path / "u64")
    build([{"key": "01", "value": "a"}], tmp_path / "raw", "--key-format", "hex")
    assert open_reader(tmp_path / "u32", unified=False).key_encoding is KeyEncoding.U32BE
    assert open_reader(tmp_path / "u64", unified=False).key_encoding is KeyEncoding.U64BE
    assert open_reader(tmp_path / "raw", unified=False).key_encoding is KeyEncoding.RAW


def test_vector_meta(open_reader: Opener, data: pathlib.Path) -> None:
    meta = open_reader(data / "packages-1k").vector_meta
    assert type(meta) is UnifiedVectorMeta
    assert (meta.dim, meta.metric, meta.backend, meta.kv_backend) == (
        *(384, DistanceMetric.COSINE),
        *("sqlite-vec", "sqlite-vec"),
    )
    assert isinstance(meta.index_params, dict)
    composite = open_reader(data / "composite-120").vector_meta
    assert (composite.dim, composite.metric, composite.backend, composite.kv_backend) == (
        *(4, DistanceMetric.DOT_PRODUCT),
        *("lancedb", "slatedb"),
    )


def test_quantization_is_told(open_reader: Opener, shared: pathlib.Path) -> None:
    meta = open_reader(shared / "fixtures" / "peer" / "unified-quantization-i8" / "snapshot").vector_meta
    assert meta.quantization == "i8"
    assert meta.index_params


def test_health(open_reader: Opener, data: pathlib.Path, build: Builder, tmp_path: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    health = reader.health()
    assert type(health) is ReaderHealth
    assert (health.status, health.num_shards, health.is_closed) == ("healthy", 2, False)
    assert health.manifest_ref == reader.snapshot_info().manifest_ref
    assert health.manifest_age > timedelta(minutes=1)
    thresholds: list[Any] = [timedelta(0), timedelta(microseconds=1), timedelta(minutes=1), timedelta(days=-3)]
    for threshold in thresholds:
        assert reader.health(staleness_threshold=threshold).status == "degraded"
    for threshold in (timedelta.max, timedelta(days=36_500)):
        assert reader.health(staleness_threshold=threshold).status == "healthy"
    build([{"key": "a", "value": "b"}], tmp_path / "new")
    fresh = open_reader(tmp_path / "new", unified=False).health(staleness_threshold=timedelta(hours=1))
    assert fresh.status == "healthy"
    assert timedelta(0) <= fresh.manifest_age < timedelta(minutes=10)


@pytest.mark.parametrize("threshold", [5, 5.0, "5", datetime.now(UTC)])
def test_health_with_what_is_no_duration(open_reader: Opener, data: pathlib.Path, threshold: Any) -> None:
    with pytest.raises(ConfigValidationError, match="staleness_threshold must be a timedelta"):
        open_reader(data / "packages-1k").health(staleness_threshold=threshold)


def test_keys_only_in_a_reader_of_vectors(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    build([{"key": "a", "value": "b"}], tmp_path / "kv")
    with pytest.raises(ConfigValidationError, match=r"keys and values only.*ShardedReader") as caught:
        open_reader(tmp_path / "kv")
    assert str(tmp_path / "kv") in str(caught.value)
    reader = open_reader(tmp_path / "kv", unified=False)
    assert reader.get("a") == b"b"
    for absent in ("search", "batch_search", "vector_meta"):
        assert not hasattr(reader, absent)


@pytest.mark.parametrize("unified", [True, False])
def test_vectors_only(open_reader: Opener, shared: pathlib.Path, unified: bool) -> None:
    with pytest.raises(ConfigValidationError, match="vector") as caught:
        reader = open_reader(shared / "fixtures" / "peer" / "vector-explicit" / "snapshot", unified=unified)
        reader.get("a")
    assert caught.value.retryable is False
