"""Structured log lines of the package.

Everything goes to the standard loggers below "shardyfusion"; the particulars of an event stand in the attribute
``shardyfusion`` of its record.
"""

# No `from __future__ import annotations` here: the signatures of this module are recorded with evaluated annotations.

import contextvars
import json
import logging
import sys
from enum import Enum
from typing import Any

_fields: contextvars.ContextVar[dict[str, Any]] = contextvars.ContextVar("shardyfusion_log_fields")


class FailureSeverity(str, Enum):
    """How bad a failure is: logged as a warning, an error or critical."""

    TRANSIENT = "transient"
    ERROR = "error"
    CRITICAL = "critical"


_LEVELS = {
    FailureSeverity.TRANSIENT: logging.WARNING,
    FailureSeverity.ERROR: logging.ERROR,
    FailureSeverity.CRITICAL: logging.CRITICAL,
}


def get_logger(name: str) -> logging.Logger:
    """Returns the logger of that name below "shardyfusion"; a module may pass its __name__."""
    return logging.getLogger(f"shardyfusion.{name.removeprefix('shardyfusion.')}")


def log_event(event: str, *, logger: logging.Logger, level: int = logging.INFO, **fields: Any) -> None:
    """Logs an event with its particulars and those of the LogContext around it."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={"shardyfusion": {**_fields.get({}), **fields}})


def log_failure(
    event: str,
    *,
    severity: FailureSeverity,
    logger: logging.Logger,
    error: BaseException | None = None,
    **fields: Any,
) -> None:
    """Logs a failure at the level of its severity."""
    if error is not None:
        fields["error"] = repr(error)
    log_event(event, logger=logger, level=_LEVELS[severity], severity=severity.value, **fields)


class LogContext:
    """Fields for all events that are logged within the `with` block, in this task or thread and tasks made there."""

    def __init__(self, **fields: Any) -> None:
        self._own_fields = fields
        self._token: contextvars.Token[dict[str, Any]] | None = None

    def __enter__(self) -> "LogContext":
        self._token = _fields.set({**_fields.get({}), **self._own_fields})
        return self

    def __exit__(self, *args: object) -> None:
        token, self._token = self._token, None
        if token is not None:
            _fields.reset(token)


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON: timestamp, level, logger, event, and the particulars beside them."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the line; values that JSON does not know become text, and a traceback stands in "exception"."""
        line: dict[str, Any] = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage(),
        }
        fields = getattr(record, "shardyfusion", None)
        if isinstance(fields, dict):
            line.update(fields)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: int = logging.INFO, json_format: bool = False, stream: Any = None) -> None:
    """Makes everything below "shardyfusion" go to a stream (default: standard error), in place of earlier handlers."""
    handler = logging.StreamHandler(sys.stderr if stream is None else stream)
    handler.setLevel(level)
    handler.setFormatter(JsonFormatter() if json_format else logging.Formatter("%(levelname)s %(name)s %(message)s"))
    logger = logging.getLogger("shardyfusion")
    logger.setLevel(level)
    logger.handlers[:] = [handler]
