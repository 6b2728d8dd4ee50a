"""What a search returns: results as their constructors make them, payloads as json.loads reads them."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import pathlib
import shutil
import sqlite3

import pytest

from shardyfusion.errors import DbAdapterError
from shardyfusion.reader.unified_reader import UnifiedShardedReader
from shardyfusion.vector.types import SearchResult, VectorSearchResponse


@pytest.fixture
def snapshot(data: pathlib.Path, tmp_path: pathlib.Path) -> pathlib.Path:
    """A copy of packages-1k, to be changed."""
    return pathlib.Path(shutil.copytree(data / "packages-1k", tmp_path / "snapshot"))


def _set_payloads(snapshot: pathlib.Path, payload: str) -> None:
    for shard in snapshot.rglob("shard.db"):
        with contextlib.closing(sqlite3.connect(shard)) as database, database:
            database.execute("UPDATE vec_payloads SET payload = ?", (payload,))


def _search(snapshot: pathlib.Path, tmp_path: pathlib.Path, top_k: int = 3) -> VectorSearchResponse:
    with UnifiedShardedReader(s3_prefix=str(snapshot), local_root=str(tmp_path / "cache")) as reader:
        dimension = reader.vector_meta.dim
        return reader.search([1.0] * dimension, top_k)


def test_results_are_what_their_constructors_make(data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    response = _search(data / "packages-1k", tmp_path)
    assert response == VectorSearchResponse(
        results=[SearchResult(hit.id, hit.score, None, hit.payload) for hit in response.results],
        num_shards_queried=2,
        latency_ms=response.latency_ms,
    )
    assert len(response.results) == 3
    first = response.results[0]
    assert (
        repr(first) == f"SearchResult(id={first.id!r}, score={first.score!r}, vector=None, payload={first.payload!r})"
    )
    with pytest.raises(dataclasses.FrozenInstanceError):
        first.score = 0.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "payload",
    ['{"a": 1}', ' {"a": [1.5, null, true]}', '{"a": "\\u00e9 é"}\n', "[1, 2]", '"text"', "1e400", "9" * 30, "null"],
)
def test_payloads_are_what_json_loads_reads(snapshot: pathlib.Path, tmp_path: pathlib.Path, payload: str) -> None:
    _set_payloads(snapshot, payload)
    assert [hit.payload for hit in _search(snapshot, tmp_path).results] == [json.loads(payload)] * 3


@pytest.mark.parametrize("payload", ["", "x", '{"a": 1}x', '{"a": 1', "1 2", "\ufeff{}"])
def test_payloads_that_are_no_json_are_corrupt(snapshot: pathlib.Path, tmp_path: pathlib.Path, payload: str) -> None:
    _set_payloads(snapshot, payload)
    with pytest.raises(DbAdapterError, match="no JSON"):
        _search(snapshot, tmp_path)
