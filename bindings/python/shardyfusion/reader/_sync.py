"""What the synchronous readers share. Any number of threads may use one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from shardyfusion._runtime import IN_THREAD, run_now
from shardyfusion._shardyfusion import WOULD_WAIT, Reader, Snapshot
from shardyfusion.errors import ReaderStateError
from shardyfusion.reader._base import _BaseReader
from shardyfusion.reader._source import Source

if TYPE_CHECKING:
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.manifest_store import ManifestStore
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import KeyInput, S3ConnectionOptions, ShardReader, ShardReaderFactory


class _ShardHandle:
    """One shard of a pinned snapshot, looked up by stored key bytes."""

    def __init__(self, source: Source, core: Reader, snapshot: Snapshot, shard: int) -> None:
        self._source = source
        self._core = core
        self._snapshot = snapshot
        self._shard = shard

    def multi_get(self, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        found = self._snapshot.get_stored(self._shard, keys)
        if found is WOULD_WAIT:
            submit = self._snapshot.submit_get_stored
            found = run_now(self._source.call(self._core, submit, self._shard, keys))
        return found  # type: ignore[no-any-return]

    def get(self, key: bytes) -> bytes | None:
        return self.multi_get((key,))[key]

    def close(self) -> None:
        """The snapshot is let go with its last user."""


class ShardReaderHandle:
    """One shard of the snapshot that was served when the handle was made; later refreshes do not change it.

    Its keys are stored key bytes, as `key_encoding` has them. Close it, or use it with `with`.
    """

    def __init__(self, handle: _ShardHandle | ShardReader, release_fn: Callable[[], None] | None = None) -> None:
        self._handle: _ShardHandle | ShardReader | None = handle
        self._release_fn = release_fn

    def _require(self) -> _ShardHandle | ShardReader:
        if self._handle is None:
            raise ReaderStateError("this handle of a shard is closed")
        return self._handle

    def get(self, key: bytes) -> bytes | None:
        """The value of a stored key, or None."""
        return self._require().get(key)

    def multi_get(self, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """The values of stored keys; None for those that are absent."""
        handle = self._require()
        if isinstance(handle, _ShardHandle):
            return handle.multi_get(keys)
        return {key: handle.get(key) for key in keys}

    def close(self) -> None:
        """Lets the shard go. May be called again."""
        handle, self._handle = self._handle, None
        if handle is not None and self._release_fn is not None:
            self._release_fn()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


class _BaseShardedReader(_BaseReader):
    """Opens in its constructor."""

    _waiting = IN_THREAD

    def __init__(
        self,
        *,
        s3_prefix: str,
        local_root: str,
        manifest_store: ManifestStore | None = None,
        current_pointer_key: str = "_CURRENT",
        reader_factory: ShardReaderFactory | None = None,
        slate_env_file: str | None = None,
        credential_provider: CredentialProvider | None = None,
        s3_connection_options: S3ConnectionOptions | None = None,
        max_workers: int | None = None,
        max_fallback_attempts: int = 3,
        metrics_collector: MetricsCollector | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> None:
        source = Source(
            self._waiting,
            s3_prefix=s3_prefix,
            local_root=local_root,
            manifest_store=manifest_store,
            current_pointer_key=current_pointer_key,
            reader_factory=reader_factory,
            slate_env_file=slate_env_file,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
            max_concurrency=max_workers,
            max_fallback_attempts=max_fallback_attempts,
        )
        super().__init__(
            source,
            s3_prefix=s3_prefix,
            local_root=local_root,
            metrics_collector=metrics_collector,
            rate_limiter=rate_limiter,
        )
        run_now(self._open())

    def _call(self, submit: Any, *arguments: Any) -> Any:
        return run_now(self._source.call(self._require(), submit, *arguments))

    # -- lookups

    def get(self, key: KeyInput, *, routing_context: dict[str, object] | None = None) -> bytes | None:
        """The value of `key`, or None when it is absent."""
        if self._has_hooks:
            return self._get_with_hooks(key, routing_context)
        value: bytes | None = self._get(key, routing_context)
        return value if value is not WOULD_WAIT else self._get_later(key, routing_context)

    def _get_later(self, key: KeyInput, routing_context: dict[str, object] | None) -> bytes | None:
        value: bytes | None = self._call(self._require().submit_get, key, routing_context)
        return value

    def _get_with_hooks(self, key: KeyInput, routing_context: dict[str, object] | None) -> bytes | None:
        self._require()
        if self._rate_limiter is not None:
            self._rate_limiter.acquire(1)
        began = time.perf_counter()
        value: bytes | None = self._get(key, routing_context)
        if value is WOULD_WAIT:
            value = self._get_later(key, routing_context)
        self._emit_get(began, value is not None)
        return value

    def multi_get(
        self, keys: Sequence[KeyInput], *, routing_context: dict[str, object] | None = None
    ) -> dict[KeyInput, bytes | None]:
        """The values of `keys` from one snapshot; None for those that are absent. One wrong key fails all."""
        # One text or bytes goes to the core, which refuses it, and is not taken for a sequence of its characters.
        if not isinstance(keys, list | tuple | str | bytes):
            keys = list(keys)
        if self._has_hooks:
            self._require()
            if self._rate_limiter is not None:
                self._rate_limiter.acquire(len(keys))
        began = time.perf_counter() if self._has_hooks else 0.0
        values: dict[KeyInput, bytes | None] = self._multi_get(keys, routing_context)
        if values is WOULD_WAIT:
            values = self._call(self._require().submit_multi_get, keys, routing_context)
        if self._has_hooks:
            self._emit_multi_get(began, len(keys))
        return values

    # -- one shard

    def reader_for_key(self, key: KeyInput) -> ShardReaderHandle:
        """A handle of the shard of `key`."""
        core = self._require()
        snapshot = core.snapshot()
        return ShardReaderHandle(_ShardHandle(self._source, core, snapshot, snapshot.route(key)))

    def readers_for_keys(self, keys: Sequence[KeyInput]) -> dict[KeyInput, ShardReaderHandle]:
        """A handle each for the shards of `keys`, all of one snapshot."""
        core = self._require()
        snapshot = core.snapshot()
        shards = {key: snapshot.route(key) for key in keys}
        return {
            key: ShardReaderHandle(_ShardHandle(self._source, core, snapshot, shard)) for key, shard in shards.items()
        }

    # -- life

    def refresh(self) -> bool:
        """Looks whether another snapshot was published, and serves it from then on. False when nothing changed.

        A malformed new manifest leaves the old snapshot served (False, and a warning in the log); after an error the
        old one stays served too. Refreshes of one reader run one at a time.
        """
        return run_now(self._refresh())

    def close(self) -> None:
        """Closes the reader once its running operations are over. May be called again."""
        run_now(self._close())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()
