"""What a configuration means to the core's writer of vectors alone. What cannot be honoured is refused here."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shardyfusion._config_parts import validate_configs
from shardyfusion._reader_choice import Connection
from shardyfusion.errors import ConfigValidationError
from shardyfusion.sqlite_vec_adapter import SqliteVecFactory
from shardyfusion.vector.types import DistanceMetric, VectorShardingStrategy
from shardyfusion.writer._options import (
    BATCH_BYTES,
    BATCH_ROWS,
    MOST_DIMENSIONS,
    MOST_SHARDS,
    NO_SIDECAR,
    place_options,
    refuse_hooks,
    routing_values_text,
)

if TYPE_CHECKING:
    from shardyfusion.vector.config import VectorRecordInput, VectorShardedWriteConfig, VectorWriteOptions
    from shardyfusion.vector.types import VectorIndexWriterFactory

_VECTORS_ALONE = 3  # SHF_WRITE_VECTOR


@dataclass(slots=True, frozen=True)
class VectorPlan:
    """Options of the core, what a record is asked for beside its vector, and how many rows are handed over at once."""

    options: dict[str, Any]
    has_shards: bool
    has_contexts: bool
    batch_rows: int


def _factory_of(config: VectorShardedWriteConfig) -> SqliteVecFactory | None:
    factory: VectorIndexWriterFactory | SqliteVecFactory | None = config.adapter_factory
    if factory is None:
        return None
    # A subclass with a __call__ of its own would wait to be called in vain.
    if not isinstance(factory, SqliteVecFactory) or type(factory).__call__ is not SqliteVecFactory.__call__:
        raise ConfigValidationError(
            f"adapter.adapter_factory={type(factory).__name__}: shards are SQLite files with sqlite-vec's tables, "
            "which the core makes (LanceDB datasets are read, not written); use SqliteVecFactory, or leave it out"
        )
    index, made = config.index_config, factory.vector_spec
    if (made.dim, made.metric) != (index.dim, index.metric.value):
        raise ConfigValidationError(
            "the vector_spec of the SqliteVecFactory and index_config differ in dim or metric: make them alike"
        )
    return factory


def _check_index(config: VectorShardedWriteConfig) -> None:
    if config.index_config.metric is DistanceMetric.DOT_PRODUCT:
        raise ConfigValidationError("index_config.metric='dot_product' is not known to SQLite shards: use cosine or l2")
    if config.index_config.dim > MOST_DIMENSIONS:
        raise ConfigValidationError(
            f"index_config.dim must be at most {MOST_DIMENSIONS}, got {config.index_config.dim}"
        )


def _num_dbs(config: VectorShardedWriteConfig) -> int:
    sharding, num_dbs = config.sharding, config.num_dbs
    given: Any = None
    if sharding.strategy is VectorShardingStrategy.CLUSTER and not sharding.train_centroids:
        given = sharding.centroids
    elif sharding.strategy is VectorShardingStrategy.CEL:
        given = sharding.routing_values
    if given is not None and num_dbs not in (None, len(given)):
        raise ConfigValidationError(f"num_dbs is {num_dbs}, and there are {len(given)} centroids or routing values")
    num_dbs = len(given) if given is not None else num_dbs
    if num_dbs is None:
        raise ConfigValidationError("num_dbs must be given, but for CLUSTER with centroids and CEL with routing_values")
    if not 1 <= num_dbs <= MOST_SHARDS:
        raise ConfigValidationError(f"num_dbs must be from 1 to {MOST_SHARDS}, got {num_dbs}")
    return num_dbs


def _strategy_options(config: VectorShardedWriteConfig) -> dict[str, Any]:
    sharding = config.sharding
    if sharding.strategy is VectorShardingStrategy.CLUSTER:
        if sharding.train_centroids:
            return {"training_rows": sharding.centroids_training_sample_size}
        return {"centroids": sharding.centroids}
    if sharding.strategy is VectorShardingStrategy.LSH:
        planes: Any = sharding.hyperplanes
        return {"hyperplanes": planes, "hash_bits": sharding.num_hash_bits if planes is None else len(planes)}
    if sharding.strategy is VectorShardingStrategy.CEL:
        return {
            "cel_expr": sharding.cel_expr,
            "cel_columns": json.dumps(sharding.cel_columns),
            "routing_values": routing_values_text(sharding.routing_values),
        }
    return {}


def plan_of(config: VectorShardedWriteConfig, input: VectorRecordInput, options: VectorWriteOptions) -> VectorPlan:
    """Returns what is to be done; ConfigValidationError for what is wrong, and for what cannot be honoured."""
    validate_configs(config, input, options)
    refuse_hooks(config)
    _check_index(config)
    factory, storage, manifest = _factory_of(config), config.storage, config.manifest
    connections = [
        Connection("storage", storage.s3_connection_options, storage.credential_provider),
        Connection("manifest", manifest.s3_connection_options, manifest.credential_provider),
    ]
    if factory is not None:
        connections.append(Connection("SqliteVecFactory", factory.s3_connection_options, factory.credential_provider))
    strategy = config.sharding.strategy
    core: dict[str, Any] = {
        **place_options(config, connections),
        "backend": _VECTORS_ALONE,
        "flags": 0 if factory is None or factory.emit_sidecar else NO_SIDECAR,
        "dimension": config.index_config.dim,
        "metric": config.index_config.metric.value,
        "page_size": 0 if factory is None or factory.page_size == "auto" else factory.page_size,
        "vector_sharding": strategy.value,
        "num_dbs": _num_dbs(config),
        "num_probes": config.sharding.num_probes,
        **_strategy_options(config),
    }
    pace = config.rate_limits.max_writes_per_second or math.inf
    rows = min(BATCH_ROWS, config.batch_size, BATCH_BYTES / (4 * config.index_config.dim), pace * config.batch_size)
    is_explicit, is_cel = strategy is VectorShardingStrategy.EXPLICIT, strategy is VectorShardingStrategy.CEL
    return VectorPlan(core, is_explicit, is_cel, max(1, int(rows)))
