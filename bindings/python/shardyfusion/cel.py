"""Sharding by CEL expressions, which the core compiles and evaluates: how they are written, tried and told of."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Any

from ._shardyfusion import Expression
from .errors import ConfigValidationError
from .sharding_types import CelShardingSpec, RoutingValue

# SHF_CONTEXT_* of include/shardyfusion/types.h, by what a column's type is called.
_KINDS = {"int": 1, "uint": 2, "double": 3, "bool": 4, "string": 5, "bytes": 6}

# By what str() of an Arrow type gives.
_ARROW_TYPES = {
    "int": {"int8", "int16", "int32", "int64"},
    "uint": {"uint8", "uint16", "uint32", "uint64"},
    "double": {"halffloat", "float", "double"},
    "string": {"string", "large_string"},
    "bytes": {"binary", "large_binary"},
    "bool": {"bool"},
}


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


class CompiledCel:
    """An expression that is ready to be evaluated; compile_cel makes it. env is not used."""

    __slots__ = ("_columns", "_columns_list", "_expr")

    def __init__(self, env: Any, expr: Any, columns: dict[str, str]) -> None:
        if not isinstance(expr, Expression):
            raise ConfigValidationError(f"CompiledCel is made by compile_cel, not of a {type(expr).__name__}")
        self._expr = expr
        self._columns = MappingProxyType(dict(columns))
        self._columns_list = tuple(columns)

    @property
    def columns(self) -> Mapping[str, str]:
        """The type of each column by its name; cannot be changed."""
        return self._columns

    @property
    def columns_list(self) -> tuple[str, ...]:
        """The names of the columns."""
        return self._columns_list

    def evaluate(self, context: dict[str, Any]) -> int | str | bytes:
        """Returns what the expression gives for these values; what is no column does no harm.

        ShardAssignmentError: it fails, for a column that is missing or of another type, say. Text and bytes count up to
        their first NUL byte, as in lookups.
        """
        return self._expr.evaluate(context)


def compile_cel(expr: str, columns: dict[str, str]) -> CompiledCel:
    """Compiles an expression over columns (name -> type), as readers and writers do.

    ConfigValidationError: it does not compile (with the place in it), its result is none of int, uint, string and
    bytes, a type is unknown.
    """
    kinds = []
    for name, given in columns.items():
        kind = _KINDS.get(given)
        if kind is None:
            raise ConfigValidationError(f"column {name!r} has the type {given!r}, which is none of {', '.join(_KINDS)}")
        kinds.append((name, kind))
    return CompiledCel(None, Expression.compile(expr, tuple(kinds)), columns)


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

    lookup saves making the one of routing_values. UnknownRoutingTokenError: it is none of the values. ValueError: there
    are none, and it is a text of other characters than digits.
    """
    if routing_values is None:
        if isinstance(routing_key, (str, bytes)) and not (routing_key.isascii() and routing_key.isdigit()):
            raise ValueError(f"the expression gives {routing_key!r}, which is no number of a shard")
        return int(routing_key)
    known = build_categorical_routing_lookup(routing_values) if lookup is None else lookup
    if routing_key not in known:
        raise UnknownRoutingTokenError(f"the routing token {routing_key!r} is none of the snapshot's routing values")
    return known[routing_key]


def route_cel(
    compiled: CompiledCel,
    context: dict[str, Any],
    routing_values: Sequence[RoutingValue] | None = None,
    lookup: dict[RoutingValue, int] | None = None,
) -> int:
    """Returns the shard of these values; see CompiledCel.evaluate and resolve_cel_routing_key for errors."""
    return resolve_cel_routing_key(compiled.evaluate(context), routing_values=routing_values, lookup=lookup)


def evaluate_cel_arrow_batch(compiled: CompiledCel, batch: Any) -> list[int | str | bytes]:
    """Returns what the expression gives for each row of a pyarrow RecordBatch or Table, which must have its columns."""
    return [compiled.evaluate(row) for row in batch.select(list(compiled.columns_list)).to_pylist()]


def route_cel_batch(
    compiled: CompiledCel,
    batch: Any,
    routing_values: Sequence[RoutingValue] | None = None,
) -> list[int]:
    """Returns the shard of each row of a pyarrow RecordBatch or Table."""
    lookup = None if routing_values is None else build_categorical_routing_lookup(routing_values)
    return [
        resolve_cel_routing_key(token, routing_values=routing_values, lookup=lookup)
        for token in evaluate_cel_arrow_batch(compiled, batch)
    ]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def pandas_rows_to_contexts(pdf: Any, cel_columns: dict[str, str]) -> list[dict[str, Any]]:
    """Returns the values of these columns for each row of a pandas DataFrame, as numbers and texts of Python."""
    columns = [[_plain(value) for value in pdf[name].tolist()] for name in cel_columns]
    return [dict(zip(cel_columns, row, strict=True)) for row in zip(*columns, strict=True)]


def validate_cel_columns(arrow_schema: Any, cel_columns: dict[str, str]) -> None:
    """Raises ConfigValidationError when an Arrow schema lacks a column, or has it in another type than the declared."""
    names = set(arrow_schema.names)
    for name, declared in cel_columns.items():
        if name not in names:
            raise ConfigValidationError(f"the Arrow schema has no column {name!r}; it has {sorted(names)}")
        found, fitting = str(arrow_schema.field(name).type), _ARROW_TYPES.get(declared)
        if fitting is None:
            raise ConfigValidationError(f"column {name!r} has the type {declared!r}, which is none of {list(_KINDS)}")
        if found not in fitting:
            raise ConfigValidationError(
                f"column {name!r} is declared as {declared} and has the Arrow type {found}; it needs one of "
                f"{sorted(fitting)}"
            )


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
