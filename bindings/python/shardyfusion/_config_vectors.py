"""What a writer of keys is told of the vectors beside them."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Literal, TypeAlias, cast, get_args

from .errors import ConfigValidationError
from .vector._index_config import VectorIndexConfig, VectorShardingSpec, VectorSpecSharding
from .vector.types import DistanceMetric, VectorShardingStrategy

VectorMetricLiteral: TypeAlias = Literal["cosine", "l2", "dot_product"]


def vector_metric_to_str(metric: VectorMetricLiteral | str | object) -> VectorMetricLiteral:
    """Returns the name that a manifest has for a metric given by name or as a DistanceMetric."""
    name = getattr(metric, "value", metric)
    if name not in get_args(VectorMetricLiteral):
        metrics = ", ".join(get_args(VectorMetricLiteral))
        raise ConfigValidationError(f"vector_spec.metric must be one of {metrics}, got {metric!r}")
    return cast(VectorMetricLiteral, name)


@dataclass(slots=True)
class VectorSpec:
    """The vectors of a unified snapshot: dimensions, metric, and where a row has its vector.

    vector_col names the column when no vector_fn is given. index_type, index_params and quantization ("fp16", "i8")
    are for backends that build an index; SQLite shards are searched exactly and keep float32.
    """

    dim: int
    vector_col: str | None = None
    metric: VectorMetricLiteral = "cosine"
    index_type: str = "hnsw"
    index_params: dict[str, object] = field(default_factory=dict)
    quantization: str | None = None
    sharding: "VectorSpecSharding" = field(default_factory=VectorSpecSharding)  # noqa: UP037 - the recorded signature

    def __post_init__(self) -> None:
        self.metric = vector_metric_to_str(self.metric)

    def to_vector_index_config(self) -> VectorIndexConfig:
        """Returns the settings of the index of one shard."""
        return VectorIndexConfig(
            dim=self.dim,
            metric=DistanceMetric(self.metric),
            index_type=self.index_type,
            index_params=self.index_params,
            quantization=self.quantization,
        )

    def to_vector_sharding_spec(self) -> VectorShardingSpec:
        """Returns how the vectors are spread over shards; ConfigValidationError for an unknown strategy."""
        try:
            strategy = VectorShardingStrategy(self.sharding.strategy)
        except ValueError as error:
            raise ConfigValidationError(f"vector_spec.sharding.strategy: {error}") from None
        values = {each.name: getattr(self.sharding, each.name) for each in fields(self.sharding)}
        return VectorShardingSpec(**{**values, "strategy": strategy})
