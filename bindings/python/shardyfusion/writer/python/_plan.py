"""What a configuration means to the core's writer. What cannot be honoured is refused here, before anything is done."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from shardyfusion._reader_choice import Connection
from shardyfusion.config import CelShardedWriteConfig, HashShardedWriteConfig, validate_configs
from shardyfusion.errors import ConfigValidationError
from shardyfusion.sqlite_adapter import SqliteFactory
from shardyfusion.sqlite_vec_adapter import SqliteVecFactory
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
    from shardyfusion.config import PythonRecordInput, PythonWriteOptions, VectorSpec
    from shardyfusion.type_defs import KeyInput

WriteConfig: TypeAlias = HashShardedWriteConfig | CelShardedWriteConfig

T = TypeVar("T")

# As in shardyfusion/writer.h.
_KV, _UNIFIED = 1, 2
_LAST_WINS = 1 << 3
_MOST_ATTEMPTS = 100
#: The core's least memory for rows.
_LEAST_MEMORY = 4 << 20


@dataclass(slots=True, frozen=True)
class WritePlan:
    """Options of the core, how a record and its key give (id or None, vector, payload), and the size of a batch.

    context_of: the columns of a record that an expression reads; None where the key alone decides.
    """

    options: dict[str, Any]
    vector_of: Callable[[Any, Any], tuple[Any, Any, dict[str, Any] | None]] | None
    context_of: Callable[[Any], dict[str, object]] | None
    batch_rows: int
    batch_bytes: int


def _refuse_hooks(config: WriteConfig) -> None:
    refuse_hooks(config)
    if config.kv.profile_value_sizes_for_page_size:
        raise ConfigValidationError(
            "kv.profile_value_sizes_for_page_size is for distributed writers; here use SqliteFactory(page_size='auto')"
        )


def _factory_of(config: WriteConfig) -> SqliteFactory | SqliteVecFactory:
    factory: object = config.adapter_factory
    if factory is None:
        return SqliteFactory(page_size="auto")
    for known in (SqliteFactory, SqliteVecFactory):
        # A subclass with a __call__ of its own would wait to be called in vain.
        if isinstance(factory, known) and type(factory).__call__ is known.__call__:
            break
    else:
        raise ConfigValidationError(
            f"kv.adapter_factory={type(factory).__name__}: shards are SQLite files that the core makes; use "
            "SqliteFactory, with vectors SqliteVecFactory, or leave it out"
        )
    assert isinstance(factory, (SqliteFactory, SqliteVecFactory))
    return factory


def _check_vectors(spec: VectorSpec, factory: object) -> None:
    if spec.metric == "dot_product":
        raise ConfigValidationError("vector_spec.metric='dot_product' is not known to SQLite shards: use cosine or l2")
    if spec.dim > MOST_DIMENSIONS:
        raise ConfigValidationError(f"vector_spec.dim must be at most {MOST_DIMENSIONS}, got {spec.dim}")
    if isinstance(factory, SqliteFactory):
        raise ConfigValidationError(
            "vector_spec with kv.adapter_factory=SqliteFactory: keys and vectors are written to one file; use "
            "SqliteVecFactory, or leave adapter_factory out"
        )
    if isinstance(factory, SqliteVecFactory):
        made = factory.vector_spec
        if (made.dim, made.metric) != (spec.dim, spec.metric):
            raise ConfigValidationError(
                "the vector_spec of the SqliteVecFactory and that of the configuration differ in dim or metric"
            )


def _vector_of(
    spec: VectorSpec, input: PythonRecordInput[T]
) -> Callable[[T, KeyInput], tuple[Any, Any, dict[str, Any] | None]]:
    if input.vector_fn is not None:
        vector_fn = input.vector_fn
        return lambda record, key: vector_fn(record)
    column, columns_fn = spec.vector_col, input.columns_fn
    if column is None or columns_fn is None:
        raise ConfigValidationError(
            "vector_spec is given, but not where a record has its vector: give input.vector_fn, or "
            "vector_spec.vector_col and input.columns_fn"
        )
    return lambda record, key: (key.hex() if isinstance(key, bytes) else None, columns_fn(record)[column], None)


def _connections(config: WriteConfig, factory: SqliteFactory | SqliteVecFactory) -> list[Connection]:
    storage, manifest = config.storage, config.manifest
    return [
        Connection("storage", storage.s3_connection_options, storage.credential_provider),
        Connection("manifest", manifest.s3_connection_options, manifest.credential_provider),
        Connection(type(factory).__name__, factory.s3_connection_options, factory.credential_provider),
    ]


def _attempts(config: WriteConfig) -> int:
    retries = 0 if config.shard_retry is None else config.shard_retry.max_retries
    if not isinstance(retries, int) or not 0 <= retries < _MOST_ATTEMPTS:
        raise ConfigValidationError(
            f"retry.shard_retry.max_retries must be from 0 to {_MOST_ATTEMPTS - 1}, got {retries!r}"
        )
    return retries + 1


def _batch(config: WriteConfig, options: PythonWriteOptions, dim: int) -> tuple[int, int]:
    """Rows and bytes of a batch: no more than a second's worth where writes are paced, so that the pace is even."""
    limits, buffering = config.rate_limits, options.buffering
    rows = min(
        float(BATCH_ROWS),
        config.batch_size,
        buffering.max_total_batched_items or math.inf,
        limits.max_writes_per_second or math.inf,
        BATCH_BYTES / (4 * dim) if dim else math.inf,
    )
    size = min(
        float(BATCH_BYTES),
        buffering.max_total_batched_bytes or math.inf,
        limits.max_write_bytes_per_second or math.inf,
    )
    return max(1, int(rows)), max(1, int(size))


def _sharding(config: WriteConfig) -> dict[str, Any]:
    if isinstance(config, CelShardedWriteConfig):
        return {
            "num_dbs": None,
            "cel_expr": config.cel_expr,
            "cel_columns": json.dumps(config.cel_columns),
            "routing_values": routing_values_text(config.routing_values),
            "infer_routing_values": int(config.infer_routing_values_from_data),
        }
    if (config.num_dbs or 0) > MOST_SHARDS:
        raise ConfigValidationError(f"sharding.num_dbs must be at most {MOST_SHARDS}, got {config.num_dbs}")
    return {"num_dbs": config.num_dbs, "max_keys_per_shard": config.max_keys_per_shard}


def _context_of(config: WriteConfig, input: PythonRecordInput[T]) -> Callable[[T], dict[str, object]] | None:
    columns_fn = input.columns_fn
    if columns_fn is None or not isinstance(config, CelShardedWriteConfig):
        return None
    names = list(config.cel_columns)

    def context_of(record: T) -> dict[str, object]:
        columns = columns_fn(record)
        return {name: columns[name] for name in names if name in columns}

    return context_of


def plan_of(config: WriteConfig, input: PythonRecordInput[T], options: PythonWriteOptions) -> WritePlan:
    """Returns what is to be done; ConfigValidationError for what is wrong, and for what cannot be honoured."""
    validate_configs(config, input, options)
    _refuse_hooks(config)
    factory, spec = _factory_of(config), config.vector_spec
    if input.vector_fn is not None and spec is None:
        raise ConfigValidationError("input.vector_fn is given, but no vector_spec: the snapshot would have no vectors")
    core: dict[str, Any] = {
        **place_options(config, _connections(config, factory)),
        "backend": _KV,
        "flags": _LAST_WINS | (0 if factory.emit_sidecar else NO_SIDECAR),
        **_sharding(config),
        "key_encoding": config.key_encoding.value,
        "page_size": 0 if factory.page_size == "auto" else factory.page_size,
        "shard_attempts": _attempts(config),
    }
    if options.buffering.max_total_batched_bytes is not None:
        core["memory_bytes"] = max(_LEAST_MEMORY, int(options.buffering.max_total_batched_bytes))
    if spec is not None:
        _check_vectors(spec, config.adapter_factory)
        core.update(backend=_UNIFIED, dimension=spec.dim, metric=spec.metric)
    vector_of = None if spec is None else _vector_of(spec, input)
    rows, size = _batch(config, options, spec.dim if spec is not None else 0)
    return WritePlan(core, vector_of, _context_of(config, input), rows, size)
