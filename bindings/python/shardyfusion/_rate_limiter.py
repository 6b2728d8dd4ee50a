"""Limits on how often, or how much, is done in a second."""

# No `from __future__ import annotations` here: the signatures of this module are recorded with evaluated annotations.

import asyncio
import logging
import threading
import time
from dataclasses import dataclass
from typing import Protocol

from .errors import ConfigValidationError
from .logging import get_logger, log_event
from .metrics import MetricEvent
from .metrics._protocol import MetricsCollector

_logger = get_logger(__name__)


@dataclass(slots=True)
class AcquireResult:
    """Whether tokens were taken (its truth value) and, when not, in how many seconds there will be enough."""

    acquired: bool
    deficit: float

    def __bool__(self) -> bool:
        return self.acquired


class RateLimiter(Protocol):
    """What readers and writers ask before they do something; one object may serve many of them."""

    def acquire(self, tokens: int = 1) -> None:
        """Takes tokens, after sleeping until there are enough. Not for code on an event loop."""

    def try_acquire(self, tokens: int = 1) -> AcquireResult:
        """Takes tokens if there are enough; never waits."""

    async def acquire_async(self, tokens: int = 1) -> None:
        """Takes tokens, after awaiting until there are enough."""


class TokenBucket:
    """A bucket into which `rate` tokens fall each second, and which holds as many, full at the start. Not thread-safe.

    What a token stands for is the caller's: an operation, or a byte. Asking for more than the bucket holds waits until
    it is full and leaves a debt, so that the rate is kept in the long run and nobody waits for ever.
    """

    def __init__(
        self,
        rate: float,
        metrics_collector: MetricsCollector | None = None,
        limiter_type: str = "ops",
    ) -> None:
        if not rate > 0:
            raise ConfigValidationError(f"rate must be > 0 tokens a second, got {rate!r}")
        self._rate = float(rate)
        self._tokens = float(rate)
        self._filled_at = time.monotonic()
        self._metrics_collector = metrics_collector
        self._limiter_type = limiter_type

    def try_acquire(self, tokens: int = 1) -> AcquireResult:
        """Takes tokens if there are enough; never waits. A refusal is a RATE_LIMITER_DENIED event."""
        result = self._take(tokens)
        if not result:
            self._report(MetricEvent.RATE_LIMITER_DENIED, "deficit_seconds", result.deficit, tokens)
        return result

    def acquire(self, tokens: int = 1) -> None:
        """Takes tokens, sleeping as long as there are too few. Each pause is a RATE_LIMITER_THROTTLED event."""
        while not (result := self._take(tokens)):
            self._report(MetricEvent.RATE_LIMITER_THROTTLED, "wait_seconds", result.deficit, tokens)
            time.sleep(result.deficit)

    async def acquire_async(self, tokens: int = 1) -> None:
        """Takes tokens, awaiting as long as there are too few. Each pause is a RATE_LIMITER_THROTTLED event."""
        while not (result := self._take(tokens)):
            self._report(MetricEvent.RATE_LIMITER_THROTTLED, "wait_seconds", result.deficit, tokens)
            await asyncio.sleep(result.deficit)

    def _take(self, tokens: int) -> AcquireResult:
        now = time.monotonic()
        self._tokens = min(self._rate, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        missing = min(float(tokens), self._rate) - self._tokens
        # Sums of small fractions may fall short of a whole token by rounding alone.
        if missing > 1e-9 * self._rate:
            return AcquireResult(False, missing / self._rate)
        self._tokens -= tokens
        return AcquireResult(True, 0.0)

    def _report(self, event: MetricEvent, field: str, seconds: float, tokens: int) -> None:
        payload = {field: seconds, "limiter_type": self._limiter_type}
        log_event(event.name.lower(), logger=_logger, level=logging.DEBUG, tokens_requested=tokens, **payload)
        if self._metrics_collector is not None:
            self._metrics_collector.emit(event, payload)


class ThreadSafeTokenBucket(TokenBucket):
    """A token bucket for several threads. Nobody sleeps while holding its lock."""

    def __init__(
        self,
        rate: float,
        metrics_collector: MetricsCollector | None = None,
        limiter_type: str = "ops",
    ) -> None:
        super().__init__(rate, metrics_collector, limiter_type)
        self._lock = threading.Lock()

    def _take(self, tokens: int) -> AcquireResult:
        with self._lock:
            return super()._take(tokens)
