"""Objects of the program that readers call beside their work: metrics collectors and rate limiters."""

from __future__ import annotations

import inspect
import logging
from typing import TYPE_CHECKING, Any

from shardyfusion.errors import ConfigValidationError

if TYPE_CHECKING:
    from shardyfusion.metrics import MetricEvent, MetricsCollector

_logger = logging.getLogger("shardyfusion")


def _name(hook: object) -> str:
    return hook.__qualname__ if isinstance(hook, type) else type(hook).__qualname__


def check_hook(argument: str, hook: object | None, method: str, *, is_awaited: bool = False) -> None:
    """ConfigValidationError for an object without `method`, for a class, and for a method that would not be awaited."""
    if hook is None:
        return
    called = getattr(hook, method, None)
    if isinstance(hook, type) or not callable(called):
        raise ConfigValidationError(
            f"{argument}={_name(hook)} is no object with the method {method}(): give one that has it, or None"
        )
    if not is_awaited and inspect.iscoroutinefunction(called):
        raise ConfigValidationError(
            f"{argument}={_name(hook)}: its {method}() is a coroutine function, which nobody awaits here; make it an "
            "ordinary method"
        )


class Events:
    """Tells a collector of events. What it raises is logged, the first time, and fails nothing."""

    def __init__(self, collector: MetricsCollector) -> None:
        self._collector = collector
        self._has_failed = False

    def emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
        """Hands one event over."""
        try:
            self._collector.emit(event, payload)
        except Exception:
            if not self._has_failed:
                self._has_failed = True
                _logger.warning(
                    "metrics_collector=%s raised at the event %s, which is lost; what it raises later is not logged",
                    _name(self._collector),
                    event.value,
                    exc_info=True,
                )
