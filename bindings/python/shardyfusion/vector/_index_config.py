"""The index of a shard, and how vectors are spread over shards."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, TypeVar

from shardyfusion import _arrays as np

from ..errors import ConfigValidationError
from .types import DistanceMetric, VectorShardingStrategy

Choice = TypeVar("Choice", bound=Enum)


@dataclass(slots=True)
class VectorIndexConfig:
    """The index of a shard: number of dimensions, metric, and what the writer of the index is told."""

    dim: int
    metric: DistanceMetric = DistanceMetric.COSINE
    index_type: str = "hnsw"
    index_params: dict[str, Any] = field(default_factory=dict)
    quantization: str | None = None


@dataclass(slots=True)
class VectorShardingConfig:
    """How vectors are spread over the shards of a vector-only snapshot.

    centroids, of shape (num_dbs, dim), belong to CLUSTER; num_hash_bits and hyperplanes, of shape
    (num_hash_bits, dim), to LSH; cel_expr, cel_columns (name to type) and routing_values to CEL.
    """

    num_dbs: int | None = None
    strategy: VectorShardingStrategy = VectorShardingStrategy.CLUSTER
    num_probes: int = 1
    centroids: np.ndarray | None = None
    train_centroids: bool = False
    centroids_training_sample_size: int = 100_000
    num_hash_bits: int = 8
    hyperplanes: np.ndarray | None = None
    cel_expr: str | None = None
    cel_columns: dict[str, str] | None = None
    routing_values: list[int | str | bytes] | None = None


VectorShardingSpec = VectorShardingConfig


@dataclass(slots=True)
class VectorSpecSharding:
    """What VectorSpec.sharding holds: the fields of VectorShardingConfig without the number of shards."""

    strategy: str = "cluster"
    num_probes: int = 1
    centroids: np.ndarray | None = None
    train_centroids: bool = False
    centroids_training_sample_size: int = 100_000
    num_hash_bits: int = 8
    hyperplanes: np.ndarray | None = None
    cel_expr: str | None = None
    cel_columns: dict[str, str] | None = None
    routing_values: list[int | str | bytes] | None = None


def _one_of(kind: type[Choice], value: object, name: str) -> Choice:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(str(member.value) for member in kind)
        raise ConfigValidationError(f"{name} must be one of {known}, got {value!r}") from None


def check_index(config: VectorIndexConfig) -> None:
    """Turns the metric into a DistanceMetric; ConfigValidationError when it is none, and without dimensions."""
    if not isinstance(config, VectorIndexConfig):
        raise ConfigValidationError(f"index_config must be a VectorIndexConfig, got {type(config).__name__}")
    if not isinstance(config.dim, int) or isinstance(config.dim, bool) or config.dim <= 0:
        raise ConfigValidationError(
            f"index_config.dim must be > 0, got {config.dim!r}: give index_config=VectorIndexConfig(dim=...)"
        )
    config.metric = _one_of(DistanceMetric, config.metric, "index_config.metric")


def check_sharding(config: VectorShardingConfig) -> None:
    """Turns the strategy into a VectorShardingStrategy; ConfigValidationError for what does not fit it."""
    if not isinstance(config, VectorShardingConfig):
        raise ConfigValidationError(f"sharding must be a VectorShardingConfig, got {type(config).__name__}")
    config.strategy = strategy = _one_of(VectorShardingStrategy, config.strategy, "sharding.strategy")
    for name in ("num_dbs", "num_probes", "centroids_training_sample_size", "num_hash_bits"):
        value = getattr(config, name)
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        if not (is_whole and value > 0) and not (name == "num_dbs" and value is None):
            raise ConfigValidationError(f"sharding.{name} must be a whole number >= 1, got {value!r}")
    if strategy is VectorShardingStrategy.CLUSTER and config.centroids is None and not config.train_centroids:
        raise ConfigValidationError("CLUSTER sharding needs sharding.centroids, or train_centroids=True")
    if strategy is VectorShardingStrategy.CEL and not (config.cel_expr and config.cel_columns):
        raise ConfigValidationError("CEL sharding needs sharding.cel_expr and cel_columns")
    if config.num_probes > 1 and strategy in (VectorShardingStrategy.CEL, VectorShardingStrategy.EXPLICIT):
        raise ConfigValidationError(
            f"sharding.num_probes above 1 is for CLUSTER and LSH sharding, got {config.num_probes} for {strategy.value}"
        )
