"""AsyncShardedVectorReader: search in a snapshot of vectors alone, for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shardyfusion._runtime import IN_LOOP
from shardyfusion.reader._base import query_count
from shardyfusion.vector._reading import _VectorReading

if TYPE_CHECKING:
    from shardyfusion import _arrays as np
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.async_manifest_store import AsyncManifestStore
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import S3ConnectionOptions
    from shardyfusion.vector.types import AsyncVectorShardReaderFactory, VectorSearchResponse


class AsyncShardedVectorReader(_VectorReading):
    """Searches one snapshot of vectors alone under `s3_prefix` (s3:// or file://), from any event loop.

    Make it with `open`. Everything happens on the core's threads. The reader keeps serving the snapshot that it opened
    until `refresh`; an operation always finishes on the snapshot that it began on.

    `local_root` is the directory of the local cache. Whether the shards are sqlite-vec's or LanceDB's is found out;
    `reader_factory`, where given, is a setting: it may bring connection options. Shards are opened when they are first
    searched, or with the snapshot (`preload_shards`). `max_cached_shards` is how many are kept open; None, 0 or less:
    all. `max_concurrency` bounds shard operations in flight. `max_fallback_attempts` is how many older manifests are
    tried when the current one is malformed.
    """

    _waiting = IN_LOOP

    def __init__(
        self,
        *,
        s3_prefix: str,
        local_root: str,
        reader_factory: AsyncVectorShardReaderFactory | None = None,
        manifest_store: AsyncManifestStore | None = None,
        max_concurrency: int | None = None,
        max_fallback_attempts: int = 3,
        preload_shards: bool = False,
        max_cached_shards: int | None = None,
        metrics_collector: MetricsCollector | None = None,
        rate_limiter: RateLimiter | None = None,
        credential_provider: CredentialProvider | None = None,
        s3_connection_options: S3ConnectionOptions | None = None,
    ) -> None:
        super().__init__(
            s3_prefix=s3_prefix,
            local_root=local_root,
            reader_factory=reader_factory,
            manifest_store=manifest_store,
            max_concurrency=max_concurrency,
            max_fallback_attempts=max_fallback_attempts,
            preload_shards=preload_shards,
            max_cached_shards=max_cached_shards,
            metrics_collector=metrics_collector,
            rate_limiter=rate_limiter,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
        )

    @classmethod
    async def open(cls, *, s3_prefix: str, local_root: str, **kwargs: Any) -> AsyncShardedVectorReader:
        """Opens the snapshot that is current. Further arguments are those of the class.

        Raises ReaderStateError (nothing is published, or it has no vectors), ManifestParseError, ManifestStoreError,
        S3TransientError, ConfigValidationError, with `preload_shards` DbAdapterError and VectorIndexError too.
        """
        reader = cls(s3_prefix=s3_prefix, local_root=local_root, **kwargs)
        await reader._open()
        return reader

    async def search(
        self,
        query: np.ndarray,
        top_k: int = 10,
        *,
        shard_ids: list[int] | None = None,
        num_probes: int | None = None,
        routing_context: dict[str, Any] | None = None,
    ) -> VectorSearchResponse:
        """The `top_k` vectors nearest to `query` in the shards searched, nearest first; lower scores are better.

        `query` is one vector: any buffer of float32 or float64 (a numpy array, strided too), or a sequence of numbers.
        Searched are `shard_ids` (an empty list: none). Without them the snapshot's sharding chooses: CLUSTER the
        `num_probes` shards (None: as many as the manifest says) whose centroids are nearest, LSH those of the nearest
        hash codes, CEL the one of `routing_context`, EXPLICIT none, which is a ConfigValidationError. What is in other
        shards is not found. Within a shard the search is exact. Units of the score: cosine 1 - cos; l2 the root of the
        sum of squares, in LanceDB's shards the sum; dot_product 1 - dot.
        """
        core = self._require()
        chosen = self._chosen(core, shard_ids=shard_ids, num_probes=num_probes, routing_context=routing_context)
        if self._rate_limiter is not None:
            await self._rate_limiter.acquire_async(1)
        response: VectorSearchResponse = await self._source.call(core, core.submit_search, query, top_k, *chosen)
        if self._has_hooks:
            self._emit_search(top_k, response)
        return response

    async def batch_search(self, queries: np.ndarray, top_k: int = 10, **kwargs: Any) -> list[VectorSearchResponse]:
        """One response a query, in their order, all from one snapshot and computed together.

        `queries` is a buffer of shape (queries, dimension), or a sequence of vectors. Further arguments are those of
        `search`.
        """
        core = self._require()
        if query_count(queries) == 0:
            return []
        chosen = self._chosen(core, **kwargs)
        if self._rate_limiter is not None:
            await self._rate_limiter.acquire_async(query_count(queries))
        responses: list[VectorSearchResponse] = await self._source.call(
            core, core.submit_batch_search, queries, top_k, *chosen
        )
        if self._has_hooks:
            for response in responses:
                self._emit_search(top_k, response)
        return responses

    # -- life

    async def refresh(self) -> bool:
        """Looks whether another snapshot was published, and serves it from then on. False when nothing changed.

        A failure of any kind leaves the old snapshot served: False, and a warning in the log. Only a reader that is
        closed raises. Refreshes of one reader run one at a time.
        """
        return await self._refresh_or_stay()

    async def close(self) -> None:
        """Closes the reader once its running operations are over. May be called again."""
        await self._close()

    async def __aenter__(self) -> AsyncShardedVectorReader:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()
