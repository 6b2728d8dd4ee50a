"""Names of sharding by CEL expressions. The core compiles and evaluates them; here is what readers raise and take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .sharding_types import RoutingValue


class UnknownRoutingTokenError(ValueError):
    """The token that a categorical expression gives is none of the snapshot's routing values.

    Readers raise a subclass that is a ShardAssignmentError too. Where values are looked up, the key is absent instead.
    """


class CelType(str, Enum):
    """The type of a column that an expression reads."""

    INT = "int"
    STRING = "string"
    BYTES = "bytes"
    DOUBLE = "double"
    BOOL = "bool"
    UINT = "uint"


@dataclass(frozen=True, slots=True)
class CelColumn:
    """A column that an expression reads."""

    name: str
    type: CelType = CelType.STRING


def build_categorical_routing_lookup(routing_values: Sequence[RoutingValue]) -> dict[RoutingValue, int]:
    """Returns routing value -> shard: its place in the list."""
    return {value: shard for shard, value in enumerate(routing_values)}


def resolve_cel_routing_key(
    routing_key: int | str | bytes,
    *,
    routing_values: Sequence[RoutingValue] | None = None,
    lookup: dict[RoutingValue, int] | None = None,
) -> int:
    """Returns the shard of an expression's result: itself, or its place among the routing values if there are any.

    lookup saves making the one of routing_values. UnknownRoutingTokenError: it is none of the values.
    """
    if routing_values is None:
        return int(routing_key)
    known = build_categorical_routing_lookup(routing_values) if lookup is None else lookup
    if routing_key not in known:
        raise UnknownRoutingTokenError(f"the routing token {routing_key!r} is none of the snapshot's routing values")
    return known[routing_key]
