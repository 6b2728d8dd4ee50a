"""How keys and values become bytes."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from shardyfusion.errors import ConfigValidationError
from shardyfusion.routing import canonical_bytes
from shardyfusion.serde import ValueSpec, make_key_encoder
from shardyfusion.sharding_types import KeyEncoding, validate_routing_values


@pytest.mark.parametrize(
    ("encoding", "key", "stored"),
    [
        (KeyEncoding.U64BE, 258, b"\0\0\0\0\0\0\x01\x02"),
        (KeyEncoding.U64BE, 2**64 - 1, b"\xff" * 8),
        (KeyEncoding.U32BE, 258, b"\0\0\x01\x02"),
        (KeyEncoding.UTF8, "\u00e9", b"\xc3\xa9"),
        (KeyEncoding.UTF8, b"\xff", b"\xff"),
        (KeyEncoding.RAW, "a", b"a"),
        (KeyEncoding.RAW, b"\0", b"\0"),
    ],
)
def test_stored_keys(encoding: KeyEncoding, key: object, stored: bytes) -> None:
    assert make_key_encoder(encoding)(key) == stored


@pytest.mark.parametrize(
    ("encoding", "key"),
    [
        (KeyEncoding.U64BE, -1),
        (KeyEncoding.U64BE, 2**64),
        (KeyEncoding.U64BE, "1"),
        (KeyEncoding.U32BE, 2**32),
        (KeyEncoding.UTF8, 1),
        (KeyEncoding.RAW, None),
    ],
)
def test_keys_that_an_encoding_does_not_take(encoding: KeyEncoding, key: object) -> None:
    with pytest.raises(ConfigValidationError, match=encoding.value):
        make_key_encoder(encoding)(key)


def test_an_encoding_by_name() -> None:
    name: Any = "u32be"
    assert make_key_encoder(name)(1) == b"\0\0\0\x01"
    unknown: Any = "u16be"
    with pytest.raises(ConfigValidationError, match="u16be"):
        make_key_encoder(unknown)


def test_hashed_keys() -> None:
    assert canonical_bytes(-2) == b"\xfe" + b"\xff" * 7
    assert canonical_bytes("\u00e9") == b"\xc3\xa9"
    assert canonical_bytes(b"x") == b"x"
    for wrong in (2**63, -(2**63) - 1, 1.5, None):
        with pytest.raises(ValueError, match="a key"):
            canonical_bytes(wrong)  # type: ignore[arg-type]


def test_values_of_one_column() -> None:
    spec = ValueSpec.binary_col("v")
    values = [b"x", bytearray(b"x"), memoryview(b"x"), "x", None]
    assert [spec.encode({"v": value}) for value in values] == [b"x", b"x", b"x", b"x", b""]
    assert (spec.description, spec.referenced_columns()) == ("binary_col:v", ["v"])
    with pytest.raises(ConfigValidationError, match="column 'v' must hold bytes"):
        spec.encode({"v": 1})


def test_values_of_several_columns() -> None:
    class Row:
        def asDict(self, recursive: bool = False) -> dict[str, object]:  # noqa: N802 - Spark's name
            return {"a": 1, "b": {"c": 2} if recursive else None}

    assert ValueSpec.json_cols().encode({"b": None, "a": "\u00e9"}) == b'{"a":"\\u00e9","b":null}'
    assert ValueSpec.json_cols(["b"]).encode(Row()) == b'{"b":{"c":2}}'
    assert ValueSpec.json_cols(["a", "none"]).encode({"a": 1, "b": 2}) == b'{"a":1,"none":null}'
    assert (ValueSpec.json_cols(["a,b"]).referenced_columns(), ValueSpec.json_cols().referenced_columns()) == (
        ["a,b"],
        None,
    )
    again = pickle.loads(pickle.dumps(ValueSpec.json_cols(["a"])))
    assert again.encode({"a": 1}) == b'{"a":1}'


def test_values_of_a_function() -> None:
    def shout(row: object) -> bytes:
        return str(row).upper().encode()

    spec = ValueSpec.callable_encoder(shout)
    assert (spec.encode("a"), spec.description, spec.referenced_columns()) == (b"A", "shout", None)


@pytest.mark.parametrize("values", [[], [1, 2], ["a", "b"], [b"a"]])
def test_routing_values(values: list[Any]) -> None:
    validate_routing_values(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1, "a"], "one type"),
        ([1, None], "must be int, str or bytes"),
        ([True, False], "must be int, str or bytes"),
        ([1.5], "must be int, str or bytes"),
        (["a", "b", "a"], r"more than once: \['a'\]"),
    ],
)
def test_routing_values_that_are_refused(values: list[Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate_routing_values(values)
    if "once" in message:
        validate_routing_values(values, require_unique=False)
