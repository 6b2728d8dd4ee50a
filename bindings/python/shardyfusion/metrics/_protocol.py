"""Who receives events."""

# No `from __future__ import annotations` here: the signatures of this module are recorded with evaluated annotations.

from typing import Any, Protocol

from ._events import MetricEvent


class MetricsCollector(Protocol):
    """An object that is told of events, from any thread; what it does there delays the call that caused the event."""

    def emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
        """Takes one event and its particulars."""
