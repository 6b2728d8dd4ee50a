"""One run of the writer: rows go over to the core in batches, then it publishes; events and the result."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from shardyfusion._rate_limiter import TokenBucket
from shardyfusion._shardyfusion import Writer
from shardyfusion.errors import ConfigValidationError, ShardyfusionError
from shardyfusion.logging import LogContext, get_logger, log_event
from shardyfusion.metrics import MetricEvent
from shardyfusion.writer._calls import close_writer, patient_call
from shardyfusion.writer.python._failures import failure_of_write, open_writer, publish
from shardyfusion.writer.python._result import result_of

if TYPE_CHECKING:
    from shardyfusion.config import PythonRecordInput
    from shardyfusion.manifest import BuildResult
    from shardyfusion.metrics import MetricsCollector
    from shardyfusion.writer.python._plan import WriteConfig, WritePlan

T = TypeVar("T")

_logger = get_logger(__name__)


def _stored_size(key: object) -> int:
    """Bytes of a key as it is stored, for the rate limit. Of keys that are wrong anything: they are refused later."""
    if isinstance(key, str):
        return len(key.encode("utf-8", "surrogatepass"))
    return len(key) if isinstance(key, bytes) else 8


class _Batch:
    """Rows on their way to the core, by columns."""

    def __init__(self, core: Writer, config: WriteConfig, plan: WritePlan) -> None:
        limits, collector = config.rate_limits, config.metrics_collector
        rows, size = limits.max_writes_per_second, limits.max_write_bytes_per_second
        self._row_bucket = None if rows is None else TokenBucket(rows, collector)
        self._byte_bucket = None if size is None else TokenBucket(size, collector, "bytes")
        self._core = core
        self._written = 0
        self._has_vectors = plan.vector_of is not None
        self._has_contexts = plan.context_of is not None
        self.keys: list[Any] = []
        self.values: list[Any] = []
        self.ids: list[Any] = []
        self.vectors: list[Any] = []
        self.payloads: list[str | None] = []
        self.contexts: list[dict[str, object]] = []

    def add_vector(self, vector: tuple[Any, Any, dict[str, Any] | None]) -> int:
        """Adds what a record says of its vector: id (None: its key), components, payload. Returns its size."""
        identity, components, payload = vector
        text = None if payload is None else json.dumps(payload, default=str)
        self.ids.append(identity)
        self.vectors.append(components)
        self.payloads.append(text)
        return len(text or "")

    def hand_over(self) -> None:
        """Gives the rows to the core and forgets them; waits for the pace that is set, and for the disk."""
        count = len(self.keys)
        if not count:
            return
        if self._row_bucket is not None:
            self._row_bucket.acquire(count)
        if self._byte_bucket is not None:
            self._byte_bucket.acquire(sum(map(_stored_size, self.keys)) + sum(map(len, self.values)))
        beside = (self.vectors, self.ids, self.payloads) if self._has_vectors else (None, None, None)
        contexts = self.contexts if self._has_contexts else None
        try:
            patient_call(self._core.submit_write, self.keys, self.values, *beside, contexts, None, self._written + 1)
        except ShardyfusionError as error:
            raise failure_of_write(error) from error
        self._written += count
        for column in (self.keys, self.values, self.ids, self.vectors, self.payloads, self.contexts):
            column.clear()

    def refuse_value(self, value: object) -> ConfigValidationError:
        """Returns what a value without a length is answered with."""
        return ConfigValidationError(
            f"row {self._written + len(self.values)}: a value must be bytes, got {type(value).__name__}"
        )


def _feed(records: Iterable[T], input: PythonRecordInput[T], batch: _Batch, plan: WritePlan) -> None:
    key_fn, value_fn, vector_of, context_of = input.key_fn, input.value_fn, plan.vector_of, plan.context_of
    keys, values = batch.keys, batch.values
    most, most_bytes, size = plan.batch_rows, plan.batch_bytes, 0
    for record in records:
        key = key_fn(record)
        keys.append(key)
        value = value_fn(record)
        values.append(value)
        try:
            size += len(value)
        except TypeError:
            raise batch.refuse_value(value) from None
        if isinstance(key, (str, bytes)):
            size += len(key)
        if vector_of is not None:
            size += batch.add_vector(vector_of(record, key))
        if context_of is not None:
            batch.contexts.append(context_of(record))
        if len(keys) >= most or size >= most_bytes:
            batch.hand_over()
            size = 0
    batch.hand_over()


class _Events:
    """What a collector, and the log, are told of a run."""

    def __init__(self, collector: MetricsCollector | None) -> None:
        self._collector = collector
        self._started = time.perf_counter()

    def elapsed_ms(self) -> int:
        return int((time.perf_counter() - self._started) * 1000)

    def tell(self, event: MetricEvent, elapsed_ms: int, **payload: int) -> None:
        if self._collector is not None:
            self._collector.emit(event, {"elapsed_ms": elapsed_ms, **payload})

    def started(self, config: WriteConfig, num_dbs: int | None, strategy: str) -> None:
        log_event(
            "write_started",
            logger=_logger,
            num_dbs=num_dbs,
            s3_prefix=config.s3_prefix,
            strategy=strategy,
            key_encoding=config.key_encoding.value,
            writer_type="python",
        )
        self.tell(MetricEvent.WRITE_STARTED, 0)

    def published(self, result: BuildResult) -> None:
        rows, durations = result.stats.rows_written, result.stats.durations
        log_event("shard_writes_completed", logger=_logger, rows_written=rows, duration_ms=durations.write_ms)
        self.tell(
            MetricEvent.SHARD_WRITES_COMPLETED, durations.write_ms, duration_ms=durations.write_ms, rows_written=rows
        )
        log_event("manifest_published", logger=_logger, run_id=result.run_id, manifest_ref=result.manifest_ref)
        self.tell(MetricEvent.MANIFEST_PUBLISHED, durations.total_ms)
        log_event("write_completed", logger=_logger, total_ms=durations.total_ms, rows_written=rows)
        self.tell(MetricEvent.WRITE_COMPLETED, self.elapsed_ms(), rows_written=rows)


def run(records: Iterable[T], config: WriteConfig, input: PythonRecordInput[T], plan: WritePlan) -> BuildResult:
    """Writes and publishes what the plan says; see writer.py."""
    events = _Events(config.metrics_collector)
    core = open_writer(plan.options)
    try:
        with LogContext(run_id=core.run_id):
            events.started(config, plan.options["num_dbs"], "cel" if "cel_expr" in plan.options else "hash")
            _feed(records, input, _Batch(core, config, plan), plan)
            result = result_of(publish(core), events.elapsed_ms())
            events.published(result)
            return result
    finally:
        close_writer(core)
