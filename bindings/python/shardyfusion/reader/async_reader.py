"""AsyncShardedReader: lookups in a snapshot, for asyncio."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

from shardyfusion._runtime import IN_LOOP
from shardyfusion._shardyfusion import WOULD_WAIT, Reader, Snapshot
from shardyfusion.reader._base import _BaseReader
from shardyfusion.reader._source import Source

if TYPE_CHECKING:
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.async_manifest_store import AsyncManifestStore
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import AsyncShardReader, AsyncShardReaderFactory, KeyInput, S3ConnectionOptions


class _AsyncShard:
    """One shard of a pinned snapshot, looked up by stored key bytes."""

    def __init__(self, source: Source, core: Reader, snapshot: Snapshot, shard: int) -> None:
        self._source = source
        self._core = core
        self._snapshot = snapshot
        self._shard = shard

    async def multi_get(self, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        found = self._snapshot.get_stored(self._shard, keys)
        if found is WOULD_WAIT:
            found = await self._source.call(self._core, self._snapshot.submit_get_stored, self._shard, keys)
        return found  # type: ignore[no-any-return]

    async def get(self, key: bytes) -> bytes | None:
        return (await self.multi_get((key,)))[key]

    async def close(self) -> None:
        """The snapshot is let go with its last user."""


class AsyncShardReaderHandle:
    """One shard of the snapshot that was served when the handle was made; later refreshes do not change it.

    Its keys are stored key bytes, as `key_encoding` has them. Close it, or use it with `async with`.
    """

    def __init__(self, reader: AsyncShardReader, release_fn: Any | None = None) -> None:
        self._reader: AsyncShardReader | None = reader
        self._release_fn = release_fn

    def _require(self) -> AsyncShardReader:
        from shardyfusion.errors import ReaderStateError

        if self._reader is None:
            raise ReaderStateError("this handle of a shard is closed")
        return self._reader

    async def get(self, key: bytes) -> bytes | None:
        """The value of a stored key, or None."""
        return await self._require().get(key)

    async def multi_get(self, keys: Sequence[bytes]) -> dict[bytes, bytes | None]:
        """The values of stored keys; None for those that are absent."""
        reader = self._require()
        if isinstance(reader, _AsyncShard):
            return await reader.multi_get(keys)
        return {key: await reader.get(key) for key in keys}

    def close(self) -> None:
        """Lets the shard go. May be called again."""
        reader, self._reader = self._reader, None
        if reader is not None and self._release_fn is not None:
            self._release_fn()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        self.close()


class AsyncShardedReader(_BaseReader):
    """Looks keys up in one snapshot under `s3_prefix` (s3:// or file://), from any event loop. Make it with `open`.

    A key whose shard is open is answered without a turn of the event loop. Everything else (opening, downloads) happens
    on the core's threads. The reader keeps serving the snapshot that it opened until `refresh`; an operation always
    finishes on the snapshot that it began on.

    `local_root` is the directory of the local cache. `reader_factory`, where given, is a setting: it chooses how SQLite
    shards are fetched; what the shards are is told by the manifest. `max_concurrency` bounds shard operations in
    flight. `max_fallback_attempts` is how many older manifests are tried when the current one is malformed.
    """

    _waiting = IN_LOOP

    def __init__(
        self,
        *,
        s3_prefix: str,
        local_root: str,
        manifest_store: AsyncManifestStore | None = None,
        current_pointer_key: str = "_CURRENT",
        reader_factory: AsyncShardReaderFactory | None = None,
        slate_env_file: str | None = None,
        credential_provider: CredentialProvider | None = None,
        s3_connection_options: S3ConnectionOptions | None = None,
        max_concurrency: int | None = None,
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
            max_concurrency=max_concurrency,
            max_fallback_attempts=max_fallback_attempts,
        )
        super().__init__(
            source,
            s3_prefix=s3_prefix,
            local_root=local_root,
            metrics_collector=metrics_collector,
            rate_limiter=rate_limiter,
        )

    @classmethod
    async def open(
        cls,
        *,
        s3_prefix: str,
        local_root: str,
        manifest_store: AsyncManifestStore | None = None,
        current_pointer_key: str = "_CURRENT",
        reader_factory: AsyncShardReaderFactory | None = None,
        slate_env_file: str | None = None,
        credential_provider: CredentialProvider | None = None,
        s3_connection_options: S3ConnectionOptions | None = None,
        max_concurrency: int | None = None,
        max_fallback_attempts: int = 3,
        metrics_collector: MetricsCollector | None = None,
        rate_limiter: RateLimiter | None = None,
    ) -> AsyncShardedReader:
        """Opens the snapshot that is current.

        Raises ReaderStateError (nothing is published), ManifestParseError, ManifestStoreError, S3TransientError,
        DbAdapterError, VectorIndexError, ConfigValidationError.
        """
        reader = cls(
            s3_prefix=s3_prefix,
            local_root=local_root,
            manifest_store=manifest_store,
            current_pointer_key=current_pointer_key,
            reader_factory=reader_factory,
            slate_env_file=slate_env_file,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
            max_concurrency=max_concurrency,
            max_fallback_attempts=max_fallback_attempts,
            metrics_collector=metrics_collector,
            rate_limiter=rate_limiter,
        )
        await reader._open()
        return reader

    # -- lookups

    async def get(self, key: KeyInput, *, routing_context: dict[str, object] | None = None) -> bytes | None:
        """The value of `key`, or None when it is absent."""
        if self._has_hooks:
            return await self._get_with_hooks(key, routing_context)
        value: bytes | None = self._get(key, routing_context)
        if value is not WOULD_WAIT:
            return value
        return await self._get_later(key, routing_context)

    async def _get_later(self, key: KeyInput, routing_context: dict[str, object] | None) -> bytes | None:
        core = self._require()
        value: bytes | None = await self._source.call(core, core.submit_get, key, routing_context)
        return value

    async def _get_with_hooks(self, key: KeyInput, routing_context: dict[str, object] | None) -> bytes | None:
        self._require()
        if self._rate_limiter is not None:
            await self._rate_limiter.acquire_async(1)
        began = time.perf_counter()
        value: bytes | None = self._get(key, routing_context)
        if value is WOULD_WAIT:
            value = await self._get_later(key, routing_context)
        self._emit_get(began, value is not None)
        return value

    async def multi_get(
        self, keys: Sequence[KeyInput], *, routing_context: dict[str, object] | None = None
    ) -> dict[KeyInput, bytes | None]:
        """The values of `keys` from one snapshot; None for those that are absent. One wrong key fails all."""
        # One text or bytes goes to the core, which refuses it, and is not taken for a sequence of its characters.
        if not isinstance(keys, list | tuple | str | bytes):
            keys = list(keys)
        if self._has_hooks:
            self._require()
            if self._rate_limiter is not None:
                await self._rate_limiter.acquire_async(len(keys))
        began = time.perf_counter() if self._has_hooks else 0.0
        values: dict[KeyInput, bytes | None] = self._multi_get(keys, routing_context)
        if values is WOULD_WAIT:
            core = self._require()
            values = await self._source.call(core, core.submit_multi_get, keys, routing_context)
        if self._has_hooks:
            self._emit_multi_get(began, len(keys))
        return values

    # -- one shard

    def reader_for_key(self, key: KeyInput) -> AsyncShardReaderHandle:
        """A handle of the shard of `key`."""
        core = self._require()
        snapshot = core.snapshot()
        return AsyncShardReaderHandle(_AsyncShard(self._source, core, snapshot, snapshot.route(key)))

    def readers_for_keys(self, keys: Sequence[KeyInput]) -> dict[KeyInput, AsyncShardReaderHandle]:
        """A handle each for the shards of `keys`, all of one snapshot."""
        core = self._require()
        snapshot = core.snapshot()
        shards = {key: snapshot.route(key) for key in keys}
        return {
            key: AsyncShardReaderHandle(_AsyncShard(self._source, core, snapshot, shard))
            for key, shard in shards.items()
        }

    # -- life

    async def refresh(self) -> bool:
        """Looks whether another snapshot was published, and serves it from then on. False when nothing changed.

        A malformed new manifest leaves the old snapshot served (False, and a warning in the log); after an error the
        old one stays served too. Refreshes of one reader run one at a time.
        """
        return await self._refresh()

    async def close(self) -> None:
        """Closes the reader once its running operations are over. May be called again."""
        await self._close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *args: object) -> None:
        await self.close()
