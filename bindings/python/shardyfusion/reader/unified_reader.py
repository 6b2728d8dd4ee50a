"""UnifiedShardedReader: lookups and vector search in one snapshot, synchronous."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shardyfusion._shardyfusion import Reader
from shardyfusion.reader._base import query_count, vector_meta_of
from shardyfusion.reader._results import UnifiedVectorMeta as UnifiedVectorMeta
from shardyfusion.reader.reader import ShardedReader

if TYPE_CHECKING:
    from shardyfusion import _arrays as np
    from shardyfusion.vector.types import VectorSearchResponse


class UnifiedShardedReader(ShardedReader):
    """Looks keys up and searches vectors in one snapshot; the manifest tells what holds them. See ShardedReader."""

    def _check_opened(self, core: Reader) -> None:
        super()._check_opened(core)
        vector_meta_of(core.snapshot())

    @property
    def vector_meta(self) -> UnifiedVectorMeta:
        """What the manifest says of the vectors."""
        return vector_meta_of(self._require().snapshot())

    def search(
        self,
        query: np.ndarray,
        top_k: int = 10,
        *,
        routing_context: dict[str, object] | None = None,
        shard_ids: list[int] | None = None,
    ) -> VectorSearchResponse:
        """The `top_k` vectors nearest to `query`, exact, nearest first; see AsyncUnifiedShardedReader.search."""
        core = self._require()
        if self._rate_limiter is not None:
            self._rate_limiter.acquire(1)
        response: VectorSearchResponse = self._call(core.submit_search, query, top_k, shard_ids, routing_context, 0)
        return response

    def batch_search(
        self,
        queries: np.ndarray,
        top_k: int = 10,
        *,
        routing_context: dict[str, object] | None = None,
        shard_ids: list[int] | None = None,
    ) -> list[VectorSearchResponse]:
        """One response a query, in their order, all from one snapshot; see AsyncUnifiedShardedReader.batch_search."""
        core = self._require()
        if self._rate_limiter is not None:
            self._rate_limiter.acquire(query_count(queries))
        if query_count(queries) == 0:
            return []
        responses: list[VectorSearchResponse] = self._call(
            core.submit_batch_search, queries, top_k, shard_ids, routing_context, 0
        )
        return responses
