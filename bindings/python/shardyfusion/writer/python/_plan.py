"""What a configuration means to the core's writer. What cannot be honoured is refused here, before anything is done."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from shardyfusion._reader_choice import Connection
from shardyfusion._settings import s3_settings
from shardyfusion.config import CelShardedWriteConfig, HashShardedWriteConfig, WriterOutputConfig, validate_configs
from shardyfusion.errors import ConfigValidationError
from shardyfusion.sqlite_adapter import SqliteFactory
from shardyfusion.sqlite_vec_adapter import SqliteVecFactory

if TYPE_CHECKING:
    from shardyfusion.config import PythonRecordInput, PythonWriteOptions, VectorSpec
    from shardyfusion.type_defs import KeyInput

WriteConfig: TypeAlias = HashShardedWriteConfig | CelShardedWriteConfig

T = TypeVar("T")

# As in shardyfusion/writer.h.
_KV, _UNIFIED = 1, 2
_LAST_WINS, _NO_SIDECAR = 1 << 3, 1 << 4
_MOST_SHARDS = 32_768
_MOST_DIMENSIONS = 8_192
_MOST_ATTEMPTS = 100
_RUN_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_ADDRESSING = {"auto": 0, "path": 1, "virtual": 2}

#: Rows, and bytes of them, that are handed over at once: enough that the crossing costs nothing.
_BATCH_ROWS = 4_096
_BATCH_BYTES = 4 << 20
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
    if config.manifest.store is not None:
        raise ConfigValidationError(
            "manifest.store: the core stores the manifest and _CURRENT itself, below s3_prefix; leave store out, and "
            "publish elsewhere what the result says"
        )
    if config.run_registry is not None:
        raise ConfigValidationError(
            "lifecycle.run_registry: the core keeps the record of the run itself, below s3_prefix/runs; leave it out"
        )
    if config.kv.profile_value_sizes_for_page_size:
        raise ConfigValidationError(
            "kv.profile_value_sizes_for_page_size is for distributed writers; here use SqliteFactory(page_size='auto')"
        )


def _check_output(output: WriterOutputConfig) -> None:
    # The names that readers of every version know.
    usual = WriterOutputConfig()
    for name in ("db_path_template", "shard_prefix", "run_registry_prefix"):
        if getattr(output, name) != getattr(usual, name):
            raise ConfigValidationError(f"output.{name} can only be {getattr(usual, name)!r}: leave it out")
    if output.run_id is not None and not _RUN_ID.fullmatch(output.run_id):
        raise ConfigValidationError(
            "output.run_id must be 1 to 128 of A-Z a-z 0-9 . _ - and not begin with a dot, got "
            f"{output.run_id!r}; None makes a new one"
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
    if spec.dim > _MOST_DIMENSIONS:
        raise ConfigValidationError(f"vector_spec.dim must be at most {_MOST_DIMENSIONS}, got {spec.dim}")
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


def _s3(config: WriteConfig, factory: SqliteFactory | SqliteVecFactory) -> dict[str, Any]:
    storage, manifest = config.storage, config.manifest
    connections = [
        Connection("storage", storage.s3_connection_options, storage.credential_provider),
        Connection("manifest", manifest.s3_connection_options, manifest.credential_provider),
        Connection(type(factory).__name__, factory.s3_connection_options, factory.credential_provider),
    ]
    s3: dict[str, Any] = s3_settings(connections, "writer")[0]
    return {**s3, "addressing": _ADDRESSING[s3.get("addressing") or "auto"]}


def _custom(config: WriteConfig) -> str | None:
    fields = config.manifest.custom_manifest_fields
    try:
        return json.dumps(fields, allow_nan=False) if fields else None
    except (TypeError, ValueError, RecursionError) as error:
        raise ConfigValidationError(f"manifest.custom_manifest_fields cannot be written as JSON: {error}") from error


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
        float(_BATCH_ROWS),
        config.batch_size,
        buffering.max_total_batched_items or math.inf,
        limits.max_writes_per_second or math.inf,
        _BATCH_BYTES / (4 * dim) if dim else math.inf,
    )
    size = min(
        float(_BATCH_BYTES),
        buffering.max_total_batched_bytes or math.inf,
        limits.max_write_bytes_per_second or math.inf,
    )
    return max(1, int(rows)), max(1, int(size))


def _routing_values(config: CelShardedWriteConfig) -> str | None:
    values = config.routing_values
    try:
        texts = None if values is None else [v.decode() if isinstance(v, bytes) else v for v in values]
    except UnicodeDecodeError as error:
        raise ConfigValidationError(
            f"sharding.routing_values: {error.object!r} is not valid UTF-8, and a manifest holds text"
        ) from error
    return None if texts is None else json.dumps(texts)


def _sharding(config: WriteConfig) -> dict[str, Any]:
    if isinstance(config, CelShardedWriteConfig):
        return {
            "num_dbs": None,
            "cel_expr": config.cel_expr,
            "cel_columns": json.dumps(config.cel_columns),
            "routing_values": _routing_values(config),
            "infer_routing_values": int(config.infer_routing_values_from_data),
        }
    if (config.num_dbs or 0) > _MOST_SHARDS:
        raise ConfigValidationError(f"sharding.num_dbs must be at most {_MOST_SHARDS}, got {config.num_dbs}")
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
    _check_output(config.output)
    factory, spec = _factory_of(config), config.vector_spec
    if input.vector_fn is not None and spec is None:
        raise ConfigValidationError("input.vector_fn is given, but no vector_spec: the snapshot would have no vectors")
    core: dict[str, Any] = {
        "url": config.s3_prefix,
        "s3": _s3(config, factory),
        "run_id": config.output.run_id,
        "backend": _KV,
        "flags": _LAST_WINS | (0 if factory.emit_sidecar else _NO_SIDECAR),
        **_sharding(config),
        "key_encoding": config.key_encoding.value,
        "custom": _custom(config),
        "page_size": 0 if factory.page_size == "auto" else factory.page_size,
        "shard_attempts": _attempts(config),
    }
    if config.output.local_root != WriterOutputConfig().local_root:
        core["local_root"] = config.output.local_root
    if options.buffering.max_total_batched_bytes is not None:
        core["memory_bytes"] = max(_LEAST_MEMORY, int(options.buffering.max_total_batched_bytes))
    if spec is not None:
        _check_vectors(spec, config.adapter_factory)
        core.update(backend=_UNIFIED, dimension=spec.dim, metric=spec.metric)
    vector_of = None if spec is None else _vector_of(spec, input)
    rows, size = _batch(config, options, spec.dim if spec is not None else 0)
    return WritePlan(core, vector_of, _context_of(config, input), rows, size)
