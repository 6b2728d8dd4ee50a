"""How keys are encoded and spread over shards."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Self, TypeVar

DB_ID_COL = "_shard_id"
VECTOR_DB_ID_COL = "_vector_db_id"

RoutingValue = int | str | bytes


_Member = TypeVar("_Member", bound=Enum)


def _member_of(enumeration: type[_Member], value: object) -> _Member:
    """Returns the member that value is or spells; ValueError lists the members when there is none."""
    if isinstance(value, enumeration):
        return value
    try:
        return enumeration(str(value))
    except ValueError:
        members = ", ".join(str(member.value) for member in enumeration)
        raise ValueError(f"{enumeration.__name__} has no {value!r}; use one of: {members}") from None


def validate_routing_values(
    routing_values: Sequence[RoutingValue],
    *,
    require_unique: bool = True,
) -> None:
    """Raises ValueError unless all values are int, all text or all bytes and, when asked for, each occurs once."""
    for index, value in enumerate(routing_values):
        if isinstance(value, bool) or not isinstance(value, (int, str, bytes)):
            raise ValueError(f"Routing values must be int, str or bytes, but number {index} is {value!r}")
        if type(value) is not type(routing_values[0]):
            raise ValueError(
                "Routing values must all have one type, but number 0 is "
                f"{routing_values[0]!r} and number {index} is {value!r}"
            )
    if not require_unique:
        return
    seen: set[RoutingValue] = set()
    repeated: dict[RoutingValue, None] = {}
    for value in routing_values:
        if value in seen:
            repeated[value] = None
        seen.add(value)
    if repeated:
        raise ValueError(f"Routing values must be unique, but these occur more than once: {list(repeated)!r}")


class KeyEncoding(str, Enum):
    """How a key is stored: big-endian integers of 8 or 4 bytes, text, or bytes as they are."""

    U64BE = "u64be"
    U32BE = "u32be"
    UTF8 = "utf8"
    RAW = "raw"

    @classmethod
    def from_value(cls, value: KeyEncoding | str) -> Self:
        """Returns the member that value is or spells; ValueError when there is none."""
        return _member_of(cls, value)


class ShardingStrategy(str, Enum):
    """What decides the shard of a key: a hash of it, or an expression."""

    HASH = "hash"
    CEL = "cel"

    @classmethod
    def from_value(cls, value: ShardingStrategy | str) -> Self:
        """Returns the member that value is or spells; ValueError when there is none."""
        return _member_of(cls, value)


class ShardHashAlgorithm(str, Enum):
    """The hash that spreads keys over shards."""

    XXH3_64 = "xxh3_64"

    @classmethod
    def from_value(cls, value: ShardHashAlgorithm | str) -> Self:
        """Returns the member that value is or spells; ValueError when there is none."""
        return _member_of(cls, value)


@dataclass(slots=True)
class ShardingSpec:
    """Base of the ways of sharding."""

    def to_manifest_dict(self) -> dict[str, object]:
        """Returns what a manifest says of this way of sharding."""
        raise NotImplementedError


@dataclass(slots=True)
class HashShardingSpec(ShardingSpec):
    """Sharding by hash: shard = hash(canonical bytes of the key) mod number of shards."""

    hash_algorithm: ShardHashAlgorithm = ShardHashAlgorithm.XXH3_64
    max_keys_per_shard: int | None = None

    def __post_init__(self) -> None:
        self.hash_algorithm = ShardHashAlgorithm.from_value(self.hash_algorithm)
        if self.max_keys_per_shard is not None and self.max_keys_per_shard <= 0:
            raise ValueError(f"max_keys_per_shard must be > 0, got {self.max_keys_per_shard}")

    def to_manifest_dict(self) -> dict[str, object]:
        """Returns strategy and hash_algorithm; the number of shards is a field of the manifest itself."""
        return {"strategy": ShardingStrategy.HASH.value, "hash_algorithm": self.hash_algorithm.value}


@dataclass(slots=True)
class CelShardingSpec(ShardingSpec):
    """Sharding by an expression: its result is the shard, or one of the routing values."""

    cel_expr: str = ""
    cel_columns: dict[str, str] = field(default_factory=dict)
    routing_values: list[RoutingValue] | None = None
    infer_routing_values_from_data: bool = False

    def __post_init__(self) -> None:
        if not self.cel_expr or not self.cel_columns:
            raise ValueError("sharding by an expression needs cel_expr and cel_columns")
        if self.routing_values is None:
            return
        if self.infer_routing_values_from_data:
            raise ValueError("give routing_values or infer_routing_values_from_data, not both")
        validate_routing_values(self.routing_values)

    def to_manifest_dict(self) -> dict[str, object]:
        """Returns strategy, hash_algorithm, cel_expr, cel_columns, and routing_values where there are any."""
        told: dict[str, object] = {
            "strategy": ShardingStrategy.CEL.value,
            "hash_algorithm": ShardHashAlgorithm.XXH3_64.value,
            "cel_expr": self.cel_expr,
            "cel_columns": dict(self.cel_columns),
        }
        return told if self.routing_values is None else {**told, "routing_values": self.routing_values}
