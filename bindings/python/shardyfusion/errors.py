"""The exceptions of the package.

All derive from ShardyfusionError. ``retryable`` says whether the same call may succeed when made again; an instance
that comes from the core carries the core's own judgement there, and the particulars that the core knows.
"""

# No `from __future__ import annotations` here: the signatures of this module are recorded with evaluated annotations.


class ShardyfusionError(Exception):
    """Base of all errors of this package.

    code is the core's name of the failure ("CORRUPT", "STORE_RETRY", ...), shard_id the shard it concerns, http_status
    the store's last answer, object_url the object; each is None where there is none, as in errors raised by Python.
    """

    retryable: bool = False
    code: str | None = None
    shard_id: int | None = None
    http_status: int | None = None
    object_url: str | None = None


class ConfigValidationError(ShardyfusionError):
    """An argument, option or key is wrong, or the snapshot needs what this build does not read: fix the call."""

    retryable = False


class InvalidArgumentError(ConfigValidationError, ValueError):
    """An argument or key is wrong: fix the call. A ValueError too: the Python project raises one or the other."""

    retryable = False


class ShardAssignmentError(ShardyfusionError):
    """A key or routing context belongs to no shard."""

    retryable = False


class ShardCoverageError(ShardyfusionError):
    """The shards that were written are not the ones that were expected."""

    retryable = False


class DbAdapterError(ShardyfusionError):
    """The bytes of a shard contradict its format, or a limit of the core was met while reading one."""

    retryable = False


class BridgeTimeoutError(ShardyfusionError):
    """A call from synchronous into asynchronous code took longer than it was given."""

    retryable = True


class ManifestBuildError(ShardyfusionError):
    """A manifest could not be made."""

    retryable = False


class PublishManifestError(ShardyfusionError):
    """The manifest could not be stored; nothing was published."""

    retryable = True


class PublishCurrentError(ShardyfusionError):
    """The manifest is stored (see manifest_ref), but the pointer to the current one could not be moved to it."""

    retryable = True

    def __init__(self, message: str, *, manifest_ref: str | None = None) -> None:
        super().__init__(message)
        self.manifest_ref = manifest_ref


class ManifestParseError(ShardyfusionError):
    """The pointer or the manifest is malformed, or names what it must not."""

    retryable = False


class ReaderStateError(ShardyfusionError):
    """The reader is closed, was never opened, was inherited by fork(), or there is nothing published to read."""

    retryable = False


class PoolExhaustedError(ShardyfusionError):
    """A queue, pool or memory budget is full for now."""

    retryable = True


class ManifestStoreError(ShardyfusionError):
    """The store refused or failed a request, or an object that must be there is not."""

    retryable = True


class ShardWriteError(ShardyfusionError):
    """A shard could not be written; another attempt may succeed."""

    retryable = True


class S3TransientError(ShardyfusionError):
    """The store failed for now (5xx, reset, time-out), and the core's own retries are used up."""

    retryable = True


class VectorIndexError(ShardyfusionError):
    """The vectors of a shard contradict the manifest or their format."""

    retryable = False


class VectorSearchError(ShardyfusionError):
    """A vector search failed."""

    retryable = False


class OperationTimeoutError(ShardyfusionError, TimeoutError):
    """The time given to an operation is over. A TimeoutError too, so that code waiting for one sees it."""

    retryable = True


class OperationCancelledError(ShardyfusionError):
    """An operation was cancelled by closing its reader, not by cancelling the task that awaits it."""

    retryable = False
