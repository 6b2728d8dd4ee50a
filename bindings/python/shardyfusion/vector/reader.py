"""ShardedVectorReader: search in a snapshot of vectors alone, synchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shardyfusion._runtime import IN_THREAD, run_now
from shardyfusion.reader._base import query_count
from shardyfusion.vector._reading import VectorReaderHealth as VectorReaderHealth
from shardyfusion.vector._reading import _VectorReading

if TYPE_CHECKING:
    from shardyfusion import _arrays as np
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.manifest_store import ManifestStore
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import S3ConnectionOptions
    from shardyfusion.vector.types import VectorSearchResponse, VectorShardReaderFactory


class ShardedVectorReader(_VectorReading):
    """Searches the snapshot of vectors alone under `s3_prefix` that is current when the reader is made.

    Thread-safe: calls of several threads run side by side. See AsyncShardedVectorReader for the arguments;
    `max_workers` bounds shard operations in flight.
    """

    _waiting = IN_THREAD

    def __init__(
        self,
        *,
        s3_prefix: str,
        local_root: str,
        reader_factory: VectorShardReaderFactory | None = None,
        manifest_store: ManifestStore | None = None,
        max_workers: int | None = None,
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
            max_concurrency=max_workers,
            max_fallback_attempts=max_fallback_attempts,
            preload_shards=preload_shards,
            max_cached_shards=max_cached_shards,
            metrics_collector=metrics_collector,
            rate_limiter=rate_limiter,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
        )
        run_now(self._open())

    def _call(self, submit: Any, *arguments: Any) -> Any:
        return run_now(self._source.call(self._require(), submit, *arguments))

    def search(
        self,
        query: np.ndarray,
        top_k: int = 10,
        *,
        shard_ids: list[int] | None = None,
        num_probes: int | None = None,
        routing_context: dict[str, Any] | None = None,
    ) -> VectorSearchResponse:
        """The `top_k` vectors nearest to `query` in the shards searched; see AsyncShardedVectorReader.search."""
        core = self._require()
        chosen = self._chosen(core, shard_ids=shard_ids, num_probes=num_probes, routing_context=routing_context)
        if self._rate_limiter is not None:
            self._rate_limiter.acquire(1)
        response: VectorSearchResponse = self._call(core.submit_search, query, top_k, *chosen)
        if self._has_hooks:
            self._emit_search(top_k, response)
        return response

    def batch_search(self, queries: np.ndarray, top_k: int = 10, **kwargs: Any) -> list[VectorSearchResponse]:
        """One response a query, in their order, all from one snapshot and computed together.

        `queries` is a buffer of shape (queries, dimension), or a sequence of vectors. Further arguments are those of
        `search`.
        """
        core = self._require()
        if query_count(queries) == 0:
            return []
        chosen = self._chosen(core, **kwargs)
        if self._rate_limiter is not None:
            self._rate_limiter.acquire(query_count(queries))
        responses: list[VectorSearchResponse] = self._call(core.submit_batch_search, queries, top_k, *chosen)
        if self._has_hooks:
            for response in responses:
                self._emit_search(top_k, response)
        return responses

    # -- life

    def refresh(self) -> bool:
        """Looks whether another snapshot was published, and serves it from then on. False when nothing changed.

        A failure of any kind leaves the old snapshot served: False, and a warning in the log. Only a reader that is
        closed raises. Refreshes of one reader run one at a time.
        """
        return run_now(self._refresh_or_stay())

    def close(self) -> None:
        """Closes the reader once its running operations are over. May be called again."""
        run_now(self._close())

    def __enter__(self) -> ShardedVectorReader:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
