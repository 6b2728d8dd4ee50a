"""How keys and values become bytes."""

# No `from __future__ import annotations` here: the signatures of this module are recorded with evaluated annotations.

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

from .errors import ConfigValidationError
from .sharding_types import KeyEncoding

KeyEncoder = Callable[[object], bytes]


def _integer_encoder(encoding: KeyEncoding, size: int) -> KeyEncoder:
    def encode(key: object) -> bytes:
        if not isinstance(key, int):
            raise ConfigValidationError(f"a key of encoding {encoding.value} must be an int, got {type(key).__name__}")
        try:
            return key.to_bytes(size, "big")
        except OverflowError:
            raise ConfigValidationError(
                f"a key of encoding {encoding.value} must be from 0 to 2^{8 * size}-1, got {key}"
            ) from None

    return encode


def _bytes_encoder(encoding: KeyEncoding) -> KeyEncoder:
    def encode(key: object) -> bytes:
        if isinstance(key, bytes):
            return key
        if isinstance(key, str):
            return key.encode("utf-8")
        raise ConfigValidationError(
            f"a key of encoding {encoding.value} must be str or bytes, got {type(key).__name__}"
        )

    return encode


def make_key_encoder(encoding: KeyEncoding) -> Callable[[object], bytes]:
    """Returns the function that makes stored keys of logical ones; it raises ConfigValidationError for wrong keys."""
    try:
        encoding = KeyEncoding.from_value(encoding)
    except ValueError as error:
        raise ConfigValidationError(str(error)) from None
    sizes = {KeyEncoding.U64BE: 8, KeyEncoding.U32BE: 4}
    return _integer_encoder(encoding, sizes[encoding]) if encoding in sizes else _bytes_encoder(encoding)


@dataclass(slots=True, frozen=True)
class _BinaryColumn:
    columns: list[str]

    def __call__(self, row: Any) -> bytes:
        value = row[self.columns[0]]
        if value is None:
            return b""
        if isinstance(value, str):
            return value.encode("utf-8")
        if isinstance(value, (bytes, bytearray, memoryview)):
            return bytes(value)
        raise ConfigValidationError(
            f"column {self.columns[0]!r} must hold bytes, text or nothing, got {type(value).__name__}"
        )


@dataclass(slots=True, frozen=True)
class _JsonColumns:
    columns: list[str] | None

    def __call__(self, row: Any) -> bytes:
        # Rows of Spark are no mappings, but know how to become one.
        fields = row.asDict(recursive=True) if hasattr(row, "asDict") else dict(row)
        if self.columns:
            fields = {name: fields.get(name) for name in self.columns}
        return json.dumps(fields, sort_keys=True, separators=(",", ":")).encode("utf-8")


@dataclass(slots=True)
class ValueSpec:
    """How the value of a row is made: a function, and words about it."""

    encoder: Callable[[object], bytes]
    description: str

    def encode(self, row: object) -> bytes:
        """Returns the value of a row."""
        return self.encoder(row)

    @classmethod
    def binary_col(cls, col_name: str) -> Self:
        """One column as it is: bytes, text (as UTF-8), or nothing (as no bytes)."""
        return cls(_BinaryColumn([col_name]), f"binary_col:{col_name}")

    @classmethod
    def json_cols(cls, cols: list[str] | None = None) -> Self:
        """Columns (default: all) as a JSON object with sorted names; a column that a row lacks is null."""
        return cls(_JsonColumns(cols), f"json_cols:{'all' if cols is None else ','.join(cols)}")

    @classmethod
    def callable_encoder(cls, fn: Callable[[object], bytes]) -> Self:
        """A function of the caller's."""
        return cls(fn, getattr(fn, "__name__", "callable_encoder"))

    def referenced_columns(self) -> list[str] | None:
        """Returns the columns that the value is made of, or None when that may be any."""
        columns: list[str] | None = getattr(self.encoder, "columns", None)
        return list(columns) if columns else None
