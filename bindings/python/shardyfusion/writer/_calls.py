"""How writers call the core."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from shardyfusion._runtime import call_and_wait
from shardyfusion._shardyfusion import Operation, Writer
from shardyfusion.errors import PoolExhaustedError, ShardyfusionError
from shardyfusion.logging import FailureSeverity, get_logger, log_failure

_logger = get_logger("shardyfusion.writer")

#: While the memory budget has no room for a batch: pauses, and how long they may last altogether, in seconds.
_PAUSE = 0.005
_PATIENCE = 60.0


def patient_call(submit: Callable[..., Operation | None], *arguments: Any) -> Any:
    """As call_and_wait; once more as long as the memory is full: the core sorts to the disk meanwhile."""
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            return call_and_wait(submit, *arguments)
        except PoolExhaustedError as error:
            if error.code != "BUSY" or time.monotonic() > end:
                raise
        time.sleep(_PAUSE)


def close_writer(core: Writer) -> None:
    """Closes a writer; that this fails is logged."""
    try:
        call_and_wait(core.submit_close)
    except ShardyfusionError as error:
        # All is said by now: the result, or another exception.
        log_failure("writer_close_failed", severity=FailureSeverity.TRANSIENT, logger=_logger, error=error)
