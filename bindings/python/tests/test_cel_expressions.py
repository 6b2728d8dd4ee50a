"""Expressions by themselves: compile_cel and what is made of it, against the recorded cases and by example."""

from __future__ import annotations

import importlib
import json
import pathlib
from typing import Any

import pytest

from shardyfusion import ConfigValidationError, InvalidArgumentError, ShardAssignmentError
from shardyfusion.cel import (
    CompiledCel,
    UnknownRoutingTokenError,
    compile_cel,
    evaluate_cel_arrow_batch,
    pandas_rows_to_contexts,
    route_cel,
    route_cel_batch,
    validate_cel_columns,
)


def _value(described: dict[str, Any]) -> Any:
    ((kind, value),) = described.items()
    if kind in ("int", "uint"):
        return int(value)
    if kind in ("double", "float"):
        return float(value)
    return bytes.fromhex(value) if kind == "bytes" else value


def _check(case: dict[str, Any]) -> None:
    expected, context = case["expect"], {name: _value(value) for name, value in case["context"].items()}
    if expected.get("error") in ("compile", "result_type"):
        with pytest.raises(ConfigValidationError):
            compile_cel(case["expr"], case["columns"])
        return
    compiled = compile_cel(case["expr"], case["columns"])
    if expected.get("error") == "eval":
        with pytest.raises(ShardAssignmentError):
            compiled.evaluate(context)
        return
    if "token" in expected:
        token = compiled.evaluate(context)
        assert token == _value(expected["token"]) and type(token) is type(_value(expected["token"]))
    values = case.get("routing_values")
    tokens = None if values is None else [_value(value) for value in values]
    if expected.get("error") in ("unknown_token", "not_integer"):
        unknown = expected["error"] == "unknown_token"
        with pytest.raises(UnknownRoutingTokenError if unknown else ValueError):
            route_cel(compiled, context, tokens)
    if "shard" in expected:
        assert route_cel(compiled, context, tokens) == expected["shard"]


def test_recorded_cases(shared: pathlib.Path) -> None:
    cases = json.loads((shared / "fixtures" / "cel" / "routing.json").read_text(encoding="utf-8"))["cases"]
    wrong = []
    for case in cases:
        try:
            _check(case)
        except BaseException as error:  # pytest's own is none of Exception
            wrong.append(f"{case['id']}: {case['expr']!r}: {error!r}")
    assert not wrong, "\n" + "\n".join(wrong)
    assert len(cases) > 200


def test_a_compiled_expression() -> None:
    columns = {"region": "string", "tier": "int"}
    compiled = compile_cel('region + ":" + string(tier)', columns)
    columns["other"] = "int"
    assert dict(compiled.columns) == {"region": "string", "tier": "int"}
    assert compiled.columns_list == ("region", "tier")
    with pytest.raises(TypeError):
        compiled.columns["tier"] = "uint"  # type: ignore[index]
    assert compiled.evaluate({"region": "eu", "tier": 3, "ignored": object()}) == "eu:3"
    assert compiled.evaluate({"region": b"eu", "tier": True}) == "eu:1"
    with pytest.raises(ShardAssignmentError, match="tier"):
        compiled.evaluate({"region": "eu"})
    nothings: tuple[Any, ...] = (None, [], "eu")
    for nothing in nothings:
        with pytest.raises(InvalidArgumentError):
            compiled.evaluate(nothing)
    with pytest.raises(InvalidArgumentError):
        compiled.evaluate({1: "eu"})  # type: ignore[dict-item]


def test_what_does_not_compile() -> None:
    for expression, columns in (
        ("key %", {"key": "int"}),
        ("key % 4u", {"key": "int"}),
        ("key > 1", {"key": "int"}),
        ("other", {"key": "int"}),
        ("key", {"key": "integer"}),
        ("k\0", {"k": "int"}),
        ("k", {"k\0": "int"}),
        ("", {}),
    ):
        with pytest.raises(ConfigValidationError):
            compile_cel(expression, columns)
    with pytest.raises(ConfigValidationError, match="compile_cel"):
        CompiledCel(None, "key % 4", {"key": "int"})


def test_results_of_all_types() -> None:
    assert compile_cel("u", {"u": "uint"}).evaluate({"u": 2**64 - 1}) == 2**64 - 1
    assert compile_cel("k", {"k": "int"}).evaluate({"k": -(2**63)}) == -(2**63)
    assert compile_cel("y", {"y": "bytes"}).evaluate({"y": b"\xff\x01"}) == b"\xff\x01"
    assert compile_cel("s", {"s": "string"}).evaluate({"s": "日本"}) == "日本"
    assert compile_cel("3", {}).evaluate({}) == 3


def test_routing() -> None:
    region = compile_cel("region", {"region": "string"})
    assert route_cel(region, {"region": "ap"}, ["eu", "ap"]) == 1
    assert route_cel(region, {"region": "ap"}, ["eu", "ap"], {"eu": 0, "ap": 7}) == 7
    with pytest.raises(UnknownRoutingTokenError):
        route_cel(region, {"region": "mars"}, ["eu", "ap"])
    assert route_cel(compile_cel("key % 4", {"key": "int"}), {"key": 7}) == 3


class _Batch:
    """As much of a pyarrow table as is needed."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self._rows = rows

    def select(self, names: list[str]) -> _Batch:
        return _Batch([{name: row[name] for name in names} for row in self._rows])

    def to_pylist(self) -> list[dict[str, Any]]:
        return self._rows


def _batches(rows: list[dict[str, Any]]) -> list[Any]:
    batches: list[Any] = [_Batch(rows)]
    try:
        pyarrow = importlib.import_module("pyarrow")
    except ImportError:
        return batches
    table = pyarrow.Table.from_pylist(rows)
    return [*batches, table, table.to_batches()[0]]


def test_batches_of_arrow() -> None:
    rows = [{"region": region, "note": 1} for region in ("eu", "ap", "eu")]
    compiled = compile_cel("region", {"region": "string"})
    for batch in _batches(rows):
        assert evaluate_cel_arrow_batch(compiled, batch) == ["eu", "ap", "eu"]
        assert route_cel_batch(compiled, batch, ["ap", "eu"]) == [1, 0, 1]
        with pytest.raises(UnknownRoutingTokenError):
            route_cel_batch(compiled, batch, ["eu"])
    direct = compile_cel("note + 1", {"note": "int"})
    for batch in _batches(rows):
        assert route_cel_batch(direct, batch) == [2, 2, 2]
    for batch in _batches([{"region": "eu"}, {"region": None}]):
        with pytest.raises(ShardAssignmentError, match="region"):
            evaluate_cel_arrow_batch(compiled, batch)


def test_schemas_of_arrow() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    fitting = {
        "int": [pyarrow.int8(), pyarrow.int64()],
        "uint": [pyarrow.uint8(), pyarrow.uint64()],
        "double": [pyarrow.float16(), pyarrow.float32(), pyarrow.float64()],
        "string": [pyarrow.string(), pyarrow.large_string()],
        "bytes": [pyarrow.binary(), pyarrow.large_binary()],
        "bool": [pyarrow.bool_()],
    }
    for declared in fitting:
        for name, types in fitting.items():
            for kind in types:
                schema = pyarrow.schema([("k", kind), ("other", pyarrow.date32())])
                if name == declared:
                    validate_cel_columns(schema, {"k": declared})
                    continue
                with pytest.raises(ConfigValidationError, match=f"declared as {declared}"):
                    validate_cel_columns(schema, {"k": declared})
    with pytest.raises(ConfigValidationError, match="no column 'x'"):
        validate_cel_columns(pyarrow.schema([("k", pyarrow.int64())]), {"x": "int"})
    with pytest.raises(ConfigValidationError, match="none of"):
        validate_cel_columns(pyarrow.schema([("k", pyarrow.int64())]), {"k": "integer"})


def test_rows_of_pandas() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"tier": [1, 2], "region": ["eu", "ap"], "share": [0.5, 1.5], "note": [None, "x"]})
    columns = {"region": "string", "tier": "int", "share": "double"}
    contexts = pandas_rows_to_contexts(frame, columns)
    assert contexts == [
        {"region": "eu", "tier": 1, "share": 0.5},
        {"region": "ap", "tier": 2, "share": 1.5},
    ]
    assert [type(value) for value in contexts[0].values()] == [str, int, float]
    numbers = pandas_rows_to_contexts(frame, {"tier": "int", "share": "double"})
    assert [type(value) for value in numbers[0].values()] == [int, float]
    compiled = compile_cel('region + ":" + string(tier)', columns)
    assert [route_cel(compiled, context, ["ap:2", "eu:1"]) for context in contexts] == [1, 0]
    assert pandas_rows_to_contexts(frame.iloc[:0], columns) == []
