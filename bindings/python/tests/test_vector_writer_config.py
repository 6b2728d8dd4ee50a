"""What a configuration of write_sharded asks for is done, or refused with what to use instead; events and pace."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import vector_records

from shardyfusion import (
    ConfigValidationError,
    InMemoryManifestStore,
    InMemoryRunRegistry,
    VectorSpec,
    VectorWriteRateLimitConfig,
    WriterLifecycleConfig,
    WriterManifestConfig,
    WriterObservabilityConfig,
    WriterOutputConfig,
    WriterStorageConfig,
)
from shardyfusion.sqlite_adapter import SqliteFactory
from shardyfusion.sqlite_vec_adapter import SqliteVecFactory
from shardyfusion.vector import (
    ShardedVectorReader,
    VectorIndexConfig,
    VectorRecordInput,
    VectorShardedWriteConfig,
    VectorShardingConfig,
    VectorShardingStrategy,
    VectorWriteOptions,
)
from shardyfusion.vector._plan import plan_of
from shardyfusion.vector.config import VectorAdapterConfig

INDEX = VectorIndexConfig(dim=8)
URL = "s3://bucket/vectors"


class OwnFactory:
    def __call__(self, *, db_url: str, local_dir: pathlib.Path, index_config: Any) -> Any:
        raise AssertionError("nobody calls it")


class CallingFactory(SqliteVecFactory):
    def __call__(self, *, db_url: str, local_dir: pathlib.Path, index_config: Any | None = None) -> Any:
        raise AssertionError("nobody calls it")


def _explicit(**more: Any) -> VectorShardedWriteConfig:
    sharding = VectorShardingConfig(num_dbs=2, strategy=VectorShardingStrategy.EXPLICIT)
    return VectorShardedWriteConfig(**{"index_config": INDEX, "sharding": sharding, "s3_prefix": URL, **more})


MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "no index": ({"index_config": None}, "index_config.dim must be > 0"),
    "no dimension": ({"index_config": VectorIndexConfig(dim=0)}, "index_config.dim must be > 0, got 0"),
    "metric": ({"index_config": VectorIndexConfig(8, "hamming")}, "metric must be one of cosine"),  # type: ignore[arg-type]
    "strategy": ({"sharding": VectorShardingConfig(2, "random")}, "strategy must be one of cluster"),  # type: ignore[arg-type]
    "no centroids": ({"sharding": VectorShardingConfig(2)}, "centroids, or train_centroids"),
    "cel": ({"sharding": VectorShardingConfig(2, VectorShardingStrategy.CEL)}, "cel_expr and cel_columns"),
    "probes of cel": (
        {"sharding": VectorShardingConfig(2, VectorShardingStrategy.CEL, 2, cel_expr="a", cel_columns={"a": "int"})},
        "num_probes above 1",
    ),
    "probes": ({"sharding": VectorShardingConfig(2, VectorShardingStrategy.EXPLICIT, 2)}, "num_probes above 1"),
    "no probes": ({"sharding": VectorShardingConfig(2, VectorShardingStrategy.LSH, 0)}, "num_probes must be"),
    "bits": ({"sharding": VectorShardingConfig(2, VectorShardingStrategy.LSH, num_hash_bits=0)}, "num_hash_bits"),
    "no shards": ({"num_dbs": 0}, "give one|num_dbs must be"),
    "two numbers": ({"num_dbs": 3}, "num_dbs is 3, and sharding.num_dbs 2"),
    "column": ({"shard_id_col": ""}, "shard_id_col"),
    "prefix": ({"s3_prefix": "nowhere"}, "s3_prefix must be"),
    "batch": ({"batch_size": 0}, "batch_size must be > 0"),
    "pace": ({"max_writes_per_second": 0}, "max_writes_per_second must be > 0"),
    "storage twice": ({"storage": WriterStorageConfig(URL)}, "storage is given and so is s3_prefix"),
    "adapter twice": ({"adapter": VectorAdapterConfig(), "batch_size": 1}, "adapter is given and so is batch_size"),
    "rates twice": (
        {"rate_limits": VectorWriteRateLimitConfig(), "max_writes_per_second": 1},
        "rate_limits is given and so is",
    ),
    "observers twice": (
        {"observability": WriterObservabilityConfig(), "metrics_collector": object()},
        "observability is given and so is",
    ),
    "life twice": ({"lifecycle": WriterLifecycleConfig(), "run_registry": object()}, "lifecycle is given and so is"),
    "sharding": ({"sharding": "lsh"}, "sharding must be|'str'"),
}


@pytest.mark.parametrize("name", list(MALFORMED))
def test_malformed_configurations(name: str) -> None:
    given, message = MALFORMED[name]
    with pytest.raises(ConfigValidationError, match=message):
        _explicit(**given)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "store": ({"manifest": WriterManifestConfig(store=InMemoryManifestStore())}, "manifest.store: the core stores"),
    "registry": ({"run_registry": InMemoryRunRegistry()}, "lifecycle.run_registry: the core keeps"),
    "own factory": ({"adapter_factory": OwnFactory()}, "OwnFactory: .* use SqliteVecFactory"),
    "factory of keys": ({"adapter_factory": SqliteFactory()}, "SqliteFactory: .* use SqliteVecFactory"),
    "subclass": ({"adapter_factory": CallingFactory(VectorSpec(8))}, "CallingFactory: .* use SqliteVecFactory"),
    "other dimension": ({"adapter_factory": SqliteVecFactory(VectorSpec(9))}, "differ in dim or metric"),
    "template": ({"output": WriterOutputConfig(db_path_template="s-{db_id}")}, "output.db_path_template can only"),
    "dot product": ({"index_config": VectorIndexConfig(8, "dot_product")}, "dot_product.* use cosine or l2"),  # type: ignore[arg-type]
    "wide": ({"index_config": VectorIndexConfig(9000)}, "dim must be at most 8192"),
    "no number": ({"sharding": VectorShardingConfig(None, VectorShardingStrategy.LSH)}, "num_dbs must be given"),
    "many": ({"sharding": VectorShardingConfig(40_000, VectorShardingStrategy.LSH)}, "from 1 to 32768"),
    "centroids": (
        {"sharding": VectorShardingConfig(3, centroids=vector_records.vectors(2))},
        "num_dbs is 3, and there are 2",
    ),
}


@pytest.mark.parametrize("name", list(REFUSED))
def test_what_cannot_be_honoured(name: str) -> None:
    given, message = REFUSED[name]
    with pytest.raises(ConfigValidationError, match=message):
        plan_of(_explicit(**given), VectorRecordInput(), VectorWriteOptions())


@pytest.mark.parametrize(
    ("sharding", "message"),
    [
        ({"strategy": "cluster", "centroids": [[1.0, 2.0]]}, r"centroids must be .* shape \(1, 8\)"),
        ({"strategy": "cluster", "centroids": [1.0, 2.0]}, r"centroids must be"),
        ({"strategy": "cluster", "centroids": [["a"] * 8]}, r"centroids must be"),
        ({"strategy": "cluster", "centroids": [[float("nan")] * 8]}, "centroid"),
        ({"strategy": "lsh", "num_dbs": 2, "hyperplanes": [[1.0] * 9]}, r"hyperplanes must be .* shape \(1, 8\)"),
        ({"strategy": "lsh", "num_dbs": 2, "num_hash_bits": 64}, "63"),
        ({"strategy": "cel", "num_dbs": 2, "cel_expr": "a +", "cel_columns": {"a": "int"}}, "expression"),
    ],
)
def test_what_the_core_refuses(tmp_path: pathlib.Path, sharding: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigValidationError, match=message):
        vector_records.write(tmp_path / "snapshot", sharding)


def test_parts_and_fields() -> None:
    config = _explicit(batch_size=7, adapter_factory=SqliteVecFactory(VectorSpec(8)))
    assert (config.num_dbs, config.s3_prefix, config.batch_size) == (2, URL, 7)
    config.s3_prefix, config.batch_size = "s3://other/prefix", 9
    assert (config.storage.s3_prefix, config.adapter.batch_size) == ("s3://other/prefix", 9)
    for name, value in (("s3_prefix", "x"), ("batch_size", 0)):
        with pytest.raises(ConfigValidationError):
            setattr(config, name, value)
    assert (config.s3_prefix, config.batch_size) == ("s3://other/prefix", 9)
    for name in ("adapter_factory", "reader_factory", "credential_provider", "s3_connection_options"):
        setattr(config, name, None)
        assert getattr(config, name) is None
    for name in ("metrics_collector", "run_registry"):
        setattr(config, name, None)
        assert getattr(config, name) is None
    assert VectorShardedWriteConfig(index_config=INDEX, sharding=config.sharding, s3_prefix=URL).shard_id_col


def test_settings_reach_the_core(tmp_path: pathlib.Path) -> None:
    url = tmp_path / "snapshot"
    factory = SqliteVecFactory(VectorSpec(8, metric="l2"), page_size=8192, emit_sidecar=False)
    result = vector_records.write(
        url,
        "explicit",
        adapter_factory=factory,
        output=WriterOutputConfig(run_id="my-run", local_root=str(tmp_path / "work")),
        manifest=WriterManifestConfig(custom_manifest_fields={"source": "tests"}),
    )
    assert result.run_id == "my-run"
    assert not list(url.rglob("shard.sidecar"))
    shard = next(url.rglob("shard.db")).read_bytes()
    assert int.from_bytes(shard[16:18], "big") == 8192
    with pytest.raises(ConfigValidationError, match="my-run"):
        vector_records.write(url, "explicit", output=WriterOutputConfig(run_id="my-run"))


class _Collector:
    def __init__(self) -> None:
        self.told: list[tuple[str, dict[str, Any]]] = []

    def emit(self, event: Any, payload: dict[str, Any]) -> None:
        self.told.append((event.value, payload))


def test_events(tmp_path: pathlib.Path) -> None:
    collector = _Collector()
    result = vector_records.write(tmp_path / "snapshot", "explicit", metrics_collector=collector)
    started, *shards, completed = collector.told
    assert started == ("vector.write.started", {"run_id": result.run_id})
    assert shards == [
        ("vector.write.shard.completed", {"db_id": shard.db_id, "row_count": 200}) for shard in result.winners
    ]
    assert completed[0] == "vector.write.completed"
    elapsed = completed[1].pop("elapsed_ms")
    assert isinstance(elapsed, int) and elapsed >= 0
    assert completed[1] == {"run_id": result.run_id, "total_vectors": 600, "num_shards": 3}
    stats = result.stats
    assert (stats.num_attempt_results, stats.num_winners, stats.rows_written) == (3, 3, 600)


def test_the_pace_counts_batches(tmp_path: pathlib.Path) -> None:
    """600 rows are 12 writes of 50, and the bucket begins full, with the writes of one second."""
    throttled = {}
    for pace in (4, 20):
        collector = _Collector()
        vector_records.write(
            tmp_path / str(pace), "explicit", batch_size=50, max_writes_per_second=pace, metrics_collector=collector
        )
        throttled[pace] = [payload for name, payload in collector.told if name == "rate_limiter.throttled"]
    assert len(throttled[4]) >= 7 and not throttled[20]


def test_over_s3(s3_bucket: str, tmp_path: pathlib.Path) -> None:
    url = f"{s3_bucket}/{tmp_path.name}"
    vector_records.write(url, "trained", metric="cosine")
    with ShardedVectorReader(s3_prefix=url, local_root=str(tmp_path)) as reader:
        record = vector_records.records()[17]
        hits = reader.search(record.vector, 3, num_probes=4).results
        assert hits[0].id == record.id
