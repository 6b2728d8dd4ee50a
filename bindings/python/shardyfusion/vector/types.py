"""Results, enumerations and protocols of vector search."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, unique
from typing import TYPE_CHECKING, Any, Protocol, Self

from shardyfusion import _arrays as np

if TYPE_CHECKING:
    from pathlib import Path

    from shardyfusion.type_defs import Manifest

    from .config import VectorIndexConfig


@unique
class DistanceMetric(str, Enum):
    """How far two vectors are apart; less is nearer in all of them."""

    COSINE = "cosine"
    L2 = "l2"
    DOT_PRODUCT = "dot_product"


@unique
class VectorShardingStrategy(str, Enum):
    """What decides the shard of a vector."""

    CLUSTER = "cluster"
    LSH = "lsh"
    EXPLICIT = "explicit"
    CEL = "cel"


@dataclass
class VectorRecord:
    """One vector to be written. shard_id is for EXPLICIT sharding, routing_context (column -> value) for CEL."""

    id: int | str
    vector: np.ndarray
    payload: dict[str, Any] | None = None
    shard_id: int | None = None
    routing_context: dict[str, Any] | None = None


@dataclass(slots=True, frozen=True)
class SearchResult:
    """One hit. score is a distance, lower is better; vector is always None; payload is None when there is none."""

    id: int | str
    score: float
    vector: np.ndarray | None = None
    payload: dict[str, Any] | None = None


@dataclass(slots=True, frozen=True)
class VectorSearchResponse:
    """The hits of one query, nearest first, how many shards were searched, and the time taken in milliseconds."""

    results: list[SearchResult]
    num_shards_queried: int
    latency_ms: float


@dataclass(slots=True, frozen=True)
class VectorShardDetail:
    """One shard of a vector-only snapshot. db_url is None when it is empty."""

    db_id: int
    db_url: str | None
    vector_count: int
    checkpoint_id: str | None


@dataclass(slots=True, frozen=True)
class VectorSnapshotInfo:
    """A vector-only snapshot as a whole."""

    run_id: str
    num_dbs: int
    dim: int
    metric: DistanceMetric
    sharding: VectorShardingStrategy
    manifest_ref: str
    total_vectors: int


class VectorIndexWriter(Protocol):
    """A writer of the vectors of one shard. The core writes shards itself and calls none."""

    def add_batch(self, ids: np.ndarray, vectors: np.ndarray, payloads: list[dict[str, Any]] | None = None) -> None:
        """Adds rows."""

    def flush(self) -> None:
        """Stores what was added."""

    def seal(self) -> None:
        """Ends the shard."""

    def db_bytes(self) -> int:
        """Returns its size."""

    def close(self) -> None:
        """Releases what the writer holds."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc: object) -> None: ...


class VectorIndexWriterFactory(Protocol):
    """What says how the vectors of a shard are written: a setting here, as type_defs.ShardReaderFactory is."""

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        index_config: VectorIndexConfig,
    ) -> VectorIndexWriter:
        """Opens a writer of the vectors of one shard."""


class VectorShardReader(Protocol):
    """A reader of the vectors of one shard."""

    def search(self, query: np.ndarray, top_k: int) -> list[SearchResult]:
        """Returns the top_k nearest, nearest first."""

    def close(self) -> None:
        """Releases what the reader holds."""


class VectorShardReaderFactory(Protocol):
    """What says how the vectors of a shard are read: a setting here, as type_defs.ShardReaderFactory is."""

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        index_config: VectorIndexConfig,
        manifest: Manifest,
    ) -> VectorShardReader:
        """Opens a reader of the vectors of one shard."""


class AsyncVectorShardReader(Protocol):
    """A reader of the vectors of one shard whose methods are awaited."""

    async def search(self, query: np.ndarray, top_k: int) -> list[SearchResult]:
        """Returns the top_k nearest, nearest first."""

    async def close(self) -> None:
        """Releases what the reader holds."""


class AsyncVectorShardReaderFactory(Protocol):
    """What says how the vectors of a shard are read by an asynchronous reader: a setting here."""

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        index_config: VectorIndexConfig,
        manifest: Manifest,
    ) -> AsyncVectorShardReader:
        """Opens a reader of the vectors of one shard."""
