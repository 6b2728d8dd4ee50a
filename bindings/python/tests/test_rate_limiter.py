"""Token buckets, on a clock of the test's."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Iterator
from typing import Any

import pytest

from shardyfusion import AcquireResult, MetricEvent, RateLimiter, ThreadSafeTokenBucket, TokenBucket
from shardyfusion.errors import ConfigValidationError

BUCKETS = pytest.mark.parametrize("bucket_class", [TokenBucket, ThreadSafeTokenBucket])


class Clock:
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    async def sleep_async(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(time, "sleep", clock.sleep)
    yield clock


class Collector:
    def __init__(self) -> None:
        self.events: list[tuple[MetricEvent, dict[str, Any]]] = []

    def emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
        self.events.append((event, payload))


def test_results_are_true_or_false() -> None:
    assert AcquireResult(True, 0.0)
    assert not AcquireResult(False, 1.0)


@BUCKETS
def test_it_is_full_at_first_and_fills_again(bucket_class: type[TokenBucket], clock: Clock) -> None:
    bucket: RateLimiter = bucket_class(4)
    assert [bool(bucket.try_acquire()) for _ in range(5)] == [True] * 4 + [False]
    assert bucket.try_acquire(2) == AcquireResult(False, 0.5)
    clock.now += 0.5
    assert bucket.try_acquire(2) == AcquireResult(True, 0.0)
    clock.now += 1000
    assert bucket.try_acquire(4)
    assert not bucket.try_acquire()  # it never holds more than a second's


@BUCKETS
def test_acquire_sleeps(bucket_class: type[TokenBucket], clock: Clock) -> None:
    bucket = bucket_class(2)
    for _ in range(6):
        bucket.acquire()
    assert clock.now == pytest.approx(1002)
    assert clock.pauses == pytest.approx([0.5] * 4)


@BUCKETS
def test_acquire_async_awaits(bucket_class: type[TokenBucket], clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio, "sleep", clock.sleep_async)
    bucket = bucket_class(2)
    waiting: Awaitable[None] = bucket.acquire_async(2)
    asyncio.run(asyncio.wait_for(waiting, None))
    asyncio.run(bucket.acquire_async(1))
    assert clock.pauses == pytest.approx([0.5])


@BUCKETS
def test_more_than_it_holds_is_paid_off_later(bucket_class: type[TokenBucket], clock: Clock) -> None:
    bucket = bucket_class(2)
    bucket.acquire(6)  # full: taken at once, four in debt
    bucket.acquire(1)
    assert clock.pauses == pytest.approx([2.5])


@BUCKETS
def test_rounding_does_not_add_pauses(bucket_class: type[TokenBucket], clock: Clock) -> None:
    bucket = bucket_class(3)
    for _ in range(300):
        bucket.acquire()
    assert len(clock.pauses) == 297


@BUCKETS
def test_events(bucket_class: type[TokenBucket], clock: Clock) -> None:
    collector = Collector()
    bucket = bucket_class(1, metrics_collector=collector, limiter_type="bytes")
    bucket.acquire()
    bucket.try_acquire()
    bucket.acquire()
    assert collector.events == [
        (MetricEvent.RATE_LIMITER_DENIED, {"deficit_seconds": 1.0, "limiter_type": "bytes"}),
        (MetricEvent.RATE_LIMITER_THROTTLED, {"wait_seconds": 1.0, "limiter_type": "bytes"}),
    ]


@pytest.mark.parametrize("rate", [0, -1, float("nan")])
def test_rates_that_never_fill(rate: float) -> None:
    with pytest.raises(ConfigValidationError, match="rate must be > 0"):
        TokenBucket(rate)


def test_threads_take_each_token_once(clock: Clock) -> None:
    bucket = ThreadSafeTokenBucket(500)
    taken: list[int] = []

    def take() -> None:
        taken.append(sum(bool(bucket.try_acquire()) for _ in range(200)))

    threads = [threading.Thread(target=take) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(taken) == 500
