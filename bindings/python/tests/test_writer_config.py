"""What a configuration asks for is done, has no effect that could be missed, or is refused with what to use instead."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from readers import Opener

from shardyfusion import (
    BufferingOptions,
    ConfigValidationError,
    HashShardedWriteConfig,
    InMemoryManifestStore,
    InMemoryRunRegistry,
    KeyValueWriteConfig,
    PythonRecordInput,
    PythonWriteOptions,
    RetryConfig,
    SharedMemoryOptions,
    StaticCredentialProvider,
    VectorSpec,
    WriterManifestConfig,
    WriterOutputConfig,
)
from shardyfusion.sqlite_adapter import SqliteFactory
from shardyfusion.sqlite_vec_adapter import SqliteVecFactory
from shardyfusion.writer.python import write_hash_sharded
from shardyfusion.writer.python._plan import plan_of

INPUT: PythonRecordInput[int] = PythonRecordInput(lambda row: row, lambda row: b"value")
WITH_VECTORS: PythonRecordInput[int] = PythonRecordInput(
    lambda row: row, lambda row: b"value", vector_fn=lambda row: (row, [1.0, row], None)
)


class OwnFactory:
    def __call__(self, *, db_url: str, local_dir: pathlib.Path) -> Any:
        raise AssertionError("nobody calls it")


class CallingFactory(SqliteFactory):
    def __call__(self, *, db_url: str, local_dir: pathlib.Path) -> Any:
        raise AssertionError("nobody calls it")


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "store": (
        {"manifest": WriterManifestConfig(store=InMemoryManifestStore())},
        "manifest.store: the core stores the manifest",
    ),
    "registry": ({"run_registry": InMemoryRunRegistry()}, "lifecycle.run_registry: the core keeps the record"),
    "profile": (
        {"kv": KeyValueWriteConfig(profile_value_sizes_for_page_size=True)},
        r"SqliteFactory\(page_size='auto'\)",
    ),
    "factory": ({"adapter_factory": OwnFactory()}, "adapter_factory=OwnFactory: .* use SqliteFactory"),
    "subclass": ({"adapter_factory": CallingFactory()}, "adapter_factory=CallingFactory: .* use SqliteFactory"),
    "template": ({"output": WriterOutputConfig(db_path_template="shard-{db_id}")}, "output.db_path_template can only"),
    "shards": ({"output": WriterOutputConfig(shard_prefix="parts")}, "output.shard_prefix can only be 'shards'"),
    "runs": ({"output": WriterOutputConfig(run_registry_prefix="x")}, "output.run_registry_prefix can only be 'runs'"),
    "run id": ({"output": WriterOutputConfig(run_id="a b")}, "output.run_id must be 1 to 128"),
    "dotted": ({"output": WriterOutputConfig(run_id=".hidden")}, "output.run_id must be 1 to 128"),
    "many shards": ({"num_dbs": 40_000}, "sharding.num_dbs must be at most 32768"),
    "retries": ({"shard_retry": RetryConfig(max_retries=100)}, "max_retries must be from 0 to 99"),
    "custom": (
        {"manifest": WriterManifestConfig(custom_manifest_fields={"x": object()})},  # type: ignore[dict-item]
        "cannot be written as JSON",
    ),
    "custom nan": (
        {"manifest": WriterManifestConfig(custom_manifest_fields={"x": float("nan")})},
        "cannot be written as JSON",
    ),
    "reserved": ({"manifest": WriterManifestConfig(custom_manifest_fields={"vector": {}})}, "vector"),
    "connections": (
        {
            "s3_connection_options": {"region_name": "a"},
            "manifest": WriterManifestConfig(s3_connection_options={"region_name": "b"}),
        },
        "storage and of manifest differ, but a writer has one connection",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(tmp_path: pathlib.Path, name: str) -> None:
    config, message = REFUSED[name]
    asked = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}/snapshot", **{"num_dbs": 2, **config})
    with pytest.raises(ConfigValidationError, match=message):
        write_hash_sharded(range(3), asked, INPUT)
    # Before anything was done.
    assert not (tmp_path / "snapshot" / "_CURRENT").exists()


REFUSED_VECTORS: dict[str, tuple[dict[str, Any], PythonRecordInput[int], str]] = {
    "no spec": ({}, WITH_VECTORS, "input.vector_fn is given, but no vector_spec"),
    "no function": ({"vector_spec": VectorSpec(2)}, INPUT, "give input.vector_fn, or"),
    "no columns": ({"vector_spec": VectorSpec(2, vector_col="v")}, INPUT, "and input.columns_fn"),
    "metric": ({"vector_spec": VectorSpec(2, metric="dot_product")}, WITH_VECTORS, "use cosine or l2"),
    "dim": ({"vector_spec": VectorSpec(8193)}, WITH_VECTORS, "dim must be at most 8192"),
    "two files": (
        {"vector_spec": VectorSpec(2), "adapter_factory": SqliteFactory()},
        WITH_VECTORS,
        "use SqliteVecFactory, or leave",
    ),
    "two specs": (
        {"vector_spec": VectorSpec(2), "adapter_factory": SqliteVecFactory(VectorSpec(3))},
        WITH_VECTORS,
        "differ in dim or metric",
    ),
}


@pytest.mark.parametrize("name", REFUSED_VECTORS)
def test_refused_of_vectors(tmp_path: pathlib.Path, name: str) -> None:
    config, taken, message = REFUSED_VECTORS[name]
    asked = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}/snapshot", num_dbs=2, **config)
    with pytest.raises(ConfigValidationError, match=message):
        write_hash_sharded(range(3), asked, taken)
    assert not (tmp_path / "snapshot").exists()


WITHOUT_EFFECT: dict[str, tuple[dict[str, Any], PythonWriteOptions]] = {
    "parallel": ({}, PythonWriteOptions(parallel=True, max_queue_size=1)),
    "shared memory": ({}, PythonWriteOptions(shared_memory=SharedMemoryOptions(1, 1))),
    "batch size": ({"batch_size": 10_000_000}, PythonWriteOptions()),
    "column": ({"shard_id_col": "other"}, PythonWriteOptions()),
    "cache": ({"adapter_factory": SqliteFactory(page_size="auto", cache_size_pages=5)}, PythonWriteOptions()),
    "small batches": ({"batch_size": 1}, PythonWriteOptions(buffering=BufferingOptions(1, 1))),
}


@pytest.mark.parametrize("name", WITHOUT_EFFECT)
def test_without_effect_on_the_shards(tmp_path: pathlib.Path, name: str) -> None:
    config, options = WITHOUT_EFFECT[name]
    for place, asked in (("plain", {}), ("asked", config)):
        made = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}/{place}", num_dbs=2, **asked)
        write_hash_sharded(range(300), made, INPUT, options if asked is config else None)
    plain, other = (
        [path.read_bytes() for path in sorted((tmp_path / place).rglob("shard.db"))] for place in ("plain", "asked")
    )
    assert plain == other and len(plain) == 2


def test_settings_of_vectors_without_effect(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    spec = VectorSpec(2, index_type="ivf", index_params={"M": 8}, quantization="fp16")
    config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}", num_dbs=2, vector_spec=spec)
    write_hash_sharded(range(3), config, WITH_VECTORS, PythonWriteOptions(parallel=True))
    meta = open_reader(tmp_path).vector_meta
    # The manifest says what there is: searched exactly, float32.
    assert (meta.dim, meta.quantization, meta.backend) == (2, None, "sqlite-vec")


def test_the_configuration_is_left_alone(tmp_path: pathlib.Path) -> None:
    config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}", num_dbs=2, vector_spec=VectorSpec(2))
    for _ in range(2):
        write_hash_sharded(range(3), config, WITH_VECTORS)
    assert config.manifest.custom_manifest_fields == {} and config.output.run_id is None


def test_arguments_of_other_kinds(tmp_path: pathlib.Path) -> None:
    config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}/snapshot", num_dbs=2)
    with pytest.raises(ConfigValidationError, match=r"input\.key_fn must be callable"):
        write_hash_sharded([], config, PythonRecordInput(None, lambda row: b""))  # type: ignore[arg-type]
    with pytest.raises(ConfigValidationError, match=r"options\.max_queue_size must be > 0"):
        write_hash_sharded([], config, INPUT, PythonWriteOptions(max_queue_size=0))
    with pytest.raises(TypeError, match="not iterable"):
        write_hash_sharded(5, config, INPUT)  # type: ignore[arg-type]
    assert not (tmp_path / "snapshot" / "_CURRENT").exists()


# -- what the core is asked for


def plan(options: PythonWriteOptions | None = None, **config: Any) -> Any:
    asked = HashShardedWriteConfig(**{"s3_prefix": "s3://bucket/prefix", "num_dbs": 2, **config})
    taken = WITH_VECTORS if "vector_spec" in config else INPUT
    return plan_of(asked, taken, options or PythonWriteOptions())


def test_batches() -> None:
    assert (plan().batch_rows, plan().batch_bytes) == (4096, 4 << 20)
    assert plan(batch_size=100).batch_rows == 100
    assert plan(vector_spec=VectorSpec(8192)).batch_rows == 128
    assert plan(max_writes_per_second=0.5).batch_rows == 1
    assert plan(max_write_bytes_per_second=1000.5).batch_bytes == 1000
    small = PythonWriteOptions(buffering=BufferingOptions(10, 20))
    assert (plan(small).batch_rows, plan(small).batch_bytes) == (10, 20)
    assert plan(small).options["memory_bytes"] == 4 << 20


def test_connection() -> None:
    provider = StaticCredentialProvider("id", "secret")
    s3 = plan(
        s3_connection_options={"endpoint_url": "http://127.0.0.1:1", "addressing_style": "path", "max_attempts": 2},
        manifest=WriterManifestConfig(credential_provider=provider),
        adapter_factory=SqliteFactory(credential_provider=provider),
    ).options["s3"]
    assert s3 == {
        "endpoint_url": "http://127.0.0.1:1",
        "addressing": 1,
        "max_attempts": 2,
        "access_key_id": "id",
        "secret_access_key": "secret",
    }


def test_attempts() -> None:
    assert plan().options["shard_attempts"] == 1
    assert plan(shard_retry=RetryConfig(max_retries=4)).options["shard_attempts"] == 5
