"""What all readers share: their states, what they say of their snapshot, the steps of open, refresh and close."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from shardyfusion._runtime import Waiting, closed_at_exit
from shardyfusion._shardyfusion import Reader, Snapshot
from shardyfusion.errors import ConfigValidationError, ReaderStateError
from shardyfusion.metrics import MetricEvent
from shardyfusion.reader._hooks import Events, check_hook
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


class _BaseReader:
    """A reader before, while and after it is open. Subclasses say how calls wait."""

    _waiting: Waiting
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
        self._source = source
        check_hook("metrics_collector", metrics_collector, "emit")
        is_async = self._waiting.is_async
        check_hook("rate_limiter", rate_limiter, "acquire_async" if is_async else "acquire", is_awaited=is_async)
        self._events = None if metrics_collector is None else Events(metrics_collector)
        self._rate_limiter = rate_limiter
        self._has_hooks = metrics_collector is not None or rate_limiter is not None
        self._core: Reader | None = None
        self._closed = False
        self._refreshes_begun = 0
        self._refreshes_served = 0
        self._become_unusable()

    # -- states

    def _become_unusable(self) -> None:
        """The core's calls that `get` and `multi_get` make without asking for the state; they raise what it is."""
        self._get = self._multi_get = self._refuse

    def _refuse(self, *_arguments: Any) -> NoReturn:
        if self._closed:
            raise ReaderStateError("Reader is closed")
        raise ReaderStateError("Reader not yet initialized (use open())")

    def _require(self) -> Reader:
        return self._core if self._core is not None else self._refuse()

    def _check_opened(self, core: Reader) -> None:
        """Raises when this class of readers is not for what was opened."""

    async def _open(self) -> None:
        core = await self._source.open()
        info = core.snapshot().info()
        if info["kind"] == _VECTOR_ONLY:
            raise ConfigValidationError(
                f"the snapshot {info['manifest_ref']} holds vectors only, no keys: its readers are not offered yet"
            )
        self._check_opened(core)
        self._core = core
        self._get = core.get
        self._multi_get = core.multi_get
        closed_at_exit(self)
        self._emit(MetricEvent.READER_INITIALIZED, {})

    async def _refresh(self) -> bool:
        core = self._require()
        self._refreshes_begun += 1
        mine = self._refreshes_begun
        changed = await self._source.refresh(core, lambda: self._refreshes_served > mine)
        if changed:
            self._refreshes_served = max(self._refreshes_served, mine)
        self._emit(MetricEvent.READER_REFRESHED, {"changed": changed})
        return changed

    async def _close(self) -> None:
        core = self._core
        was_closed, self._closed = self._closed, True
        self._drop()
        if was_closed or core is None:
            return
        try:
            shards = core.snapshot().info()["num_dbs"]
        except ReaderStateError:
            return  # the parent's, in a child of fork; or another thread closes it just now
        await self._waiting.call(core.submit_close)
        self._emit(MetricEvent.READER_CLOSED, {"num_handles": shards})

    def _drop(self) -> None:
        self._core = None
        self._closed = True
        self._become_unusable()

    def _emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
        if self._events is not None:
            self._events.emit(event, payload)

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
        if staleness_threshold is not None and not isinstance(staleness_threshold, timedelta):
            raise ConfigValidationError(f"staleness_threshold must be a timedelta or None, not {staleness_threshold!r}")
        core = self._core
        if core is None:
            return ReaderHealth("unhealthy", "", timedelta(0), 0, self._closed)
        threshold = 0 if staleness_threshold is None else max(1, round(staleness_threshold.total_seconds() * 1000))
        status, shards, is_closed, age = core.health(threshold)
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
