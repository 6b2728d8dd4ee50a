"""What the readers of snapshots of vectors alone share."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from shardyfusion._shardyfusion import Reader, Snapshot
from shardyfusion.errors import ConfigValidationError, InvalidArgumentError, ReaderStateError
from shardyfusion.metrics import MetricEvent
from shardyfusion.reader._base import threshold_of
from shardyfusion.reader._lifecycle import Lifecycle
from shardyfusion.reader._source import Source
from shardyfusion.vector.types import (
    DistanceMetric,
    VectorSearchResponse,
    VectorShardDetail,
    VectorShardingStrategy,
    VectorSnapshotInfo,
)

if TYPE_CHECKING:
    from shardyfusion import _arrays as np
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import S3ConnectionOptions

Chosen: TypeAlias = tuple[list[int] | None, dict[str, Any] | None, int]

_logger = logging.getLogger("shardyfusion")


@dataclass(slots=True, frozen=True)
class VectorReaderHealth:
    """State of a reader: degraded when its manifest is older than asked for, unhealthy when closed or never opened.

    What a reader that serves nothing has no value for is None.
    """

    status: Literal["healthy", "degraded", "unhealthy"]
    manifest_ref: str | None
    manifest_age_seconds: float | None
    num_shards: int
    is_closed: bool


def probes_of(num_probes: int | None) -> int:
    """The core's number: 0 is that of the manifest. InvalidArgumentError below 1."""
    if num_probes is None:
        return 0
    if isinstance(num_probes, bool) or not hasattr(num_probes, "__index__") or num_probes < 1:
        raise InvalidArgumentError(f"num_probes must be an int of at least 1, or None, not {num_probes!r}")
    return num_probes


def _cache_limit(max_cached_shards: int | None) -> int:
    if max_cached_shards is None:
        return 0
    if isinstance(max_cached_shards, bool) or not isinstance(max_cached_shards, int) or max_cached_shards > 2**31 - 1:
        raise InvalidArgumentError(f"max_cached_shards must be an int or None, not {max_cached_shards!r}")
    return max(0, max_cached_shards)


class _VectorReading(Lifecycle):
    """A reader of vectors. A snapshot with keys beside them is read as one whose shards are named by each search."""

    def __init__(
        self,
        *,
        s3_prefix: str,
        local_root: str,
        reader_factory: object | None,
        manifest_store: object | None,
        max_concurrency: int | None,
        max_fallback_attempts: int,
        preload_shards: bool,
        max_cached_shards: int | None,
        metrics_collector: MetricsCollector | None,
        rate_limiter: RateLimiter | None,
        credential_provider: CredentialProvider | None,
        s3_connection_options: S3ConnectionOptions | None,
    ) -> None:
        source = Source(
            self._waiting,
            s3_prefix=s3_prefix,
            local_root=os.fspath(local_root) if isinstance(local_root, os.PathLike) else local_root,
            manifest_store=manifest_store,
            current_pointer_key="_CURRENT",
            reader_factory=reader_factory,
            slate_env_file=None,
            credential_provider=credential_provider,
            s3_connection_options=s3_connection_options,
            max_concurrency=max_concurrency,
            max_fallback_attempts=max_fallback_attempts,
            vectors_alone=True,
            opens_shards_late=not preload_shards,
            max_open_shards=_cache_limit(max_cached_shards),
        )
        self._s3_prefix = s3_prefix
        super().__init__(source, metrics_collector=metrics_collector, rate_limiter=rate_limiter)

    # -- life

    def _check_opened(self, core: Reader) -> None:
        if core.snapshot().vectors() is None:
            raise ReaderStateError(
                f"{core.snapshot().info()['manifest_ref']}: this snapshot holds keys and values only, no vectors; open "
                "it with ShardedReader or AsyncShardedReader"
            )

    def _emit_opened(self, core: Reader) -> None:
        shards = core.snapshot().info()["num_dbs"]
        self._emit(MetricEvent.VECTOR_READER_INITIALIZED, {"s3_prefix": self._s3_prefix, "num_shards": shards})

    def _emit_refreshed(self, core: Reader, changed: bool) -> None:
        if changed:
            ref = core.snapshot().info()["manifest_ref"]
            self._emit(MetricEvent.VECTOR_READER_REFRESHED, {"manifest_ref": ref})

    def _emit_closed(self, shards: int) -> None:
        self._emit(MetricEvent.VECTOR_READER_CLOSED, {})

    async def _refresh_or_stay(self) -> bool:
        """As the Python project has it: whatever fails leaves the old snapshot served. The log says what it was."""
        self._require()
        try:
            return await self._refresh()
        except Exception as error:
            if self._core is None or getattr(error, "code", None) in ("CLOSED", "FORKED"):
                raise
            _logger.warning("the refresh of %s failed, and the snapshot of before is served on: %s", self, error)
            return False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._s3_prefix!r})"

    # -- search

    def _chosen(
        self,
        core: Reader,
        *,
        shard_ids: list[int] | None = None,
        num_probes: int | None = None,
        routing_context: dict[str, Any] | None = None,
    ) -> Chosen:
        """What of the arguments of a search the core is told; those that shard_ids make idle are left out."""
        probes = probes_of(num_probes)
        if shard_ids is not None:
            return shard_ids, None, 0
        _strategy_of_search(core.snapshot())
        return None, routing_context, probes

    def _emit_search(self, top_k: int, response: VectorSearchResponse) -> None:
        payload = {
            "top_k": top_k,
            "num_shards_queried": response.num_shards_queried,
            "num_results": len(response.results),
            "elapsed_ms": response.latency_ms,
        }
        self._emit(MetricEvent.VECTOR_SEARCH, payload)

    # -- inspection: no I/O, about the snapshot that is served now

    def route_vector(
        self,
        query: np.ndarray,
        *,
        num_probes: int | None = None,
        routing_context: dict[str, Any] | None = None,
    ) -> list[int]:
        """The shards that a search for `query` goes to, nearest first, those without rows too; see search.

        A query may have NaN here. ConfigValidationError where shards are named by each search (EXPLICIT).
        """
        probes = probes_of(num_probes)
        snapshot = self._require().snapshot()
        _strategy_of_search(snapshot)
        return snapshot.route_vector(query, probes, routing_context)

    def shard_for_id(self, shard_id: int) -> VectorShardDetail:
        """What the manifest says of a shard. One that it does not know has no rows, whatever its number."""
        return _detail(self._require().snapshot(), shard_id)

    def shard_details(self) -> list[VectorShardDetail]:
        """Every shard from 0 on, empty ones too."""
        snapshot = self._require().snapshot()
        return [_detail(snapshot, shard) for shard in range(snapshot.info()["num_dbs"])]

    def snapshot_info(self) -> VectorSnapshotInfo:
        """The snapshot as a whole."""
        snapshot = self._require().snapshot()
        info, vectors = snapshot.info(), snapshot.vectors()
        if vectors is None:
            raise ReaderStateError(f"{info['manifest_ref']}: the snapshot that is served now has no vectors")
        return VectorSnapshotInfo(
            run_id=info["run_id"],
            num_dbs=info["num_dbs"],
            dim=vectors["dim"],
            metric=DistanceMetric(vectors["metric"]),
            sharding=VectorShardingStrategy(vectors["sharding_strategy"] or "explicit"),
            manifest_ref=info["manifest_ref"],
            total_vectors=info["row_count"],
        )

    def health(self, *, staleness_threshold: timedelta | None = None) -> VectorReaderHealth:
        """State of the reader. Its age counts from the publication of the manifest that it serves."""
        threshold = threshold_of(staleness_threshold)
        core = self._core
        if core is None:
            return VectorReaderHealth("unhealthy", None, None, 0, self._closed)
        status, shards, is_closed, age, _ = core.health(threshold)
        return VectorReaderHealth(status, core.snapshot().info()["manifest_ref"], age, shards, is_closed)


def _strategy_of_search(snapshot: Snapshot) -> None:
    """ConfigValidationError when the snapshot has no strategy of its own that could choose shards."""
    vectors = snapshot.vectors()
    if vectors is None or vectors["sharding_strategy"] in (None, "explicit"):
        raise ConfigValidationError(
            f"{snapshot.info()['manifest_ref']}: its vectors are in no shards that a query could be sent to (EXPLICIT "
            "sharding); name them by shard_ids"
        )


def _detail(snapshot: Snapshot, shard_id: int) -> VectorShardDetail:
    if not 0 <= shard_id < snapshot.info()["num_dbs"]:
        return VectorShardDetail(shard_id, None, 0, None)
    shard = snapshot.shard(shard_id)
    return VectorShardDetail(shard["db_id"], shard["db_url"], shard["row_count"], shard["checkpoint_id"])
