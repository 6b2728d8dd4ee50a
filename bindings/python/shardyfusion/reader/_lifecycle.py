"""A reader before, while and after it is open: the steps of open, refresh and close, and events about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from shardyfusion._runtime import Waiting, closed_at_exit
from shardyfusion._shardyfusion import Reader
from shardyfusion.errors import ReaderStateError
from shardyfusion.metrics import MetricEvent
from shardyfusion.reader._hooks import Events, check_hook
from shardyfusion.reader._source import Source

if TYPE_CHECKING:
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.metrics import MetricsCollector


class Lifecycle:
    """What all readers share. Subclasses say how calls wait, what they read, and which events they tell of."""

    _waiting: Waiting

    def __init__(
        self,
        source: Source,
        *,
        metrics_collector: MetricsCollector | None,
        rate_limiter: RateLimiter | None,
    ) -> None:
        self._source = source
        check_hook("metrics_collector", metrics_collector, "emit")
        is_async = self._waiting.is_async
        check_hook("rate_limiter", rate_limiter, "acquire_async" if is_async else "acquire", is_awaited=is_async)
        self._events = None if metrics_collector is None else Events(metrics_collector)
        self._rate_limiter = rate_limiter
        self._has_hooks = metrics_collector is not None or rate_limiter is not None
        self._core: Reader | None = None
        self._closed = False
        self._refreshes_begun = 0
        self._refreshes_served = 0
        self._become_unusable()

    # -- for subclasses

    def _check_opened(self, core: Reader) -> None:
        """Raises when this class of readers is not for what was opened."""

    def _become_usable(self, core: Reader) -> None:
        """Is called once the reader is open."""

    def _become_unusable(self) -> None:
        """Is called when the reader is made, and when it is closed."""

    def _emit_opened(self, core: Reader) -> None:
        """Tells that the reader is open."""

    def _emit_refreshed(self, core: Reader, changed: bool) -> None:
        """Tells of a refresh."""

    def _emit_closed(self, shards: int) -> None:
        """Tells that the reader is closed."""

    # -- states

    def _refuse(self, *_arguments: Any) -> NoReturn:
        if self._closed:
            raise ReaderStateError("Reader is closed")
        raise ReaderStateError("Reader not yet initialized (use open())")

    def _require(self) -> Reader:
        return self._core if self._core is not None else self._refuse()

    async def _open(self) -> None:
        core = await self._source.open()
        self._check_opened(core)
        self._core = core
        self._become_usable(core)
        closed_at_exit(self)
        self._emit_opened(core)

    async def _refresh(self) -> bool:
        core = self._require()
        self._refreshes_begun += 1
        mine = self._refreshes_begun
        changed = await self._source.refresh(core, lambda: self._refreshes_served > mine)
        if changed:
            self._refreshes_served = max(self._refreshes_served, mine)
        self._emit_refreshed(core, changed)
        return changed

    async def _close(self) -> None:
        core = self._core
        was_closed = self._closed
        self._drop()
        if was_closed or core is None:
            return
        try:
            shards = core.snapshot().info()["num_dbs"]
        except ReaderStateError:
            return  # the parent's, in a child of fork; or another thread closes it just now
        await self._waiting.call(core.submit_close)
        self._emit_closed(shards)

    def _drop(self) -> None:
        self._core = None
        self._closed = True
        self._become_unusable()

    def _emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
        if self._events is not None:
            self._events.emit(event, payload)
