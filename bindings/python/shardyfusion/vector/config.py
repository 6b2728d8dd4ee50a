"""Settings of vector indexes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from shardyfusion import _arrays as np

from .types import DistanceMetric, VectorShardingStrategy


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
