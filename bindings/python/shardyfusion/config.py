"""Configuration of writers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from ._config_base import BaseShardedWriteConfig
from ._config_parts import (
    KeyValueWriteConfig,
    KvWriteRateLimitConfig,
    ValidatableConfig,
    VectorWriteRateLimitConfig,
    WriterLifecycleConfig,
    WriterManifestConfig,
    WriterObservabilityConfig,
    WriterOutputConfig,
    WriterRetryConfig,
    WriterStorageConfig,
    check_callable,
    check_not_both,
    check_positive,
    validate_configs,
)
from ._config_sharding import CelShardingConfig, HashShardingConfig
from ._config_vectors import VectorMetricLiteral, VectorSpec, vector_metric_to_str
from .errors import ConfigValidationError
from .sharding_types import RoutingValue
from .type_defs import KeyInput

__all__ = [
    "BaseShardedWriteConfig",
    "BufferingOptions",
    "CelShardedWriteConfig",
    "CelShardingConfig",
    "ColumnWriteInput",
    "HashShardedWriteConfig",
    "HashShardingConfig",
    "KeyValueWriteConfig",
    "KvWriteRateLimitConfig",
    "PythonRecordInput",
    "PythonWriteOptions",
    "SharedMemoryOptions",
    "UnifiedVectorWriteConfig",
    "ValidatableConfig",
    "VectorColumnInput",
    "VectorMetricLiteral",
    "VectorSpec",
    "VectorWriteRateLimitConfig",
    "VectorWriteTuple",
    "WriterLifecycleConfig",
    "WriterManifestConfig",
    "WriterObservabilityConfig",
    "WriterOutputConfig",
    "WriterRetryConfig",
    "WriterStorageConfig",
    "validate_configs",
    "validate_shard_id_col_no_collision",
    "vector_metric_to_str",
]

T = TypeVar("T")
VectorWriteTuple: TypeAlias = tuple[int | str, Any, dict[str, Any] | None]

UnifiedVectorWriteConfig = VectorSpec


@dataclass(slots=True, init=False)
class HashShardedWriteConfig(BaseShardedWriteConfig):
    """What a writer that shards by hash is told; see BaseShardedWriteConfig."""

    sharding: HashShardingConfig = field(default_factory=HashShardingConfig)

    def __init__(
        self,
        *,
        sharding: HashShardingConfig | None = None,
        num_dbs: int | None = None,
        max_keys_per_shard: int | None = None,
        **base_kwargs: Any,
    ) -> None:
        check_not_both("sharding", sharding, num_dbs=num_dbs, max_keys_per_shard=max_keys_per_shard)
        self.sharding = sharding or HashShardingConfig(num_dbs, max_keys_per_shard)
        # No super(): a dataclass with slots is another class than the one that it would look for.
        BaseShardedWriteConfig.__init__(self, **base_kwargs)

    def validate(self) -> None:
        """Raises ConfigValidationError when a part, or something in one, is wrong."""
        BaseShardedWriteConfig.validate(self)
        if not isinstance(self.sharding, HashShardingConfig):
            raise ConfigValidationError(f"sharding must be a HashShardingConfig, got {type(self.sharding).__name__}")
        self.sharding.validate()

    @property
    def num_dbs(self) -> int | None:
        """sharding.num_dbs"""
        return self.sharding.num_dbs

    @property
    def max_keys_per_shard(self) -> int | None:
        """sharding.max_keys_per_shard"""
        return self.sharding.max_keys_per_shard


@dataclass(slots=True, init=False)
class CelShardedWriteConfig(BaseShardedWriteConfig):
    """What a writer that shards by an expression is told; see BaseShardedWriteConfig."""

    sharding: CelShardingConfig = field(default_factory=CelShardingConfig)

    def __init__(
        self,
        *,
        sharding: CelShardingConfig | None = None,
        cel_expr: str | None = None,
        cel_columns: dict[str, str] | None = None,
        routing_values: list[RoutingValue] | None = None,
        infer_routing_values_from_data: bool | None = None,
        **base_kwargs: Any,
    ) -> None:
        check_not_both(
            "sharding",
            sharding,
            cel_expr=cel_expr,
            cel_columns=cel_columns,
            routing_values=routing_values,
            infer_routing_values_from_data=infer_routing_values_from_data,
        )
        self.sharding = sharding or CelShardingConfig(
            cel_expr or "", cel_columns or {}, routing_values, bool(infer_routing_values_from_data)
        )
        # No super(): a dataclass with slots is another class than the one that it would look for.
        BaseShardedWriteConfig.__init__(self, **base_kwargs)

    def validate(self) -> None:
        """Raises ConfigValidationError when a part, or something in one, is wrong."""
        BaseShardedWriteConfig.validate(self)
        if not isinstance(self.sharding, CelShardingConfig):
            raise ConfigValidationError(f"sharding must be a CelShardingConfig, got {type(self.sharding).__name__}")
        self.sharding.validate()

    @property
    def cel_expr(self) -> str:
        """sharding.cel_expr"""
        return self.sharding.cel_expr

    @property
    def cel_columns(self) -> dict[str, str]:
        """sharding.cel_columns"""
        return self.sharding.cel_columns

    @property
    def routing_values(self) -> list[RoutingValue] | None:
        """sharding.routing_values"""
        return self.sharding.routing_values

    @property
    def infer_routing_values_from_data(self) -> bool:
        """sharding.infer_routing_values_from_data"""
        return self.sharding.infer_routing_values_from_data


@dataclass(slots=True)
class PythonRecordInput(Generic[T]):
    """How a record gives its key, its value, its columns for routing, and its vector: (id, vector, payload or None)."""

    key_fn: Callable[[T], KeyInput]
    value_fn: Callable[[T], bytes]
    columns_fn: Callable[[T], dict[str, Any]] | None = None
    vector_fn: Callable[[T], VectorWriteTuple] | None = None

    def validate(self) -> None:
        """Raises ConfigValidationError when one that must be a function is none."""
        check_callable(self.key_fn, "input.key_fn")
        check_callable(self.value_fn, "input.value_fn")
        check_callable(self.columns_fn, "input.columns_fn", optional=True)
        check_callable(self.vector_fn, "input.vector_fn", optional=True)


@dataclass(slots=True, frozen=True)
class VectorColumnInput:
    """The columns that hold a row's vector, its id (None: the key), its payload and its routing context."""

    vector_col: str
    id_col: str | None = None
    payload_cols: list[str] | None = None
    shard_id_col: str | None = None
    routing_context_cols: dict[str, str] | None = None

    def validate(self) -> None:
        """Raises ConfigValidationError when a name is empty."""
        if not self.vector_col:
            raise ConfigValidationError("input.vector.vector_col must not be empty")
        if self.id_col == "":
            raise ConfigValidationError("input.vector.id_col must not be empty")


@dataclass(slots=True)
class ColumnWriteInput:
    """How a row of a data frame gives its key, its value (a ValueSpec) and its vector."""

    key_col: str
    value_spec: Any
    vector: VectorColumnInput | None = None
    vector_fn: Callable[[Any], VectorWriteTuple] | None = None

    def validate(self) -> None:
        """Raises ConfigValidationError when something is missing or no function."""
        if not self.key_col:
            raise ConfigValidationError("input.key_col must not be empty")
        if self.value_spec is None:
            raise ConfigValidationError("input.value_spec must be given")
        if self.vector is not None:
            self.vector.validate()
        check_callable(self.vector_fn, "input.vector_fn", optional=True)


@dataclass(slots=True)
class SharedMemoryOptions:
    """Most bytes on their way to the processes of a parallel writer, in all and for each; None: no limit."""

    max_total_bytes: int | None = 256 * 1024 * 1024
    max_bytes_per_worker: int | None = 32 * 1024 * 1024

    def validate(self) -> None:
        """Raises ConfigValidationError when a limit is not above 0."""
        check_positive(self.max_total_bytes, "options.shared_memory.max_total_bytes")
        check_positive(self.max_bytes_per_worker, "options.shared_memory.max_bytes_per_worker")


@dataclass(slots=True)
class BufferingOptions:
    """Most rows, and most bytes, that wait to be written; None: the writer's own limits."""

    max_total_batched_items: int | None = None
    max_total_batched_bytes: int | None = None

    def validate(self) -> None:
        """Raises ConfigValidationError when a limit is not above 0."""
        check_positive(self.max_total_batched_items, "options.buffering.max_total_batched_items")
        check_positive(self.max_total_batched_bytes, "options.buffering.max_total_batched_bytes")


@dataclass(slots=True)
class PythonWriteOptions:
    """How one call of the Python writer runs."""

    parallel: bool = False
    max_queue_size: int = 100
    shared_memory: SharedMemoryOptions = field(default_factory=SharedMemoryOptions)
    buffering: BufferingOptions = field(default_factory=BufferingOptions)

    def validate(self) -> None:
        """Raises ConfigValidationError when a limit is not above 0."""
        check_positive(self.max_queue_size, "options.max_queue_size", optional=False)
        validate_configs(self.shared_memory, self.buffering)


class _HasShardIdCol(Protocol):
    shard_id_col: str


def validate_shard_id_col_no_collision(
    config: _HasShardIdCol,
    user_columns: set[str],
) -> None:
    """Raises ConfigValidationError when the column for shard ids has the name of one of the data and would hide it."""
    if config.shard_id_col in user_columns:
        raise ConfigValidationError(
            f"shard_id_col {config.shard_id_col!r} is a column of the data, too: choose another name for one of them"
        )
