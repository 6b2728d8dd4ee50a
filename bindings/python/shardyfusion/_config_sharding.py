"""What decides the shards of keys, as a writer is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from .errors import ConfigValidationError
from .sharding_types import RoutingValue, validate_routing_values


@dataclass(slots=True)
class HashShardingConfig:
    """Number of shards, or the most keys that one may have; one of the two."""

    num_dbs: int | None = None
    max_keys_per_shard: int | None = None

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError unless one of the two is a whole number above 0 and the other None."""
        given = {"num_dbs": self.num_dbs, "max_keys_per_shard": self.max_keys_per_shard}
        for name, value in given.items():
            if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value <= 0):
                raise ConfigValidationError(f"sharding.{name} must be a whole number > 0, got {value!r}")
        if (self.num_dbs is None) == (self.max_keys_per_shard is None):
            raise ConfigValidationError("give either sharding.num_dbs, > 0, or sharding.max_keys_per_shard")


@dataclass(slots=True)
class CelShardingConfig:
    """An expression and its columns (name -> type), and the routing values: given, inferred, or neither."""

    cel_expr: str = ""
    cel_columns: dict[str, str] = field(default_factory=dict)
    routing_values: list[RoutingValue] | None = None
    infer_routing_values_from_data: bool = False

    def __post_init__(self) -> None:
        self.validate()

    def validate(self) -> None:
        """Raises ConfigValidationError without expression or columns, and for routing values that cannot be."""
        if not self.cel_expr:
            raise ConfigValidationError("sharding.cel_expr must be given")
        if not self.cel_columns:
            raise ConfigValidationError("sharding.cel_columns must be given: the type of each column by its name")
        if self.routing_values is None:
            return
        if self.infer_routing_values_from_data:
            raise ConfigValidationError("give sharding.routing_values or infer_routing_values_from_data, not both")
        try:
            validate_routing_values(self.routing_values)
        except ValueError as error:
            raise ConfigValidationError(f"sharding.routing_values: {error}") from error
