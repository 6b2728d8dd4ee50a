"""From a status of the core to an exception of this package."""

from __future__ import annotations

from . import errors
from .cel import UnknownRoutingTokenError


class UnknownRoutingTokenOfSnapshotError(errors.ShardAssignmentError, UnknownRoutingTokenError):
    """The token of a categorical expression has no shard: a ShardAssignmentError with a reason of its own."""


# ROUTING is one status for several reasons; what the core says of an unknown token tells this one from the others.
_UNKNOWN_TOKEN = " is none of the snapshot's routing values"

# SHF_E_* of include/shardyfusion/types.h: number -> (name, class).
_BY_STATUS: dict[int, tuple[str, type[errors.ShardyfusionError]]] = {
    -1: ("INVALID", errors.InvalidArgumentError),
    -2: ("UNSUPPORTED", errors.ConfigValidationError),
    -3: ("ROUTING", errors.ShardAssignmentError),
    -4: ("MANIFEST", errors.ManifestParseError),
    -5: ("STATE", errors.ReaderStateError),
    -6: ("CLOSED", errors.ReaderStateError),
    -7: ("FORKED", errors.ReaderStateError),
    -8: ("NOT_FOUND", errors.ManifestStoreError),
    -9: ("ACCESS", errors.ManifestStoreError),
    -10: ("STORE", errors.ManifestStoreError),
    -11: ("STORE_RETRY", errors.S3TransientError),
    -12: ("CORRUPT", errors.DbAdapterError),
    -13: ("INDEX", errors.VectorIndexError),
    -14: ("BUSY", errors.PoolExhaustedError),
    -15: ("NO_MEMORY", errors.PoolExhaustedError),
    -16: ("LIMIT", errors.DbAdapterError),
    -17: ("DEADLINE", errors.OperationTimeoutError),
    -18: ("CANCELLED", errors.OperationCancelledError),
    -19: ("LOCAL", errors.ManifestStoreError),
    -20: ("INTERNAL", errors.DbAdapterError),
}


def make(
    code: int,
    message: str,
    retryable: bool,
    shard: int | None,
    http_status: int | None,
    object_url: str | None,
) -> errors.ShardyfusionError:
    """Returns the exception to raise for a status of the core (the extension calls this).

    shard below 0, http_status 0 and an empty object_url mean the same as None. A status that is not known becomes a
    DbAdapterError whose code is its number: a newer core must not make the binding fail in its error path.
    """
    name, error_class = _BY_STATUS.get(code, (str(code), errors.DbAdapterError))
    shard_id = shard if shard is not None and shard >= 0 else None
    if name == "NOT_FOUND" and shard_id is not None:
        error_class = errors.DbAdapterError
    if name == "ROUTING" and _UNKNOWN_TOKEN in message:
        error_class = UnknownRoutingTokenOfSnapshotError
    error = error_class(message)
    error.code = name
    error.retryable = bool(retryable)
    error.shard_id = shard_id
    error.http_status = http_status or None
    error.object_url = object_url or None
    return error
