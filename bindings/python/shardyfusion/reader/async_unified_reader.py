"""AsyncUnifiedShardedReader: lookups and vector search in one snapshot, for asyncio."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shardyfusion._shardyfusion import Reader
from shardyfusion.reader._base import query_count, vector_meta_of
from shardyfusion.reader.async_reader import AsyncShardedReader

if TYPE_CHECKING:
    from shardyfusion import _arrays as np
    from shardyfusion.reader._results import UnifiedVectorMeta
    from shardyfusion.vector.types import VectorSearchResponse


class AsyncUnifiedShardedReader(AsyncShardedReader):
    """Looks keys up and searches vectors in one snapshot; what holds them is told by the manifest. Make it with `open`.

    See AsyncShardedReader. `get` and `search` always see the same snapshot.
    """

    def _check_opened(self, core: Reader) -> None:
        super()._check_opened(core)
        vector_meta_of(core.snapshot())

    @property
    def vector_meta(self) -> UnifiedVectorMeta:
        """What the manifest says of the vectors."""
        return vector_meta_of(self._require().snapshot())

    async def search(
        self,
        query: np.ndarray,
        top_k: int = 10,
        *,
        routing_context: dict[str, object] | None = None,
        shard_ids: list[int] | None = None,
    ) -> VectorSearchResponse:
        """The `top_k` vectors nearest to `query`, exact, nearest first: a score is a distance, lower is better.

        `query` is one vector: any buffer of float32 or float64 (a numpy array, strided too), or a sequence of numbers.
        Searched are `shard_ids` (an empty list: none), else the shard of `routing_context`, else all. Units of the
        score: cosine 1 - cos; l2 the root of the sum of squares, in LanceDB's shards the sum; dot_product 1 - dot.
        """
        core = self._require()
        if self._rate_limiter is not None:
            await self._rate_limiter.acquire_async(1)
        response: VectorSearchResponse = await self._source.call(
            core, core.submit_search, query, top_k, shard_ids, routing_context, 0
        )
        return response

    async def batch_search(
        self,
        queries: np.ndarray,
        top_k: int = 10,
        *,
        routing_context: dict[str, object] | None = None,
        shard_ids: list[int] | None = None,
    ) -> list[VectorSearchResponse]:
        """One response a query, in their order, all from one snapshot and computed together.

        `queries` is a buffer of shape (queries, dimension), or a sequence of vectors.
        """
        core = self._require()
        if self._rate_limiter is not None:
            await self._rate_limiter.acquire_async(query_count(queries))
        if query_count(queries) == 0:
            return []
        responses: list[VectorSearchResponse] = await self._source.call(
            core, core.submit_batch_search, queries, top_k, shard_ids, routing_context, 0
        )
        return responses
