"""Snapshots that are sharded by CEL expressions: what routing takes, and what it raises."""

from __future__ import annotations

import decimal
import pathlib
import pickle
from collections.abc import Callable
from typing import Any

import numpy
import pytest
from readers import Opener

from shardyfusion import ConfigValidationError, ShardAssignmentError, ShardingStrategy, ShardyfusionError
from shardyfusion.cel import (
    CelColumn,
    CelType,
    UnknownRoutingTokenError,
    build_categorical_routing_lookup,
    resolve_cel_routing_key,
)

QUERY = [0.5, 0.25, -0.5, 1.0]


@pytest.fixture
def peer_case(open_reader: Opener, shared: pathlib.Path) -> Any:
    def opened(name: str) -> Any:
        return open_reader(shared / "fixtures" / "peer" / name / "snapshot", unified="unified" in name)

    return opened


def test_an_unknown_token(peer_case: Any) -> None:
    reader = peer_case("cel-unified-categorical")
    tin = {"routing_context": {"tier": "tin"}}
    assert reader.get("user:0", **tin) is None
    assert reader.multi_get(["user:0", "user:3"], **tin) == {"user:0": None, "user:3": None}
    calls: tuple[Callable[[], object], ...] = (
        lambda: reader.route_key("user:0", **tin),
        lambda: reader.shard_for_key("user:0", **tin),
        lambda: reader.search(QUERY, **tin),
        lambda: reader.batch_search([QUERY, QUERY], **tin),
    )
    for call in calls:
        with pytest.raises(UnknownRoutingTokenError, match='"tin" is none of') as caught:
            call()
        assert isinstance(caught.value, ShardAssignmentError) and isinstance(caught.value, ShardyfusionError)
        assert (caught.value.code, caught.value.retryable) == ("ROUTING", False)
    again = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(again, UnknownRoutingTokenError) and str(again) == str(caught.value)


def test_a_context_that_is_needed(peer_case: Any) -> None:
    reader = peer_case("cel-context")
    several = (lambda key: reader.multi_get([key]), lambda key: reader.shards_for_keys([key]))
    for call in (reader.get, reader.route_key, reader.shard_for_key, *several):
        with pytest.raises(ConfigValidationError, match="routing_context with the columns region, tier") as caught:
            call("user:0")
        assert isinstance(caught.value, ValueError)  # as in the Python project
    assert reader.snapshot_info().sharding is ShardingStrategy.CEL


@pytest.mark.parametrize(
    ("context", "says"),
    [
        ({}, "region"),
        ({"region": "eu"}, "tier"),
        ({"tier": 1}, "region"),
        ({"region": "eu", "tier": "1"}, "tier"),
        ({"region": "eu", "tier": 1.0}, "tier"),
        ({"region": "eu", "tier": None}, "tier"),
        ({"region": "eu", "tier": 2**63}, "tier"),
        ({"region": "eu", "tier": 2**80}, "tier"),
        ({"region": b"\xff", "tier": 1}, "region"),
        ({"region": ["eu"], "tier": 1}, "region"),
    ],
)
def test_values_that_do_not_fit(peer_case: Any, context: dict[str, Any], says: str) -> None:
    reader = peer_case("cel-context")
    for call in (reader.get, reader.route_key, lambda key, **more: reader.multi_get([key], **more)):
        with pytest.raises(ShardAssignmentError, match=says) as caught:
            call("user:0", routing_context=context)
        assert not isinstance(caught.value, UnknownRoutingTokenError)


def test_values_that_fit(peer_case: Any) -> None:
    reader = peer_case("cel-context")
    shard = reader.route_key("x", routing_context={"region": "eu", "tier": 3})
    assert shard == 2  # as recorded
    for tier in (numpy.int32(3), numpy.uint64(3)):
        assert reader.route_key("x", routing_context={"region": "eu", "tier": tier}) == shard
    assert reader.route_key("x", routing_context={"region": b"eu", "tier": 3}) == shard
    assert reader.route_key("x", routing_context={"region": "eu", "tier": True}) == 1  # as recorded
    row = {"region": "eu", "tier": 3, "key": "y", "price": decimal.Decimal("1.5"), "tags": ["a"], "note": None, "": 1}
    assert reader.route_key("x", routing_context=row) == shard


def test_a_context_and_a_key(peer_case: Any) -> None:
    reader = peer_case("cel-key-only")
    assert reader.route_key(7) != reader.route_key(7, routing_context={"key": 8})
    assert reader.route_key(7, routing_context={"key": 8}) == reader.route_key(8)
    with pytest.raises(ShardAssignmentError, match="key"):
        reader.get("text")
    with pytest.raises(ConfigValidationError, match="u32be"):
        reader.get(-5)
    assert reader.route_key(-5) == 2  # as recorded


def test_a_key_of_an_unknown_token_need_not_fit_the_encoding(peer_case: Any) -> None:
    reader = peer_case("cel-categorical-int")
    assert reader.get(-3) is None
    assert reader.multi_get([-3, -10]) == {-3: None, -10: None}
    with pytest.raises(UnknownRoutingTokenError):
        reader.route_key(-3)
    with pytest.raises(UnknownRoutingTokenError, match="token -3"):
        reader.shards_for_keys([3, -3])
    assert reader.route_key(9_000_000_000_000) == 4  # as recorded


def test_searches(peer_case: Any) -> None:
    reader = peer_case("cel-unified")
    everywhere = reader.search(QUERY, 5)
    assert everywhere.num_shards_queried == 3
    one = reader.search(QUERY, 200, routing_context={"region": "eu"})
    assert one.num_shards_queried == 1 and len(one.results) == 27
    chosen = reader.search(QUERY, 5, shard_ids=[1, 2], routing_context={"region": "eu"})
    assert chosen.num_shards_queried == 2
    with pytest.raises(ShardAssignmentError, match="region"):
        reader.search(QUERY, routing_context={})


def test_columns() -> None:
    assert CelColumn("region") == CelColumn("region", CelType.STRING)
    assert CelType("uint") is CelType.UINT


def test_tokens() -> None:
    lookup = build_categorical_routing_lookup(["eu", "us"])
    assert lookup == {"eu": 0, "us": 1}
    assert resolve_cel_routing_key("us", routing_values=["eu", "us"]) == 1
    assert resolve_cel_routing_key("us", routing_values=["eu", "us"], lookup=lookup) == 1
    assert (resolve_cel_routing_key(3), resolve_cel_routing_key("3")) == (3, 3)
    with pytest.raises(UnknownRoutingTokenError, match="'mars'"):
        resolve_cel_routing_key("mars", routing_values=["eu", "us"])
