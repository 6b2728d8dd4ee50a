"""What a query may be: arrays of every kind, buffers, sequences; and what it may not be."""

from __future__ import annotations

import array
import pathlib
from typing import Any

import numpy as np
import pytest
from readers import Opener

from shardyfusion.errors import ConfigValidationError, InvalidArgumentError

QUERY: Any = np.array([0.5, -0.25, 0.125, 1.0])
GRID: Any = np.array([QUERY, QUERY * -3 + 1, [1, 2, 3, 4]])


@pytest.fixture
def reader(open_reader: Opener, data: pathlib.Path) -> Any:
    return open_reader(data / "composite-120")


def strided(dtype: Any) -> Any:
    wide = np.full((3, 8), 9, dtype=dtype)
    wide[1, ::2] = QUERY
    return wide[1, ::2]


def unaligned(dtype: Any) -> Any:
    room = bytearray(4 * np.dtype(dtype).itemsize + 1)
    query = np.frombuffer(room, dtype=dtype, offset=1)
    query[:] = QUERY
    assert not query.flags.aligned
    return query


def read_only(dtype: Any) -> Any:
    query = QUERY.astype(dtype)
    query.flags.writeable = False
    return query


ONES = {
    "float64": QUERY,
    "float32": QUERY.astype(np.float32),
    "float16": QUERY.astype(np.float16),
    "longdouble": QUERY.astype(np.longdouble),
    "big-endian float64": QUERY.astype(">f8"),
    "big-endian float32": QUERY.astype(">f4"),
    "strided float32": strided(np.float32),
    "strided float64": strided(np.float64),
    "a row of a matrix": QUERY.astype(np.float32).reshape(1, 4),
    "a row of float64 in Fortran order": np.asfortranarray(QUERY.reshape(1, 4)),
    "a strided row": np.repeat(QUERY.astype(np.float32), 2).reshape(1, 8)[:, ::2],
    "reversed": QUERY.astype(np.float32)[::-1].copy()[::-1],
    "unaligned float32": unaligned(np.float32),
    "unaligned float64": unaligned(np.float64),
    "read-only": read_only(np.float32),
    "a column in Fortran order": np.asfortranarray(np.tile(QUERY.astype(np.float32), (5, 1)))[2],
    "list": QUERY.tolist(),
    "tuple": tuple(QUERY.tolist()),
    "list of numpy numbers": list(QUERY.astype(np.float32)),
    "array.array float": array.array("f", QUERY.tolist()),
    "array.array double": array.array("d", QUERY.tolist()),
    "memoryview": memoryview(QUERY.astype(np.float32)),
    "memoryview with steps": memoryview(array.array("d", [x for x in QUERY for _ in range(2)]))[::2],
    "object array": QUERY.astype(object),
}


@pytest.mark.parametrize("query", ONES.values(), ids=ONES.keys())
def test_one_vector(reader: Any, query: Any) -> None:
    expected = reader.search(QUERY.astype(np.float32), 12).results
    assert reader.search(query, 12).results == expected
    assert [response.results for response in reader.batch_search([query, query], 12)] == [expected, expected]


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32, np.int64, np.uint64, np.bool_, ">i4"])
def test_integers(reader: Any, dtype: Any) -> None:
    expected = reader.search([1.0, 0.0, 1.0, 1.0], 12).results
    query = np.array([1, 0, 1, 1]).astype(dtype)
    assert reader.search(query, 12).results == expected
    assert reader.search(query.tolist(), 12).results == expected
    assert reader.batch_search(np.array([query]), 12)[0].results == expected


GRIDS = {
    "float64": GRID,
    "float32": GRID.astype(np.float32),
    "float16": GRID.astype(np.float16),
    "Fortran order": np.asfortranarray(GRID.astype(np.float32)),
    "Fortran order float64": np.asfortranarray(GRID),
    "transposed": np.ascontiguousarray(GRID.T).T,
    "rows with steps": np.repeat(GRID, 2, axis=0)[::2],
    "columns with steps": np.repeat(GRID, 2, axis=1)[:, ::2],
    "turned round": GRID[::-1].copy()[::-1],
    "big-endian": GRID.astype(">f8"),
    "lists": GRID.tolist(),
    "list of arrays": list(GRID),
    "tuple of mixed": (GRID[0], GRID[1].tolist(), array.array("f", GRID[2].tolist())),
    "memoryview": memoryview(GRID),
}


@pytest.mark.parametrize("queries", GRIDS.values(), ids=GRIDS.keys())
def test_several_vectors(reader: Any, queries: Any) -> None:
    expected = [reader.search(query.astype(np.float32), 12).results for query in GRID]
    assert [response.results for response in reader.batch_search(queries, 12)] == expected


@pytest.mark.parametrize("nothing", [[], (), np.empty((0, 4)), np.empty((0, 4), dtype=np.float32)])
def test_no_vectors(reader: Any, nothing: Any) -> None:
    assert reader.batch_search(nothing) == []


WRONG_ONES = {
    "0-d": np.float32(1),
    "0-d array": np.array(1.0),
    "2-d": QUERY.reshape(2, 2),
    "2-d list": [QUERY.tolist()],
    "3-d": QUERY.reshape(1, 1, 4),
    "text": "0.5,1",
    "bytes": b"1234123412341234",
    "bytearray": bytearray(QUERY.astype(np.float32).tobytes()),
    "array.array of ints": array.array("i", [1, 2, 3, 4]),
    "texts": ["a", "b", "c", "d"],
    "array of texts": np.array(["a", "b", "c", "d"]),
    "array of None": np.array([None] * 4),
    "Nones": [None] * 4,
    "complex": [1j, 0, 0, 0],
    "times": np.array(["2026-01-01"] * 4, dtype="datetime64[D]"),
    "structured": np.zeros(4, dtype=[("a", "f4"), ("b", "f4")]),
    "None": None,
    "number": 1.5,
    "set": {1.0, 2.0, 3.0, 4.0},
    "generator": (x for x in QUERY),
    "dict": {0: 1.0},
}


@pytest.mark.parametrize("query", WRONG_ONES.values(), ids=WRONG_ONES.keys())
def test_what_is_no_vector(reader: Any, query: Any) -> None:
    with pytest.raises(ConfigValidationError) as caught:
        reader.search(query)
    assert "query" in str(caught.value)
    assert caught.value.__class__ is InvalidArgumentError


WRONG_MANY = {
    "one vector": QUERY,
    "one list": QUERY.tolist(),
    "0-d": np.array(1.0),
    "3-d": GRID.reshape(1, 3, 4),
    "ragged": [[1.0, 2.0, 3.0, 4.0], [1.0]],
    "text": "ab",
    "texts": ["ab", "cd"],
    "None": None,
    "Nones": [None],
    "number": 1.5,
    "generator": (x for x in GRID),
}


@pytest.mark.parametrize("queries", WRONG_MANY.values(), ids=WRONG_MANY.keys())
def test_what_are_no_vectors(reader: Any, queries: Any) -> None:
    with pytest.raises(ConfigValidationError, match=r"quer"):
        reader.batch_search(queries)


def test_a_released_memoryview(reader: Any) -> None:
    view = memoryview(QUERY)
    view.release()
    with pytest.raises((ValueError, ConfigValidationError)):
        reader.search(view)


def test_a_conversion_that_raises(reader: Any) -> None:
    class Bad:
        def __float__(self) -> float:
            raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        reader.search([1.0, Bad(), 1.0, 1.0])
    with pytest.raises(ConfigValidationError, match="component 1"):
        reader.search([1.0, "2", 1.0, 1.0])
    with pytest.raises(ConfigValidationError, match="component 0"):
        reader.search([10**1000, 1.0, 1.0, 1.0])


def test_the_query_may_be_changed_afterwards(reader: Any) -> None:
    query = QUERY.astype(np.float32)
    expected = reader.search(query.copy(), 5).results
    found = reader.search(query, 5)
    query[:] = 9
    assert found.results == expected
    query.resize(100, refcheck=True)
