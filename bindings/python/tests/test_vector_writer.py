"""write_sharded of vectors alone: what is written is found again, as the sharding says."""

from __future__ import annotations

import json
import pathlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
import vector_records

from shardyfusion import ConfigValidationError, ReaderStateError, ShardAssignmentError, ShardedReader
from shardyfusion.cel import UnknownRoutingTokenError
from shardyfusion.vector import ShardedVectorReader, VectorRecord, VectorRecordInput, VectorWriteOptions, write_sharded

RECORDS = vector_records.records()
METRICS = ("l2", "cosine")
BY_QUERY = ("trained", "centroids", "lsh", "hyperplanes")


@pytest.fixture
def place(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "snapshot"


def opened(place: pathlib.Path, **options: Any) -> ShardedVectorReader:
    return ShardedVectorReader(s3_prefix=f"file://{place}", local_root=str(place.parent / "cache"), **options)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("sharding", list(vector_records.SHARDINGS))
def test_what_is_written_is_found(place: pathlib.Path, sharding: str, metric: str) -> None:
    result = vector_records.write(place, sharding, metric=metric)
    with opened(place) as reader:
        info = reader.snapshot_info()
        told = (info.run_id, info.manifest_ref, info.total_vectors, info.dim, info.metric.value)
        assert told == (result.run_id, result.manifest_ref, len(RECORDS), vector_records.DIM, metric)
        assert info.sharding is vector_records.SHARDINGS[sharding]["strategy"]
        counts = {shard.db_id: shard.vector_count for shard in reader.shard_details() if shard.vector_count}
        assert counts == {shard.db_id: shard.row_count for shard in result.winners}
        everywhere = list(range(info.num_dbs))
        for record in RECORDS[::40]:
            answer = reader.search(record.vector, 7, shard_ids=everywhere)
            assert [hit.id for hit in answer.results] == vector_records.nearest(RECORDS, record.vector, 7, metric)
            assert answer.results[0].payload == record.payload
            if sharding in BY_QUERY:  # the first probe for what is stored is the shard that has it
                near = reader.search(record.vector, 1, num_probes=1)
                assert (near.results[0].id, near.num_shards_queried) == (record.id, 1)


def test_named_shards(place: pathlib.Path) -> None:
    vector_records.write(place, "explicit")
    with opened(place) as reader:
        for shard in range(3):
            rows = [record for record in RECORDS if record.shard_id == shard]
            hits = reader.search(RECORDS[0].vector, 1000, shard_ids=[shard]).results
            assert [hit.id for hit in hits] == vector_records.nearest(rows, RECORDS[0].vector, 1000)


@pytest.mark.parametrize(("sharding", "shards"), [("cel", (0, 1, 2)), ("cel-direct", (0, 1, 1))])
def test_shards_by_an_expression(place: pathlib.Path, sharding: str, shards: tuple[int, ...]) -> None:
    vector_records.write(place, sharding)
    with opened(place) as reader:
        for region, shard in zip(("eu", "us", "ap"), shards, strict=True):
            context = {"region": region}
            assert reader.route_vector(RECORDS[0].vector, routing_context=context) == [shard]
            rows = [
                row
                for row in RECORDS
                if shards[("eu", "us", "ap").index((row.routing_context or {})["region"])] == shard
            ]
            hits = reader.search(RECORDS[0].vector, 5, routing_context=context).results
            assert [hit.id for hit in hits] == vector_records.nearest(rows, RECORDS[0].vector, 5)


def test_centroids_of_a_caller(place: pathlib.Path) -> None:
    centroids = vector_records.SHARDINGS["centroids"]["centroids"]
    result = vector_records.write(place, "centroids")
    places = Counter(int(((centroids - record.vector) ** 2).sum(axis=1).argmin()) for record in RECORDS)
    assert {shard.db_id: shard.row_count for shard in result.winners} == dict(places)
    with opened(place) as reader:
        for number in range(5):
            assert reader.route_vector(centroids[number])[0] == number


@pytest.mark.parametrize("given", [numpy.float64, list, tuple])
def test_tables_of_any_numbers(place: pathlib.Path, given: Any) -> None:
    table = vector_records.SHARDINGS["centroids"]["centroids"]
    made = table.astype(given) if given is numpy.float64 else given(map(given, table.tolist()))
    one = vector_records.write(place, "centroids")
    other = vector_records.write(place, {"strategy": "cluster", "centroids": made})
    assert [shard.row_count for shard in one.winners] == [shard.row_count for shard in other.winners]


def test_training_does_not_depend_on_the_order(place: pathlib.Path, tmp_path: pathlib.Path) -> None:
    one = vector_records.write(place, "trained")
    other = vector_records.write(tmp_path / "other", "trained", RECORDS[::-1])
    assert [shard.row_count for shard in one.winners] == [shard.row_count for shard in other.winners]
    with opened(place) as reader:
        assert reader.snapshot_info().num_dbs == 4
        assert len(reader.route_vector(RECORDS[0].vector)) == 2  # num_probes of the manifest


def test_a_generator_of_many(place: pathlib.Path) -> None:
    def rows() -> Iterator[VectorRecord]:
        for number, vector in enumerate(vector_records.vectors(20_000)):
            yield VectorRecord(number - 10_000, vector)

    result = write_sharded(rows(), vector_records.config(place, "trained"), VectorRecordInput(), VectorWriteOptions())
    assert result.stats.rows_written == 20_000
    assert sum(shard.row_count for shard in result.winners) == 20_000
    with opened(place) as reader:
        hits = reader.search(vector_records.vectors(20_000)[7], 2, num_probes=4).results
        assert hits[0].id == 7 - 10_000 and hits[0].score == 0 and hits[0].payload is None


def test_vectors_of_any_numbers(place: pathlib.Path) -> None:
    rows = [
        VectorRecord(1, numpy.array(range(8), dtype=numpy.float64), shard_id=0),
        VectorRecord(2, numpy.array(range(16), dtype=numpy.float32)[::2], shard_id=numpy.int64(1)),  # type: ignore[arg-type]
        VectorRecord(3, [1] * 8, shard_id=2),
        VectorRecord(numpy.int64(2**62), tuple(range(8)), {"when": pathlib.Path("x")}, 2),  # type: ignore[arg-type]
    ]
    vector_records.write(place, "explicit", rows)
    with opened(place) as reader:
        hits = reader.search(range(8), 4, shard_ids=[0, 1, 2]).results
        assert [(hit.id, hit.score) for hit in hits[:2]] == [(1, 0.0), (2**62, 0.0)]
        assert hits[1].payload == {"when": "x"}


def test_the_manifest(place: pathlib.Path) -> None:
    result = vector_records.write(place, "lsh", metric="cosine")
    with ShardedVectorReader(s3_prefix=f"file://{place}", local_root=str(place.parent / "cache")) as reader:
        assert reader.snapshot_info().manifest_ref == result.manifest_ref
    from shardyfusion import parse_manifest_payload

    path = pathlib.Path((result.manifest_ref or "").removeprefix("file://"))
    vector = parse_manifest_payload(path.read_bytes()).custom["vector"]
    assert isinstance(vector, dict)
    assert (vector["sharding_strategy"], vector["num_probes"], vector["num_hash_bits"]) == ("lsh", 3, 6)
    assert (vector["dim"], vector["metric"], vector["total_vectors"]) == (8, "cosine", len(RECORDS))
    planes = numpy.load(str(vector["hyperplanes_ref"]).removeprefix("file://"))
    assert planes.shape == (6, 8) and planes.dtype == numpy.float32
    assert json.loads((place / "_CURRENT").read_text())["manifest_ref"].endswith("/manifest")


def test_a_second_run_is_refreshed_to(place: pathlib.Path) -> None:
    vector_records.write(place, "centroids")
    with opened(place) as reader:
        assert reader.refresh() is False
        again = vector_records.write(place, "lsh", RECORDS[:100])
        assert reader.refresh() is True
        info = reader.snapshot_info()
        assert (info.run_id, info.total_vectors, info.sharding.value) == (again.run_id, 100, "lsh")


def test_other_readers_refuse_it(place: pathlib.Path) -> None:
    vector_records.write(place, "lsh")
    with pytest.raises(ConfigValidationError, match="ShardedVectorReader"):
        ShardedReader(s3_prefix=f"file://{place}", local_root=str(place.parent / "cache"))


def _record(**changes: Any) -> VectorRecord:
    made: dict[str, Any] = {"id": "new", "vector": [1.0] * 8, "shard_id": 0, "routing_context": {"region": "eu"}}
    return VectorRecord(**{**made, **changes})


WRONG_ROWS: dict[str, tuple[str, Any, type[Exception], str]] = {
    "shard missing": ("explicit", _record(shard_id=None), ConfigValidationError, "row 601: .* requires shard_id"),
    "shard too high": ("explicit", _record(shard_id=3), ConfigValidationError, "601"),
    "shard negative": ("explicit", _record(shard_id=-1), ConfigValidationError, "row 601: shard_id"),
    "shard of text": ("explicit", _record(shard_id="1"), ConfigValidationError, "row 601: shard_id"),
    "dimension": ("lsh", _record(vector=[1.0]), ConfigValidationError, "row 601: .* 1 components"),
    "vector": ("lsh", _record(vector=None), ConfigValidationError, "row 601: a vector"),
    "not finite": ("lsh", _record(vector=[numpy.nan] * 8), ConfigValidationError, "601"),
    "id missing": ("lsh", _record(id=None), ConfigValidationError, "row 601: an id"),
    "id of bytes": ("lsh", _record(id=b"x"), ConfigValidationError, "row 601: an id"),
    "id of another type": ("lsh", _record(id=7), ConfigValidationError, "601"),
    "payload": ("lsh", _record(payload=[1]), ConfigValidationError, "601"),
    "no record": ("lsh", ("new", [1.0] * 8), ConfigValidationError, "row 601: a record must be a VectorRecord"),
    "context missing": ("cel", _record(routing_context=None), ConfigValidationError, "601"),
    "token": ("cel", _record(routing_context={"region": "mars"}), UnknownRoutingTokenError, "mars"),
    "column": ("cel", _record(routing_context={}), ShardAssignmentError, "region"),
    "id twice": ("explicit", _record(id="v0000"), ConfigValidationError, "601"),
    "id twice elsewhere": ("explicit", _record(id="v0000", shard_id=1), ConfigValidationError, "601"),
}


@pytest.mark.parametrize("name", list(WRONG_ROWS))
def test_wrong_records(place: pathlib.Path, name: str) -> None:
    sharding, record, error, message = WRONG_ROWS[name]
    with pytest.raises(error, match=message):
        vector_records.write(place, sharding, [*RECORDS, record])
    with pytest.raises(ReaderStateError):
        opened(place)


def test_fewer_records_than_clusters(place: pathlib.Path) -> None:
    for rows in ([], RECORDS[:3]):
        with pytest.raises(ConfigValidationError):
            vector_records.write(place, "trained", rows)
    assert vector_records.write(place, "centroids", []).winners == []
    with opened(place) as reader:
        assert reader.search([1.0] * 8).results == []


def test_what_the_records_raise(place: pathlib.Path) -> None:
    class BrokenError(Exception):
        pass

    def rows() -> Iterator[VectorRecord]:
        yield from RECORDS
        raise BrokenError

    with pytest.raises(BrokenError):
        vector_records.write(place, "lsh", rows())
    assert not (place / "_CURRENT").exists()
