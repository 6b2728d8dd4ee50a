"""Log lines and their particulars."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from shardyfusion.logging import (
    FailureSeverity,
    JsonFormatter,
    LogContext,
    configure_logging,
    get_logger,
    log_event,
    log_failure,
)

LOGGER = get_logger("tests")


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    logger = logging.getLogger("shardyfusion")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


def test_names_of_loggers() -> None:
    assert get_logger("shardyfusion.reader").name == get_logger("reader").name == "shardyfusion.reader"


def test_json_lines() -> None:
    stream = io.StringIO()
    configure_logging(logging.DEBUG, json_format=True, stream=stream)
    with LogContext(run_id="r", shard=1), LogContext(shard=2):
        log_event("opened", logger=LOGGER, path=b"p")
    log_failure("failed", severity=FailureSeverity.TRANSIENT, logger=LOGGER, error=ValueError("no"))
    try:
        raise KeyError("k")
    except KeyError:
        LOGGER.exception("worse")
    opened, failed, worse = (json.loads(line) for line in stream.getvalue().splitlines())
    assert opened["timestamp"]
    assert {name: opened[name] for name in opened if name != "timestamp"} == {
        "level": "INFO",
        "logger": "shardyfusion.tests",
        "event": "opened",
        "run_id": "r",
        "shard": 2,
        "path": "b'p'",
    }
    assert (failed["level"], failed["severity"], failed["error"]) == ("WARNING", "transient", "ValueError('no')")
    assert "run_id" not in failed
    assert "KeyError: 'k'" in worse["exception"]


def test_plain_lines_and_levels() -> None:
    stream, later = io.StringIO(), io.StringIO()
    configure_logging(stream=stream)
    log_event("seen", logger=LOGGER)
    log_event("hidden", logger=LOGGER, level=logging.DEBUG)
    configure_logging(logging.ERROR, stream=later)  # in place of the first
    log_event("too low", logger=LOGGER)
    log_failure("high enough", severity=FailureSeverity.CRITICAL, logger=LOGGER)
    assert stream.getvalue() == "INFO shardyfusion.tests seen\n"
    assert later.getvalue() == "CRITICAL shardyfusion.tests high enough\n"


def test_records_of_others() -> None:
    record = logging.LogRecord("other", logging.INFO, "", 0, "%d rows", (5,), None)
    assert json.loads(JsonFormatter().format(record))["event"] == "5 rows"
