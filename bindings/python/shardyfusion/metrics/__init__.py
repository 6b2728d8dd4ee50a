"""Events that readers and writers report, and who receives them."""

from __future__ import annotations

from ._events import MetricEvent
from ._protocol import MetricsCollector

__all__ = ["MetricEvent", "MetricsCollector"]
