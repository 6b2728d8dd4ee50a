"""get and multi_get of all readers, with keys of every kind and with what is no key."""

from __future__ import annotations

import pathlib
from typing import Any

import numpy as np
import pytest
from readers import Builder, Opener, key_of, lines, value_of

from shardyfusion.errors import ConfigValidationError

LIES = [
    pytest.param(1.0, id="float"),
    pytest.param(None, id="None"),
    pytest.param(["a"], id="list"),
    pytest.param(bytearray(b"a"), id="bytearray"),
    pytest.param(memoryview(b"a"), id="memoryview"),
    pytest.param(np.float64(1), id="numpy float"),
    pytest.param(object(), id="object"),
    pytest.param(("a",), id="tuple"),
]


@pytest.mark.parametrize("unified", [True, False])
def test_every_row_of_packages(open_reader: Opener, data: pathlib.Path, samples: pathlib.Path, unified: bool) -> None:
    reader = open_reader(data / "packages-1k", unified=unified)
    rows = {row["key"]: row["value"].encode() for row in lines(samples / "packages.jsonl")}
    found = reader.multi_get(list(rows))
    assert list(found) == list(rows)
    present = {key: value for key, value in found.items() if value is not None}
    assert len(present) == 1000
    assert present == {key: rows[key] for key in present}
    for key in list(rows)[:300]:
        assert reader.get(key) == found[key]


def test_every_row_over_s3(open_reader: Opener, s3_data: str, samples: pathlib.Path) -> None:
    reader = open_reader(f"{s3_data}/packages-1k")
    rows = {row["key"]: row["value"].encode() for row in lines(samples / "packages.jsonl")}
    present = {key: value for key, value in reader.multi_get(rows.keys()).items() if value is not None}
    assert present == {key: rows[key] for key in present}
    assert len(present) == 1000
    assert reader.get("0ad") == found_or_none(rows, present, "0ad")


def found_or_none(rows: dict[str, bytes], present: dict[str, bytes], key: str) -> bytes | None:
    return rows[key] if key in present else None


@pytest.mark.parametrize("unified", [True, False])
@pytest.mark.parametrize("place", ["files", "s3"])
def test_composite(
    open_reader: Opener, data: pathlib.Path, place: str, unified: bool, request: pytest.FixtureRequest
) -> None:
    url: object = data / "composite-120"
    if place == "s3":
        url = f"{request.getfixturevalue('s3_data')}/composite-120"
    reader = open_reader(url, unified=unified)
    answers = {key_of(line["key"]): value_of(line["value"]) for line in lines(data / "composite-120-answers.jsonl")}
    assert None in answers.values()
    assert reader.multi_get(list(answers)) == answers
    for key, value in answers.items():
        assert reader.get(key) == value


@pytest.mark.parametrize(
    "name",
    [
        *("kv-sqlite-u64be", "kv-sqlite-utf8", "kv-sqlite-raw", "kv-sqlite-u32be", "kv-sqlite-page-32768"),
        *("kv-slatedb-013", "kv-slatedb-batches", "kv-slatedb-012", "unified-l2-int", "unified-cosine-bytes"),
    ],
)
def test_recorded_rows(open_reader: Opener, shared: pathlib.Path, name: str) -> None:
    case = shared / "fixtures" / "peer" / name
    reader = open_reader(case / "snapshot", unified=name.startswith("unified"))
    expected = [line for line in lines(case / "expected.jsonl") if "get_error" not in line]
    assert len(expected) > 20
    answers = {key_of(line["key"]): value_of(line["value"]) for line in expected}
    assert reader.multi_get(list(answers)) == answers
    for key, value in list(answers.items())[:50]:
        assert reader.get(key) == value


@pytest.mark.parametrize("context", ["context", [("a", 1)], {1: "a"}, {f"column{i}": i for i in range(10_000)}])
def test_what_is_no_routing_context(open_reader: Opener, data: pathlib.Path, context: Any) -> None:
    reader = open_reader(data / "packages-1k")
    for call in (reader.get, reader.route_key, lambda key, **more: reader.multi_get([key], **more)):
        with pytest.raises(ConfigValidationError, match="routing_context"):
            call("0ad", routing_context=context)


def test_integers_of_every_kind(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    build(
        [{"key": key, "value": f"v{key}"} for key in (0, 1, 7, 2**31, 2**63 - 1)], tmp_path / "ints", "--num-dbs", "2"
    )
    reader = open_reader(tmp_path / "ints", unified=False)
    assert reader.get(7) == b"v7"
    assert reader.get(2**63 - 1) == b"v9223372036854775807"
    kinds: list[Any] = [np.int8, np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64]
    for kind in kinds:
        assert reader.get(kind(7)) == b"v7", kind
    assert reader.get(True) == b"v1"
    assert reader.get(False) == b"v0"
    assert reader.get(5) is None
    found = reader.multi_get([np.int64(7), 7, True, 1, 2**31])
    assert found == {7: b"v7", 1: b"v1", 2**31: b"v2147483648"}
    assert reader.multi_get(np.array([0, 7, 9])) == {0: b"v0", 7: b"v7", 9: None}
    assert reader.multi_get(range(3)) == {0: b"v0", 1: b"v1", 2: None}


@pytest.mark.parametrize(
    "key",
    [2**63, 2**64 - 1, 2**64, 10**1000, -1, -(2**63), -(2**63) - 1, -(10**1000)],
    ids=["2^63", "2^64-1", "2^64", "10^1000", "-1", "-2^63", "-2^63-1", "-10^1000"],
)
def test_integers_that_no_row_can_have(open_reader: Opener, build: Builder, tmp_path: pathlib.Path, key: int) -> None:
    build([{"key": key, "value": "v"} for key in range(4)], tmp_path / "ints", "--num-dbs", "2")
    reader = open_reader(tmp_path / "ints", unified=False)
    with pytest.raises(ConfigValidationError, match=r"key") as caught:
        reader.get(key)
    assert caught.value.code == "INVALID"
    assert caught.value.retryable is False
    with pytest.raises(ConfigValidationError):
        reader.multi_get([1, key])
    assert reader.get(1) == b"v"


@pytest.mark.parametrize("key", LIES)
def test_what_is_no_key(open_reader: Opener, data: pathlib.Path, key: Any) -> None:
    reader = open_reader(data / "packages-1k")
    wanted = f"not {type(key).__qualname__}"
    with pytest.raises(ConfigValidationError, match=wanted):
        reader.get(key)
    with pytest.raises(ConfigValidationError, match=wanted):
        reader.multi_get(["0ad", key])


def test_an_integer_where_keys_are_text(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    with pytest.raises(ConfigValidationError, match="utf8"):
        reader.get(1)


@pytest.mark.parametrize("text", ["\ud800", "a\udfff", "\udc80\udc81"])
def test_surrogates(open_reader: Opener, data: pathlib.Path, text: str) -> None:
    reader = open_reader(data / "packages-1k")
    calls: list[Any] = [lambda: reader.get(text), lambda: reader.multi_get([text]), lambda: reader.route_key(text)]
    for call in calls:
        with pytest.raises(ConfigValidationError, match="surrogates"):
            call()


@pytest.mark.parametrize(
    "key", ["", "\0", "0ad\0", "é", "e\u0301", "\U0001f600", "x" * 100_000, b"", b"\0", b"\xff\xfe"]
)
def test_odd_keys_are_absent(open_reader: Opener, data: pathlib.Path, key: str | bytes) -> None:
    reader = open_reader(data / "packages-1k")
    assert reader.get(key) is None
    assert reader.multi_get([key]) == {key: None}


def test_text_and_its_bytes_are_the_same_row(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    key = reader.shard_details()[0].min_key
    value = reader.get(key)
    assert value is not None
    assert reader.get(key.encode()) == value
    assert reader.multi_get([key, key.encode()]) == {key: value, key.encode(): value}


def test_subclasses_of_str_and_int(open_reader: Opener, data: pathlib.Path) -> None:
    class Name(str):
        pass

    reader = open_reader(data / "packages-1k")
    key = reader.shard_details()[0].min_key
    assert reader.get(Name(key)) == reader.get(key)
    assert reader.get(np.str_(key)) == reader.get(key)


def test_an_index_that_raises(open_reader: Opener, data: pathlib.Path) -> None:
    class Bad:
        def __index__(self) -> int:
            raise ZeroDivisionError("mine")

    reader = open_reader(data / "packages-1k")
    with pytest.raises(ZeroDivisionError, match="mine"):
        reader.get(Bad())
    with pytest.raises(ZeroDivisionError, match="mine"):
        reader.multi_get(["0ad", Bad()])


def test_multi_get_of_any_iterable(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    keys = [detail.min_key for detail in reader.shard_details()]
    expected = {key: reader.get(key) for key in keys}
    assert None not in expected.values()
    assert reader.multi_get(tuple(keys)) == expected
    assert reader.multi_get(key for key in keys) == expected
    assert reader.multi_get(set(keys)) == expected
    assert reader.multi_get(dict.fromkeys(keys)) == expected
    assert reader.multi_get(keys * 3 + ["none"]) == {**expected, "none": None}
    assert list(reader.multi_get(["none", *keys, "none"])) == ["none", *keys]
    nothings: list[Any] = [[], (), set(), iter(())]
    for nothing in nothings:
        assert reader.multi_get(nothing) == {}


def test_multi_get_of_many(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    for count in (127, 128, 129, 5000):
        keys = [f"none-{i}" for i in range(count)]
        assert reader.multi_get(keys) == dict.fromkeys(keys)


@pytest.mark.parametrize("keys", ["abc", b"abc", np.str_("abc")])
def test_multi_get_of_one_key(open_reader: Opener, data: pathlib.Path, keys: Any) -> None:
    reader = open_reader(data / "packages-1k")
    with pytest.raises(ConfigValidationError, match="sequence of keys"):
        reader.multi_get(keys)


@pytest.mark.parametrize("keys", [None, 5, 1.5, object()])
def test_multi_get_of_no_keys_at_all(open_reader: Opener, data: pathlib.Path, keys: Any) -> None:
    reader = open_reader(data / "packages-1k")
    with pytest.raises(TypeError, match="not iterable"):
        reader.multi_get(keys)


def test_multi_get_of_a_generator_that_raises(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    with pytest.raises(ZeroDivisionError):
        reader.multi_get(1 // 0 for _ in range(3))


def test_one_wrong_key_fails_all(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "packages-1k")
    with pytest.raises(ConfigValidationError):
        reader.multi_get([*(f"none-{i}" for i in range(200)), 3.5])
