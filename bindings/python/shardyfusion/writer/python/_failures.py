"""Failures of the core's writer as the exceptions that a caller of a writer looks for."""

from __future__ import annotations

from typing import Any, TypeVar

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


def failure_of_open(error: ShardyfusionError) -> ShardyfusionError:
    """Returns what to raise: a run id that is taken is the caller's mistake."""
    return _as(ConfigValidationError, error) if error.code == "STATE" else error


def failure_of_write(error: ShardyfusionError) -> ShardyfusionError:
    """Returns what to raise: rows that the local disk cannot hold are shards that cannot be written."""
    return _as(ShardWriteError, error) if error.code == "LOCAL" else error


def failure_of_publish(error: ShardyfusionError) -> ShardyfusionError:
    """Returns what to raise, by the step that failed."""
    left = getattr(error, "manifest_ref", None)
    name = (error.object_url or "").rpartition("/")[2]
    if left is not None or error.code == "STATE" or name == "_CURRENT":
        return _as(PublishCurrentError, error, manifest_ref=left)
    if error.code not in _OUTSIDE:
        return error
    if name == "manifest":
        return _as(PublishManifestError, error)
    return _as(ShardWriteError, error)
