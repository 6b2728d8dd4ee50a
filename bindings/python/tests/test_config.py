"""Configuration of writers: defaults, and what is refused."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest

from shardyfusion import config
from shardyfusion.config import (
    ColumnWriteInput,
    HashShardedWriteConfig,
    HashShardingConfig,
    KeyValueWriteConfig,
    PythonRecordInput,
    PythonWriteOptions,
    VectorSpec,
    WriterOutputConfig,
    WriterStorageConfig,
    validate_shard_id_col_no_collision,
    vector_metric_to_str,
)
from shardyfusion.errors import ConfigValidationError
from shardyfusion.serde import ValueSpec
from shardyfusion.sharding_types import HashShardingSpec, KeyEncoding, ShardHashAlgorithm
from shardyfusion.sqlite_adapter import SqliteFactory
from shardyfusion.type_defs import RetryConfig
from shardyfusion.vector.config import VectorIndexConfig, VectorSpecSharding
from shardyfusion.vector.types import DistanceMetric, VectorShardingStrategy

URL = "s3://bucket/prefix"


def make(**named: Any) -> HashShardedWriteConfig:
    return HashShardedWriteConfig(**{"s3_prefix": URL, "num_dbs": 4, **named})


def test_field_by_field() -> None:
    retry, factory = RetryConfig(max_retries=1), SqliteFactory()
    made = make(
        key_encoding="utf8",
        batch_size=7,
        adapter_factory=factory,
        shard_retry=retry,
        max_writes_per_second=5.0,
        vector_spec=VectorSpec(dim=3),
    )
    assert (made.s3_prefix, made.num_dbs, made.max_keys_per_shard) == (URL, 4, None)
    assert (made.key_encoding, made.batch_size, made.adapter_factory) == (KeyEncoding.UTF8, 7, factory)
    assert (made.shard_retry, made.vector_spec) == (retry, VectorSpec(dim=3))
    assert made.rate_limits.max_writes_per_second == 5.0
    assert made.shard_id_col == "_shard_id"
    assert (made.metrics_collector, made.run_registry, made.credential_provider) == (None, None, None)


def test_part_by_part() -> None:
    made = HashShardedWriteConfig(
        storage=WriterStorageConfig(URL), kv=KeyValueWriteConfig(KeyEncoding.RAW), sharding=HashShardingConfig(2)
    )
    assert made == HashShardedWriteConfig(s3_prefix=URL, key_encoding=KeyEncoding.RAW, num_dbs=2)


def test_assigning_checks_too() -> None:
    made = make()
    made.s3_prefix = "file:///data/snapshot"
    assert made.storage.s3_prefix == "file:///data/snapshot"
    made.batch_size = 9
    assert made.kv.batch_size == 9
    with pytest.raises(ConfigValidationError):
        made.s3_prefix = "bucket/prefix"
    with pytest.raises(ConfigValidationError):
        made.batch_size = 0
    made.sharding = None  # type: ignore[assignment]
    with pytest.raises(ConfigValidationError, match="sharding must be a HashShardingConfig"):
        made.validate()


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ({"s3_prefix": "s3://bucket"}, "s3_prefix must be s3://bucket/prefix"),
        ({"s3_prefix": "https://bucket/prefix"}, "s3_prefix"),
        ({"s3_prefix": "file://host/prefix"}, "s3_prefix"),
        ({"s3_prefix": None}, "s3_prefix"),
        ({"num_dbs": 0}, "sharding.num_dbs must be a whole number > 0"),
        ({"num_dbs": 2.0}, "sharding.num_dbs must be a whole number > 0"),
        ({"num_dbs": None}, "either sharding.num_dbs"),
        ({"max_keys_per_shard": 10}, "either sharding.num_dbs"),
        ({"num_dbs": None, "max_keys_per_shard": -1}, "max_keys_per_shard"),
        ({"key_encoding": "u16be"}, "kv.key_encoding: KeyEncoding has no 'u16be'"),
        ({"batch_size": 0}, "kv.batch_size must be > 0"),
        ({"batch_size": "many"}, "kv.batch_size must be > 0"),
        ({"max_write_bytes_per_second": 0}, "must be > 0 when set"),
        ({"shard_id_col": ""}, "shard_id_col"),
        ({"vector": 5}, "vector must be a VectorSpec"),
        ({"vector": VectorSpec(dim=0)}, "vector.dim"),
        ({"storage": WriterStorageConfig(URL)}, "storage is given and so is s3_prefix"),
        ({"kv": KeyValueWriteConfig(), "batch_size": 5}, "kv is given and so is batch_size"),
        ({"sharding": HashShardingConfig(1)}, "sharding is given and so is num_dbs"),
        ({"vector": VectorSpec(dim=1), "vector_spec": VectorSpec(dim=1)}, "vector is given"),
        ({"output": KeyValueWriteConfig()}, "output must be a WriterOutputConfig, got KeyValueWriteConfig"),
    ],
)
def test_what_is_refused(named: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigValidationError, match=message):
        make(**named)


@pytest.mark.parametrize(
    "named",
    [
        {"shard_prefix": ""},
        {"shard_prefix": "a/b"},
        {"shard_prefix": ".."},
        {"run_registry_prefix": "r\u00fcns"},
        {"run_id": "a/b"},
        {"run_id": ""},
        {"db_path_template": "db={other}"},
        {"db_path_template": "db={db_id:q}"},
        {"db_path_template": "{0}"},
        {"db_path_template": "{db_id.nothing}"},
    ],
)
def test_names_that_cannot_stand_in_a_path(named: dict[str, Any]) -> None:
    with pytest.raises(ConfigValidationError, match=r"output\."):
        WriterOutputConfig(**named)


def test_one_way_to_choose_the_page_size() -> None:
    KeyValueWriteConfig(adapter_factory=SqliteFactory(), profile_value_sizes_for_page_size=True)
    for page_size in (8192, "auto"):
        factory = SqliteFactory(page_size=page_size)
        with pytest.raises(ConfigValidationError, match="use one of them"):
            KeyValueWriteConfig(adapter_factory=factory, profile_value_sizes_for_page_size=True)


def test_inputs_and_options() -> None:
    PythonRecordInput(key_fn=len, value_fn=bytes).validate()
    wrong: Any = 5
    for named in ({"key_fn": wrong}, {"value_fn": wrong}, {"columns_fn": wrong}, {"vector_fn": wrong}):
        with pytest.raises(ConfigValidationError, match=f"input.{next(iter(named))} must be callable"):
            PythonRecordInput(**{"key_fn": len, "value_fn": bytes, **named}).validate()
    PythonWriteOptions().validate()
    with pytest.raises(ConfigValidationError, match="max_queue_size"):
        PythonWriteOptions(max_queue_size=0).validate()
    with pytest.raises(ConfigValidationError, match="buffering"):
        PythonWriteOptions(buffering=config.BufferingOptions(max_total_batched_items=-1)).validate()
    with pytest.raises(ConfigValidationError, match="shared_memory"):
        PythonWriteOptions(shared_memory=config.SharedMemoryOptions(max_total_bytes=0)).validate()
    with pytest.raises(ConfigValidationError, match="key_col"):
        ColumnWriteInput("", ValueSpec.json_cols()).validate()
    with pytest.raises(ConfigValidationError, match="vector_col"):
        ColumnWriteInput("k", ValueSpec.json_cols(), config.VectorColumnInput("")).validate()


def test_column_names() -> None:
    validate_shard_id_col_no_collision(make(), {"key", "value"})
    with pytest.raises(ConfigValidationError, match="'_shard_id' is a column of the data"):
        validate_shard_id_col_no_collision(make(), {"key", "_shard_id"})


def test_vectors() -> None:
    metric: Any = DistanceMetric.L2
    spec = VectorSpec(dim=4, metric=metric, index_params={"M": 8}, sharding=VectorSpecSharding("lsh", num_hash_bits=3))
    assert spec.metric == "l2"
    assert spec.to_vector_index_config() == VectorIndexConfig(4, DistanceMetric.L2, "hnsw", {"M": 8})
    sharding = spec.to_vector_sharding_spec()
    assert (sharding.strategy, sharding.num_hash_bits, sharding.num_dbs) == (VectorShardingStrategy.LSH, 3, None)
    assert vector_metric_to_str(DistanceMetric.DOT_PRODUCT) == "dot_product"
    for wrong in ("euclid", 5, ["l2"]):
        with pytest.raises(ConfigValidationError, match="must be one of cosine, l2, dot_product"):
            vector_metric_to_str(wrong)
    with pytest.raises(ConfigValidationError, match="strategy"):
        VectorSpec(dim=4, sharding=VectorSpecSharding("dice")).to_vector_sharding_spec()


def test_hash_sharding() -> None:
    algorithm: Any = "xxh3_64"
    assert HashShardingSpec(algorithm).hash_algorithm is ShardHashAlgorithm.XXH3_64
    assert HashShardingSpec().to_manifest_dict() == {"strategy": "hash", "hash_algorithm": "xxh3_64"}
    with pytest.raises(ValueError, match="ShardHashAlgorithm has no 'md5'; use one of: xxh3_64"):
        ShardHashAlgorithm.from_value("md5")
    with pytest.raises(ValueError, match="max_keys_per_shard"):
        HashShardingSpec(max_keys_per_shard=0)


def test_annotations_of_fields_can_be_evaluated() -> None:
    for part in (KeyValueWriteConfig, WriterStorageConfig, VectorSpec, PythonRecordInput, SqliteFactory):
        assert get_type_hints(part)
