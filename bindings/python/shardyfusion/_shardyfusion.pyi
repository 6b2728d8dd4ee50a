"""The C core. Private: its names change without notice.

A `submit_*` method starts an operation whose completion goes to `queue`, and returns it; None when the core has no
place for it now (call again once something has finished). Arguments are copied. Exceptions are those of
shardyfusion.errors.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias, final

_Buffer: TypeAlias = bytes | bytearray | memoryview

WOULD_WAIT: Final[Any]
"""What `get`, `multi_get` and `get_stored` return when they cannot answer at once: submit instead."""

def version() -> str:
    """Version of the C library, "MAJOR.MINOR.PATCH"."""

@final
class Runtime:
    """Threads, connections and the memory budget. 0 = the core's default. `log(level, text)` gets messages of the
    core's threads, but only in calls of drain and wait, on the thread that makes them; levels 1 error to 4 debug."""

    def __new__(
        cls,
        *,
        worker_threads: int = 0,
        memory_budget_bytes: int = 0,
        max_inflight_ops: int = 0,
        log_level: int = 0,
        log: Callable[[int, str], None] | None = None,
    ) -> Runtime: ...
    def stats(self) -> dict[str, int]:
        """The counters of shf_runtime_stats."""

    def close(self) -> bool:
        """Stops the threads; False, and nothing happens, while something of it is in use."""

    def last_thread(self) -> None:
        """Says that this thread ends the interpreter: others stand still in their next drain or wait."""

@final
class Queue:
    """Where completions go. One thread, or the thread of one event loop, uses it."""

    def __new__(cls, runtime: Runtime, capacity: int = 0) -> Queue: ...
    def fileno(self) -> int:
        """A descriptor that becomes readable when `drain` has something to do."""

    def drain(self) -> int:
        """Hands every completion to its operation, and so to its future. How many there were."""

    def cancel(self) -> None:
        """Asks the core to stop what is on its way. Any thread."""

    def abandon(self, forever: bool = False, /) -> bool:
        """Cancels what is on its way, and tells nobody. True once the queue is closed; False: something still runs.
        forever: for the end of the program; what waits is not let go either, so that no task complains, and the queue
        stays open for the loop that watches it."""

@final
class Operation:
    """A submitted call."""

    future: Any
    """An asyncio future that is given the result or the exception; None = keep it for `result`."""
    @property
    def done(self) -> bool: ...
    def cancel(self) -> None:
        """Asks the core to stop it, and drops its future and what it gives all the same."""

    def result(self) -> Any:
        """The result of a finished operation without a future, or its exception; once."""

    def wait(self) -> Any:
        """Waits, without the interpreter's lock, and returns the result. A signal's exception cancels the operation."""

@final
class Reader:
    """An open reader. Any thread may use it; it is closed when it is freed."""

    @classmethod
    def submit_open(cls, queue: Queue, options: dict[str, Any], /) -> Operation | None:
        """Result: a Reader. Options as in shf_reader_options; "s3": a dict as in shf_s3_options."""

    def get(self, key: int | str | bytes, context: dict[str, object] | None = None, /) -> Any:
        """bytes, None when the key is absent, or WOULD_WAIT."""

    def multi_get(self, keys: Sequence[int | str | bytes], context: dict[str, object] | None = None, /) -> Any:
        """A dict from the keys to bytes or None, or WOULD_WAIT."""

    def submit_get(
        self, queue: Queue, key: int | str | bytes, context: dict[str, object] | None = None, /
    ) -> Operation | None: ...
    def submit_multi_get(
        self, queue: Queue, keys: Sequence[int | str | bytes], context: dict[str, object] | None = None, /
    ) -> Operation | None: ...
    def submit_search(
        self,
        queue: Queue,
        query: object,
        top_k: int,
        shard_ids: Sequence[int] | None,
        context: dict[str, object] | None,
        num_probes: int,
        /,
    ) -> Operation | None:
        """Result: a VectorSearchResponse."""

    def submit_batch_search(
        self,
        queue: Queue,
        queries: object,
        top_k: int,
        shard_ids: Sequence[int] | None,
        context: dict[str, object] | None,
        num_probes: int,
        /,
    ) -> Operation | None:
        """Result: a list of VectorSearchResponse."""

    def submit_refresh(self, queue: Queue, manifest_ref: str = ..., manifest: bytes = ..., /) -> Operation | None:
        """Result: whether another snapshot is served now. With a manifest: goes over to that one."""

    def submit_close(self, queue: Queue, /) -> Operation | None:
        """Result: None, once running operations are over."""

    def set_credentials(
        self, access_key_id: str | None, secret_access_key: str | None, session_token: str | None = None, /
    ) -> None:
        """For the requests made from now on."""

    def snapshot(self) -> Snapshot:
        """The snapshot that is served now."""

    def health(self, staleness_threshold_ms: int, /) -> tuple[Any, int, bool, float, int]:
        """Status, shards, whether it is closed, age of the manifest in seconds, open shards. A threshold of 0 judges no
        age."""

@final
class Snapshot:
    """One pinned snapshot: no I/O but in lookups of shards that are not open yet. Keeps its shards open."""

    def info(self) -> dict[str, Any]:
        """As in shf_snapshot_info."""

    def shard(self, shard: int, /) -> dict[str, Any]:
        """What the manifest says of a shard; min_key, max_key and writer_info are JSON text or None."""

    def vectors(self) -> dict[str, Any] | None:
        """What the manifest says of the vectors; None when there are none."""

    def route(self, key: int | str | bytes, context: dict[str, object] | None = None, /) -> int:
        """The shard of a key."""

    def route_vector(self, query: object, num_probes: int, context: dict[str, object] | None, /) -> list[int]:
        """The shards that a search goes to, empty ones too; 0 probes: as many as the manifest says. None will do for a
        query that the sharding does not look at."""

    def get_stored(self, shard: int, keys: Sequence[bytes], /) -> Any:
        """A dict from stored keys to bytes or None, or WOULD_WAIT."""

    def submit_get_stored(self, queue: Queue, shard: int, keys: Sequence[bytes], /) -> Operation | None: ...

@final
class Writer:
    """An open writer of one snapshot. Any thread may use it; it is closed when it is freed."""

    @classmethod
    def submit_open(cls, queue: Queue, options: dict[str, Any], /) -> Operation | None:
        """Result: a Writer. Options as in shf_writer_options; "s3": a dict as in shf_s3_options; "centroids" and
        "hyperplanes": arrays or sequences of sequences."""

    @property
    def run_id(self) -> str:
        """The run's name, as given or made."""

    def submit_write(
        self,
        queue: Queue,
        keys: Sequence[int | str | bytes] | None,
        values: Sequence[_Buffer] | None,
        vectors: Sequence[object] | None,
        ids: Sequence[int | str | None] | None,
        payloads: Sequence[str | None] | None,
        contexts: Sequence[dict[str, object] | None] | None,
        shards: Sequence[int | None] | None,
        first: int,
        /,
    ) -> Operation | None:
        """Rows by columns, 1 to 65,536 of them; all are taken or none. Result: None, once the next ones may come.

        An id of None is the key, a payload the text of a JSON object; these three are None without vectors. contexts:
        columns that the sharding reads; None: the keys alone route. Keys and values are None in snapshots of vectors
        alone; shards are for those where each row names its own. `first` is the number of the first row, for messages.
        """

    def submit_publish(self, queue: Queue, /) -> Operation | None:
        """Result: a dict as in shf_publish_info, with "shards": those that are not empty, as in Snapshot.shard.

        An exception has `manifest_ref` when the manifest is stored and only _CURRENT could not be written.
        """

    def submit_close(self, queue: Queue, /) -> Operation | None:
        """Result: None. What was not published is given up."""

    def progress(self) -> dict[str, Any]:
        """As in shf_writer_progress; "phase" is write, sort, build, publish, done or failed."""

@final
class Expression:
    """A compiled CEL expression."""

    @classmethod
    def compile(cls, text: str, columns: tuple[tuple[str, int], ...], /) -> Expression:
        """columns: names and SHF_CONTEXT_* kinds."""

    def evaluate(self, context: dict[str, object], /) -> int | str | bytes: ...
