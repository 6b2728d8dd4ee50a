"""search and batch_search of the unified readers: recorded answers, arguments at and beyond their ends."""

from __future__ import annotations

import math
import pathlib
from typing import Any

import numpy as np
import pytest
from readers import Opener, floats_of, lines

from shardyfusion.errors import ConfigValidationError
from shardyfusion.vector.types import SearchResult, VectorSearchResponse


def close(score: float, recorded: float) -> bool:
    return abs(score - recorded) <= 1e-6 + 1e-5 * abs(recorded)


def agree(response: VectorSearchResponse, recorded: list[dict[str, Any]]) -> None:
    """The distances agree, and so do the ids where they are further apart than rounding."""
    assert len(response.results) == len(recorded)
    scores = [float(line["distance" if "distance" in line else "score"]) for line in recorded]
    for hit, line, score in zip(response.results, recorded, scores, strict=True):
        assert close(hit.score, score)
        if sum(close(score, other) for other in scores) == 1:
            assert str(hit.id) == str(line["id"])


@pytest.mark.parametrize("place", ["files", "s3"])
def test_packages(open_reader: Opener, data: pathlib.Path, place: str, request: pytest.FixtureRequest) -> None:
    url: object = data / "packages-1k"
    if place == "s3":
        url = f"{request.getfixturevalue('s3_data')}/packages-1k"
    reader = open_reader(url)
    queries = [floats_of(line["vector_base64"]) for line in lines(data / "packages-1k-queries.jsonl")]
    answers = [line["top10"] for line in lines(data / "packages-1k-answers.jsonl")]
    assert len(queries) == len(answers) == 55
    alone = [reader.search(np.asarray(query, dtype=np.float32), top_k=10) for query in queries]
    for response, answer in zip(alone, answers, strict=True):
        agree(response, answer)
        assert response.num_shards_queried == 2
        assert response.latency_ms > 0
    together = reader.batch_search(np.asarray(queries, dtype=np.float32), top_k=10)
    assert [response.results for response in together] == [response.results for response in alone]


def test_composite(open_reader: Opener, data: pathlib.Path) -> None:
    reader = open_reader(data / "composite-120")
    recorded = list(lines(data / "composite-120-queries.jsonl"))
    assert recorded
    for line in recorded:
        named = {"shard_ids": line["shard_ids"]} if "shard_ids" in line else {}
        response = reader.search(floats_of(line["query"]), line["top_k"], **named)
        agree(response, line["exact"])
        for hit, exact in zip(response.results, line["exact"], strict=True):
            if "payload" in exact and hit.id == exact["id"]:
                assert hit.payload == exact["payload"]


@pytest.mark.parametrize(
    "name",
    [
        *("unified-l2-int", "unified-cosine-str", "unified-cosine-bytes", "unified-sparse-shards"),
        *("composite-sqlite-cosine", "composite-slatedb-l2", "composite-slatedb-dot", "composite-sqlite-fp16"),
    ],
)
def test_recorded_queries(open_reader: Opener, shared: pathlib.Path, name: str) -> None:
    case = shared / "fixtures" / "peer" / name
    reader = open_reader(case / "snapshot")
    compared = 0
    for line in lines(case / "queries.jsonl"):
        query = floats_of(line["query"])
        if "error" in line or "routing_context" in line or "nan" in [hit["score"] for hit in line["exact"]]:
            continue
        response = reader.search(query, line["top_k"], shard_ids=line.get("shard_ids"))
        agree(response, line["exact"])
        compared += 1
    assert compared >= 3


def test_what_a_hit_is(open_reader: Opener, shared: pathlib.Path, data: pathlib.Path) -> None:
    reader = open_reader(shared / "fixtures" / "peer" / "unified-l2-int" / "snapshot")
    response = reader.search(np.zeros(33), top_k=3)
    assert [type(hit) for hit in response.results] == [SearchResult] * 3
    assert all(type(hit.id) is int and hit.vector is None and type(hit.score) is float for hit in response.results)
    assert isinstance(response.results[0].payload, dict)
    with pytest.raises(AttributeError):
        response.results[0].score = 0.0
    without = open_reader(shared / "fixtures" / "peer" / "unified-cosine-bytes" / "snapshot")
    assert all(hit.payload is None for hit in without.search([1, 0, 0, 0]).results)


@pytest.fixture
def reader(open_reader: Opener, data: pathlib.Path) -> Any:
    return open_reader(data / "composite-120")


QUERY = [0.5, -0.25, 0.125, 1.0]


def ids(response: VectorSearchResponse) -> list[int | str]:
    return [hit.id for hit in response.results]


def test_top_k(reader: Any) -> None:
    every = reader.search(QUERY, 120)
    assert len(every.results) == 120
    assert [hit.score for hit in every.results] == sorted(hit.score for hit in every.results)
    assert len(ids(reader.search(QUERY))) == 10
    kinds: list[Any] = [np.int32, np.uint8, np.int64, int]
    for kind in kinds:
        assert ids(reader.search(QUERY, kind(7))) == ids(every)[:7]
    assert ids(reader.search(QUERY, top_k=1)) == ids(every)[:1]
    assert ids(reader.search(QUERY, top_k=100_000)) == ids(every)


@pytest.mark.parametrize("top_k", [0, -1, 2**32, 10**30, -(10**30), 1.0, "3", None, np.float32(3), [3]])
def test_wrong_top_k(reader: Any, top_k: Any) -> None:
    calls: list[Any] = [lambda: reader.search(QUERY, top_k), lambda: reader.batch_search([QUERY], top_k)]
    for call in calls:
        with pytest.raises(ConfigValidationError, match="top_k") as caught:
            call()
        assert caught.value.retryable is False
    assert len(reader.search(QUERY).results) == 10


@pytest.mark.parametrize("top_k", [2**31, 2**32 - 1])
def test_a_huge_top_k_gives_all_or_says_the_limit(reader: Any, top_k: int) -> None:
    try:
        assert len(reader.search(QUERY, top_k).results) == 120
    except ConfigValidationError as error:
        assert "top_k" in str(error)


def test_shard_ids(reader: Any) -> None:
    every, first, second = (reader.search(QUERY, 120, shard_ids=shards) for shards in ([0, 1], [0], (1,)))
    assert every.results == reader.search(QUERY, 120).results
    assert first.num_shards_queried == second.num_shards_queried == 1
    assert sorted(map(str, ids(first) + ids(second))) == sorted(map(str, ids(every)))
    assert reader.search(QUERY, 120, shard_ids=[1, 0]).results == every.results
    assert reader.search(QUERY, 120, shard_ids=np.array([1])).results == second.results
    assert reader.search(QUERY, 120, shard_ids=range(2)).results == every.results
    nothing = reader.search(QUERY, shard_ids=[])
    assert (nothing.results, nothing.num_shards_queried) == ([], 0)
    assert [response.results for response in reader.batch_search([QUERY, QUERY], shard_ids=[])] == [[], []]


@pytest.mark.parametrize(
    "shards", [[2], [-1], [0, 0], [1, 0, 1], [2**32], [2**64], [0.0], ["0"], [None], "01", {0: 1, 7: 1}]
)
def test_wrong_shard_ids(reader: Any, shards: Any) -> None:
    calls: list[Any] = [
        lambda: reader.search(QUERY, shard_ids=shards),
        lambda: reader.batch_search([QUERY], shard_ids=shards),
    ]
    for call in calls:
        with pytest.raises(ConfigValidationError, match="shard"):
            call()


@pytest.mark.parametrize("shards", [0, 1.5, object()])
def test_shard_ids_that_are_no_sequence(reader: Any, shards: Any) -> None:
    with pytest.raises(ConfigValidationError, match="shard_ids must be a sequence of ints"):
        reader.search(QUERY, shard_ids=shards)


def test_shard_ids_win_over_a_routing_context(reader: Any) -> None:
    one = reader.search(QUERY, shard_ids=[1], routing_context={"region": "none"})
    assert one.results == reader.search(QUERY, shard_ids=[1]).results
    every = reader.search(QUERY, routing_context={"region": "none"})  # sharded by a hash, which has no use for it
    assert every.results == reader.search(QUERY).results
    with pytest.raises(ConfigValidationError, match="routing_context"):
        reader.search(QUERY, routing_context="none")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e300])
def test_no_distance_from_a_query_that_is_not_finite(reader: Any, bad: float) -> None:
    query = [bad, *QUERY[1:]]
    for wrong in (query, np.array(query), tuple(query)):
        with pytest.raises(ConfigValidationError, match=r"NaN|finite|infin"):
            reader.search(wrong)
    with pytest.raises(ConfigValidationError, match=r"NaN|finite|infin"):
        reader.batch_search([QUERY, query])


def test_a_zero_query_under_cosine(open_reader: Opener, data: pathlib.Path) -> None:
    with pytest.raises(ConfigValidationError, match="zero"):
        open_reader(data / "packages-1k").search(np.zeros(384, dtype=np.float32))


@pytest.mark.parametrize("dimension", [0, 1, 3, 5, 384, 70_000])
def test_the_wrong_dimension(reader: Any, dimension: int) -> None:
    for wrong in (np.ones(dimension), [1.0] * dimension):
        with pytest.raises(ConfigValidationError, match=r"4|at most|empty"):
            reader.search(wrong)
    with pytest.raises(ConfigValidationError):
        reader.batch_search(np.ones((2, dimension)))
    with pytest.raises(ConfigValidationError):
        reader.batch_search([QUERY, [1.0] * dimension])


def test_many_queries(reader: Any) -> None:
    queries = np.random.default_rng(7).normal(size=(300, 4))
    responses = reader.batch_search(queries, 5)
    assert [ids(response) for response in responses[:20]] == [ids(reader.search(query, 5)) for query in queries[:20]]
    assert len(responses) == 300
    assert [response.results for response in reader.batch_search(list(queries), 5)] == [
        response.results for response in responses
    ]


def test_arguments_that_python_refuses(reader: Any) -> None:
    with pytest.raises(TypeError):
        reader.search()
    with pytest.raises(TypeError):
        reader.search(QUERY, 10, [0])
    with pytest.raises(TypeError):
        reader.search(QUERY, num_probes=3)
