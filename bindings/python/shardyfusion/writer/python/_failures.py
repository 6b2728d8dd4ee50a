"""Opening and publishing, and failures of the core's writer as the exceptions that a caller of a writer looks for."""

from __future__ import annotations

from typing import Any, TypeVar

from shardyfusion._runtime import call_and_wait
from shardyfusion._shardyfusion import Writer
from shardyfusion.errors import (
    ConfigValidationError,
    PublishCurrentError,
    PublishManifestError,
    ShardWriteError,
    ShardyfusionError,
)

Error = TypeVar("Error", bound=ShardyfusionError)

#: What the store, the disk or the time given may do to any step.
_OUTSIDE = ("NOT_FOUND", "ACCESS", "STORE", "STORE_RETRY", "LOCAL", "DEADLINE", "LIMIT")


def _as(kind: type[Error], error: ShardyfusionError, **more: Any) -> Error:
    made = kind(str(error), **more)
    made.code, made.retryable = error.code, error.retryable
    made.shard_id, made.http_status, made.object_url = error.shard_id, error.http_status, error.object_url
    return made


def open_writer(options: dict[str, Any]) -> Writer:
    """Opens a writer of the core. A run id that is taken is the caller's mistake."""
    try:
        core: Writer = call_and_wait(Writer.submit_open, options)
    except ShardyfusionError as error:
        raise (_as(ConfigValidationError, error) if error.code == "STATE" else error) from error
    return core


def publish(core: Writer) -> dict[str, Any]:
    """Publishes, and returns what the core tells of it. A failure is named by the step that failed."""
    try:
        published: dict[str, Any] = call_and_wait(core.submit_publish)
    except ShardyfusionError as error:
        raise _failure_of_publish(error) from error
    return published


def failure_of_write(error: ShardyfusionError) -> ShardyfusionError:
    """Returns what to raise: rows that the local disk cannot hold are shards that cannot be written."""
    return _as(ShardWriteError, error) if error.code == "LOCAL" else error


def _failure_of_publish(error: ShardyfusionError) -> ShardyfusionError:
    left = getattr(error, "manifest_ref", None)
    name = (error.object_url or "").rpartition("/")[2]
    if left is not None or error.code == "STATE" or name == "_CURRENT":
        return _as(PublishCurrentError, error, manifest_ref=left)
    if error.code not in _OUTSIDE:
        return error
    if name == "manifest":
        return _as(PublishManifestError, error)
    return _as(ShardWriteError, error)
