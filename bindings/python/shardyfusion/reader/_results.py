"""What readers tell about themselves and their snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from shardyfusion.sharding_types import KeyEncoding, ShardHashAlgorithm, ShardingStrategy
from shardyfusion.vector.types import DistanceMetric


@dataclass(slots=True, frozen=True)
class SnapshotInfo:
    """A snapshot as a whole. row_count counts the rows written, repeated keys included."""

    run_id: str
    num_dbs: int
    sharding: ShardingStrategy
    created_at: datetime
    manifest_ref: str
    row_count: int = 0
    key_encoding: KeyEncoding = KeyEncoding.U64BE
    hash_algorithm: ShardHashAlgorithm = ShardHashAlgorithm.XXH3_64


@dataclass(slots=True, frozen=True)
class ShardDetail:
    """One shard. min_key and max_key are informational (bytes keys come as text); db_url is None when it is empty."""

    db_id: int
    row_count: int
    min_key: int | float | str | bytes | None
    max_key: int | float | str | bytes | None
    db_url: str | None


@dataclass(slots=True, frozen=True)
class ReaderHealth:
    """State of a reader: degraded when its manifest is older than asked for, unhealthy when closed or never opened."""

    status: Literal["healthy", "degraded", "unhealthy"]
    manifest_ref: str
    manifest_age: timedelta
    num_shards: int
    is_closed: bool


@dataclass(slots=True, frozen=True)
class UnifiedVectorMeta:
    """What the manifest says of the vectors. backend: sqlite-vec, lancedb; kv_backend: sqlite-vec, sqlite, slatedb."""

    dim: int
    metric: DistanceMetric
    index_type: str
    quantization: str | None
    index_params: dict[str, Any]
    backend: str
    kv_backend: str
