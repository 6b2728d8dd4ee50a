"""What all readers of keys share: what they say of their snapshot, and where keys go."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from shardyfusion._shardyfusion import Reader, Snapshot
from shardyfusion.errors import ConfigValidationError
from shardyfusion.metrics import MetricEvent
from shardyfusion.reader._lifecycle import Lifecycle
from shardyfusion.reader._results import ReaderHealth, ShardDetail, SnapshotInfo, UnifiedVectorMeta
from shardyfusion.reader._source import Source
from shardyfusion.sharding_types import KeyEncoding, ShardHashAlgorithm, ShardingStrategy
from shardyfusion.vector.types import DistanceMetric

if TYPE_CHECKING:
    from shardyfusion._rate_limiter import RateLimiter
    from shardyfusion.manifest import RequiredShardMeta
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.type_defs import KeyInput

_VECTOR_ONLY = 3  # SHF_KIND_VECTOR_ONLY
_SHARDINGS = {1: ShardingStrategy.HASH, 2: ShardingStrategy.CEL}


def _key_of_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def query_count(queries: Any) -> int:
    """How many queries there are; 1 for what is no sequence of queries, which the core refuses in its words."""
    try:
        return len(queries)
    except TypeError:
        return 1


def threshold_of(staleness_threshold: timedelta | None) -> int:
    """The threshold of a health call in the core's milliseconds. ConfigValidationError when it is none."""
    if staleness_threshold is None:
        return 0
    if not isinstance(staleness_threshold, timedelta):
        raise ConfigValidationError(f"staleness_threshold must be a timedelta or None, not {staleness_threshold!r}")
    return max(1, round(staleness_threshold.total_seconds() * 1000))


def vector_meta_of(snapshot: Snapshot) -> UnifiedVectorMeta:
    """What the manifest says of the vectors. ConfigValidationError for a snapshot without them."""
    vectors = snapshot.vectors()
    if vectors is None:
        raise ConfigValidationError(
            f"{snapshot.info()['manifest_ref']}: this snapshot holds keys and values only, no vectors; open it with "
            "ShardedReader or AsyncShardedReader"
        )
    return UnifiedVectorMeta(
        dim=vectors["dim"],
        metric=DistanceMetric(vectors["metric"]),
        index_type=vectors["index_type"],
        quantization=vectors["quantization"],
        index_params=json.loads(vectors["index_params"] or "{}"),
        backend=vectors["backend"],
        kv_backend=vectors["kv_backend"],
    )


class _BaseReader(Lifecycle):
    """What the readers of keys share."""

    _get: Callable[..., Any]
    _multi_get: Callable[..., Any]

    def __init__(
        self,
        source: Source,
        *,
        s3_prefix: str,
        local_root: str,
        metrics_collector: MetricsCollector | None,
        rate_limiter: RateLimiter | None,
    ) -> None:
        self.s3_prefix = s3_prefix
        self.local_root = local_root
        super().__init__(source, metrics_collector=metrics_collector, rate_limiter=rate_limiter)

    # -- the core's calls that `get` and `multi_get` make without asking for the state; unusable, they raise what it is

    def _become_usable(self, core: Reader) -> None:
        self._get = core.get
        self._multi_get = core.multi_get

    def _become_unusable(self) -> None:
        self._get = self._multi_get = self._refuse

    def _check_opened(self, core: Reader) -> None:
        info = core.snapshot().info()
        if info["kind"] == _VECTOR_ONLY:
            raise ConfigValidationError(
                f"the snapshot {info['manifest_ref']} holds vectors only, no keys; open it with ShardedVectorReader or "
                "AsyncShardedVectorReader"
            )

    def _emit_opened(self, core: Reader) -> None:
        self._emit(MetricEvent.READER_INITIALIZED, {})

    def _emit_refreshed(self, core: Reader, changed: bool) -> None:
        self._emit(MetricEvent.READER_REFRESHED, {"changed": changed})

    def _emit_closed(self, shards: int) -> None:
        self._emit(MetricEvent.READER_CLOSED, {"num_handles": shards})

    def _emit_get(self, began: float, found: bool) -> None:
        self._emit(MetricEvent.READER_GET, {"duration_ms": int((time.perf_counter() - began) * 1000), "found": found})

    def _emit_multi_get(self, began: float, keys: int) -> None:
        milliseconds = int((time.perf_counter() - began) * 1000)
        self._emit(MetricEvent.READER_MULTI_GET, {"duration_ms": milliseconds, "num_keys": keys})

    # -- inspection: no I/O, about the snapshot that is served now

    @property
    def key_encoding(self) -> KeyEncoding:
        """How the keys of the snapshot are stored."""
        return KeyEncoding(self._require().snapshot().info()["key_encoding"])

    def snapshot_info(self) -> SnapshotInfo:
        """The snapshot as a whole."""
        info = self._require().snapshot().info()
        return SnapshotInfo(
            run_id=info["run_id"],
            num_dbs=info["num_dbs"],
            sharding=_SHARDINGS[info["sharding"]],
            created_at=datetime.fromisoformat(info["created_at"]),
            manifest_ref=info["manifest_ref"],
            row_count=info["row_count"],
            key_encoding=KeyEncoding(info["key_encoding"]),
            hash_algorithm=ShardHashAlgorithm(info["hash_algorithm"]),
        )

    def shard_details(self) -> list[ShardDetail]:
        """Every shard from 0 on, empty ones too."""
        snapshot = self._require().snapshot()
        shards = [snapshot.shard(shard) for shard in range(snapshot.info()["num_dbs"])]
        return [
            ShardDetail(
                db_id=shard["db_id"],
                row_count=shard["row_count"],
                min_key=_key_of_json(shard["min_key"]),
                max_key=_key_of_json(shard["max_key"]),
                db_url=shard["db_url"],
            )
            for shard in shards
        ]

    def health(self, *, staleness_threshold: timedelta | None = None) -> ReaderHealth:
        """State of the reader. Its age counts from the publication of the manifest that it serves."""
        threshold = threshold_of(staleness_threshold)
        core = self._core
        if core is None:
            return ReaderHealth("unhealthy", "", timedelta(0), 0, self._closed)
        status, shards, is_closed, age, _ = core.health(threshold)
        ref = core.snapshot().info()["manifest_ref"]
        return ReaderHealth(status, ref, timedelta(seconds=round(age, 2)), shards, is_closed)

    def route_key(self, key: KeyInput, *, routing_context: dict[str, object] | None = None) -> int:
        """The shard that holds `key`, if any does."""
        return self._require().snapshot().route(key, routing_context)

    def shard_for_key(self, key: KeyInput, *, routing_context: dict[str, object] | None = None) -> RequiredShardMeta:
        """What the manifest says of the shard of `key`."""
        snapshot = self._require().snapshot()
        return _shard_meta(snapshot, snapshot.route(key, routing_context))

    def shards_for_keys(self, keys: Sequence[KeyInput]) -> dict[KeyInput, RequiredShardMeta]:
        """What the manifest says of the shards of `keys`."""
        snapshot = self._require().snapshot()
        ids = {key: snapshot.route(key) for key in keys}
        shards = {shard: _shard_meta(snapshot, shard) for shard in set(ids.values())}
        return {key: shards[shard] for key, shard in ids.items()}


def _shard_meta(snapshot: Snapshot, shard: int) -> RequiredShardMeta:
    from shardyfusion.manifest import RequiredShardMeta, WriterInfo

    known = snapshot.shard(shard)
    known["min_key"] = _key_of_json(known["min_key"])
    known["max_key"] = _key_of_json(known["max_key"])
    known["writer_info"] = WriterInfo(**json.loads(known["writer_info"] or "{}"))
    return RequiredShardMeta(**known)
