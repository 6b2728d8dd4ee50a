"""Names of sharding by CEL expressions. The core compiles and evaluates them; here is what is raised and told."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from .errors import ConfigValidationError
from .sharding_types import CelShardingSpec, RoutingValue


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


def cel_sharding(
    expr: str,
    columns: dict[str, str | CelType],
    *,
    routing_values: Sequence[RoutingValue] | None = None,
) -> CelShardingSpec:
    """Returns the sharding by an expression over columns; ConfigValidationError: there are none, an unknown type."""
    if not columns:
        raise ConfigValidationError("cel_sharding needs at least one column")
    types = {}
    for name, given in columns.items():
        try:
            types[name] = CelType(given).value
        except ValueError:
            known = ", ".join(known.value for known in CelType)
            raise ConfigValidationError(f"column {name!r} has the type {given!r}, which is none of {known}") from None
    return CelShardingSpec(expr, types, None if routing_values is None else list(routing_values))


def _as_text(column: CelColumn) -> str:
    return column.name if column.type is CelType.STRING else f"string({column.name})"


def cel_sharding_by_columns(
    *columns: str | CelColumn,
    num_shards: int | None = None,
    separator: str = ":",
) -> CelShardingSpec:
    """Returns the sharding by the values of columns; a name alone is a column of text.

    num_shards: by a hash of them; None: each combination that occurs has a shard. separator stands between the values
    of several columns. ConfigValidationError: no columns, or num_shards below 1.
    """
    if not columns:
        raise ConfigValidationError("cel_sharding_by_columns needs at least one column")
    if num_shards is not None and num_shards < 1:
        raise ConfigValidationError(f"num_shards must be >= 1, got {num_shards}")
    for column in columns:
        if not isinstance(column, (str, CelColumn)):
            raise ConfigValidationError(f"a column must be a str or a CelColumn, got {column!r}")
    made = [CelColumn(column) if isinstance(column, str) else column for column in columns]
    if len(made) == 1 and made[0].type not in (CelType.DOUBLE, CelType.BOOL):
        inner = made[0].name
    else:
        inner = f" + {json.dumps(separator)} + ".join(map(_as_text, made))
    types = {column.name: column.type.value for column in made}
    if num_shards is None:
        return CelShardingSpec(inner, types, infer_routing_values_from_data=True)
    return CelShardingSpec(f"shard_hash({inner}) % {num_shards}u", types)
