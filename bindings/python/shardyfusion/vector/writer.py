"""write_sharded: vectors in, a published snapshot of vectors alone out."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from shardyfusion._rate_limiter import TokenBucket
from shardyfusion._shardyfusion import Writer
from shardyfusion.errors import ConfigValidationError, ShardyfusionError
from shardyfusion.logging import LogContext, get_logger, log_event
from shardyfusion.metrics import MetricEvent
from shardyfusion.vector._plan import VectorPlan, plan_of
from shardyfusion.vector.config import VectorRecordInput, VectorShardedWriteConfig, VectorWriteOptions
from shardyfusion.vector.types import VectorRecord
from shardyfusion.writer._calls import close_writer, patient_call
from shardyfusion.writer._options import BATCH_BYTES
from shardyfusion.writer.python._failures import failure_of_write, open_writer, publish
from shardyfusion.writer.python._result import result_of

if TYPE_CHECKING:
    from shardyfusion.manifest import BuildResult

_logger = get_logger(__name__)


class _Batch:
    """Rows on their way to the core, by columns. batch_size rows are one write of the rate limit."""

    def __init__(self, core: Writer, config: VectorShardedWriteConfig, plan: VectorPlan) -> None:
        pace = config.rate_limits.max_writes_per_second
        self._bucket = None if pace is None else TokenBucket(pace, config.metrics_collector)
        self._batch_size = config.batch_size
        self._core = core
        self._plan = plan
        self._written = 0
        self._writes = 0
        self._size = 0
        self._vectors: list[Any] = []
        self._ids: list[Any] = []
        self._payloads: list[str | None] = []
        self._contexts: list[dict[str, Any] | None] = []
        self._shards: list[int | None] = []

    def add(self, record: VectorRecord) -> None:
        """Takes a record, and hands all over when they are enough."""
        try:
            payload = record.payload
            self._vectors.append(record.vector)
            self._ids.append(record.id)
            self._contexts.append(record.routing_context)
            self._shards.append(record.shard_id)
        except AttributeError as error:
            if isinstance(record, VectorRecord):
                raise
            raise ConfigValidationError(
                f"row {self._written + len(self._payloads) + 1}: a record must be a VectorRecord, got "
                f"{type(record).__name__}"
            ) from error
        text = None if payload is None else json.dumps(payload, default=str)
        self._payloads.append(text)
        self._size += len(text or "")
        if len(self._ids) >= self._plan.batch_rows or self._size >= BATCH_BYTES:
            self.hand_over()

    def hand_over(self) -> None:
        """Gives the rows to the core and forgets them; waits for the pace that is set, and for the disk."""
        count = len(self._ids)
        if not count:
            return
        writes = -(-(self._written + count) // self._batch_size)
        if self._bucket is not None and writes > self._writes:
            self._bucket.acquire(writes - self._writes)
        self._writes = writes
        contexts = self._contexts if self._plan.has_contexts else None
        shards = self._shards if self._plan.has_shards else None
        columns = (None, None, self._vectors, self._ids, self._payloads, contexts, shards)
        try:
            patient_call(self._core.submit_write, *columns, self._written + 1)
        except ShardyfusionError as error:
            raise failure_of_write(error) from error
        self._written += count
        self._size = 0
        for column in (self._vectors, self._ids, self._payloads, self._contexts, self._shards):
            column.clear()


class _Events:
    """What a collector, and the log, are told of a run."""

    def __init__(self, config: VectorShardedWriteConfig) -> None:
        self._collector = config.metrics_collector
        self._started = time.perf_counter()

    def elapsed_ms(self) -> int:
        return int((time.perf_counter() - self._started) * 1000)

    def tell(self, event: MetricEvent, **payload: object) -> None:
        if self._collector is not None:
            self._collector.emit(event, payload)

    def published(self, result: BuildResult) -> None:
        for shard in result.winners:
            self.tell(MetricEvent.VECTOR_SHARD_WRITE_COMPLETED, db_id=shard.db_id, row_count=shard.row_count)
        told: dict[str, Any] = {
            "run_id": result.run_id,
            "total_vectors": result.stats.rows_written,
            "num_shards": len(result.winners),
            "elapsed_ms": self.elapsed_ms(),
        }
        log_event("vector_write_completed", logger=_logger, **told)
        self.tell(MetricEvent.VECTOR_WRITE_COMPLETED, **told)


def _publish(core: Writer, events: _Events) -> BuildResult:
    published = publish(core)
    if published["training_rows"]:
        names = ("training_rows", "training_rounds", "inertia")
        log_event("centroids_trained", logger=_logger, **{name: published[name] for name in names})
    result = result_of(published, events.elapsed_ms())
    result.stats.num_attempt_results = len(result.winners) + published["shard_retries"]
    events.published(result)
    return result


def write_sharded(
    records: Iterable[VectorRecord],
    config: VectorShardedWriteConfig,
    input: VectorRecordInput | None = None,
    options: VectorWriteOptions | None = None,
) -> BuildResult:
    """Writes a snapshot of vectors alone, spread over shards as config.sharding says, and publishes it.

    records is gone through once, and never held as a whole, also where centroids are trained: what does not fit into
    memory is sorted on the local disk. Ids are all ints or all texts, and no two records have the same. The shards are
    SQLite files with sqlite-vec's tables, which readers of either project search (the Python project's with its
    SqliteVecReaderFactory). Readers see nothing before all is written.

    Trained centroids are found among a sample of the records (normalised ones where the metric is cosine): the same
    records give the same ones, in whatever order they come. They are not those of the Python project.

    Accepted and without effect: index_type, index_params and quantization of index_config, adapter.reader_factory,
    shard_id_col, and options.

    ConfigValidationError: something in config, or a record, is wrong or not supported (the message tells which), or the
    run id was used before. ShardAssignmentError: the expression of CEL sharding gives no shard for a record.
    ShardWriteError, PublishManifestError, PublishCurrentError, ManifestStoreError and S3TransientError are as of
    write_hash_sharded.
    """
    plan = plan_of(config, input or VectorRecordInput(), options or VectorWriteOptions())
    events = _Events(config)
    core = open_writer(plan.options)
    try:
        with LogContext(run_id=core.run_id):
            events.tell(MetricEvent.VECTOR_WRITE_STARTED, run_id=core.run_id)
            batch = _Batch(core, config, plan)
            for record in records:
                batch.add(record)
            batch.hand_over()
            return _publish(core, events)
    finally:
        close_writer(core)
