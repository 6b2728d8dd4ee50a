"""What readers ask and tell objects of the program: metrics collectors and rate limiters."""

from __future__ import annotations

import logging
import pathlib
import time
from typing import Any

import pytest
from readers import Builder, Opener

from shardyfusion import AcquireResult, MetricEvent, ThreadSafeTokenBucket, TokenBucket
from shardyfusion.errors import ConfigValidationError


class Collector:
    def __init__(self) -> None:
        self.events: list[tuple[MetricEvent, dict[str, Any]]] = []

    def emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
        self.events.append((event, payload))


def rows(value: str) -> list[dict[str, Any]]:
    return [{"key": f"k{i}", "value": value, "vector": [float(i), 1.0]} for i in range(20)]


def test_events(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    build(rows("one"), tmp_path / "snapshot", "--num-dbs", "2")
    collector = Collector()
    reader = open_reader(tmp_path / "snapshot", metrics_collector=collector)
    reader.get("k1")
    reader.get("none")
    reader.multi_get(["k1", "none", "k1"])
    reader.multi_get(f"k{i}" for i in range(4))
    reader.search([1.0, 1.0])
    reader.refresh()
    build(rows("two"), tmp_path / "snapshot", "--num-dbs", "3")
    reader.refresh()
    reader.close()
    reader.close()
    told = [(event.value, {**payload}) for event, payload in collector.events]
    for _, payload in told:
        if "duration_ms" in payload:
            assert type(payload["duration_ms"]) is int
            assert 0 <= payload.pop("duration_ms") < 60_000
    assert told == [
        ("reader.initialized", {}),
        ("reader.get", {"found": True}),
        ("reader.get", {"found": False}),
        ("reader.multi_get", {"num_keys": 3}),
        ("reader.multi_get", {"num_keys": 4}),
        ("reader.refreshed", {"changed": False}),
        ("reader.refreshed", {"changed": True}),
        ("reader.closed", {"num_handles": 3}),
    ]


def test_a_collector_that_raises(
    open_reader: Opener, build: Builder, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        def emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
            raise ZeroDivisionError("the collector's")

    build(rows("one"), tmp_path / "snapshot")
    caplog.set_level(logging.WARNING, "shardyfusion")
    reader = open_reader(tmp_path / "snapshot", metrics_collector=Broken())
    assert reader.get("k1") == b"one"
    assert reader.multi_get(["k1"]) == {"k1": b"one"}
    assert reader.refresh() is False
    reader.close()
    told = [record for record in caplog.records if "metrics_collector" in record.getMessage()]
    assert len(told) == 1  # not once a lookup
    assert "Broken" in told[0].getMessage()
    assert told[0].exc_info is not None
    assert isinstance(told[0].exc_info[1], ZeroDivisionError)


@pytest.mark.parametrize("collector", [5, "text", object(), Collector, lambda event, payload: None])
def test_what_is_no_collector(open_reader: Opener, data: pathlib.Path, collector: Any) -> None:
    with pytest.raises(ConfigValidationError, match="metrics_collector"):
        open_reader(data / "packages-1k", metrics_collector=collector)


class Limiter:
    """Counts, and never waits."""

    def __init__(self) -> None:
        self.blocking: list[int] = []
        self.awaited: list[int] = []

    def acquire(self, tokens: int = 1) -> None:
        self.blocking.append(tokens)

    def try_acquire(self, tokens: int = 1) -> AcquireResult:
        return AcquireResult(True, 0.0)

    async def acquire_async(self, tokens: int = 1) -> None:
        self.awaited.append(tokens)


def test_a_limiter_of_the_program(open_reader: Opener, data: pathlib.Path) -> None:
    limiter = Limiter()
    reader = open_reader(data / "composite-120", rate_limiter=limiter)
    reader.get("user:0")
    reader.multi_get(["user:0", "none", "user:0"])
    reader.multi_get(f"k{i}" for i in range(5))
    reader.search([1.0, 0.0, 0.0, 0.0])
    reader.batch_search([[1.0, 0.0, 0.0, 0.0]] * 3)
    reader.batch_search([])
    asked, not_asked = (
        (limiter.awaited, limiter.blocking) if open_reader.is_async else (limiter.blocking, limiter.awaited)
    )
    assert [tokens for tokens in asked if tokens] == [1, 3, 5, 1, 3]
    assert not_asked == []


def test_a_limiter_that_raises(open_reader: Opener, data: pathlib.Path) -> None:
    class Refusing(Limiter):
        def acquire(self, tokens: int = 1) -> None:
            raise ZeroDivisionError("no tokens")

        async def acquire_async(self, tokens: int = 1) -> None:
            raise ZeroDivisionError("no tokens")

    reader = open_reader(data / "composite-120", rate_limiter=Refusing())
    calls: list[Any] = [
        lambda: reader.get("a"),
        lambda: reader.multi_get(["a"]),
        lambda: reader.search([1.0, 0.0, 0.0, 0.0]),
    ]
    for call in calls:
        with pytest.raises(ZeroDivisionError, match="no tokens"):
            call()
    assert reader.health().status == "healthy"


@pytest.mark.parametrize("kind", [TokenBucket, ThreadSafeTokenBucket])
def test_token_buckets(open_reader: Opener, data: pathlib.Path, kind: Any) -> None:
    collector = Collector()
    bucket = kind(50, metrics_collector=collector)
    reader = open_reader(data / "composite-120", rate_limiter=bucket)
    began = time.monotonic()
    for _ in range(6):
        reader.multi_get([f"k{i}" for i in range(10)])
    assert time.monotonic() - began >= 0.15  # 60 tokens, of which 50 were there
    assert {event for event, _ in collector.events} == {MetricEvent.RATE_LIMITER_THROTTLED}
    assert not bucket.try_acquire(50)


@pytest.mark.parametrize("limiter", [5, "text", object(), Limiter])
def test_what_is_no_limiter(open_reader: Opener, data: pathlib.Path, limiter: Any) -> None:
    with pytest.raises(ConfigValidationError, match="rate_limiter"):
        open_reader(data / "packages-1k", rate_limiter=limiter)


def test_a_collector_whose_method_is_awaited(open_reader: Opener, data: pathlib.Path) -> None:
    class Awaited:
        async def emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
            pass

    with pytest.raises(ConfigValidationError, match=r"metrics_collector.*coroutine"):
        open_reader(data / "packages-1k", metrics_collector=Awaited())


def test_a_limiter_of_the_other_way(open_reader: Opener, data: pathlib.Path) -> None:
    """What a reader never calls, its limiter need not have."""

    class Blocking:
        def acquire(self, tokens: int = 1) -> None:
            pass

    class Awaited:
        async def acquire_async(self, tokens: int = 1) -> None:
            pass

    right, wrong = (Awaited(), Blocking()) if open_reader.is_async else (Blocking(), Awaited())
    assert open_reader(data / "packages-1k", rate_limiter=right).get("none") is None
    with pytest.raises(ConfigValidationError, match=r"rate_limiter.*acquire"):
        open_reader(data / "packages-1k", rate_limiter=wrong)
