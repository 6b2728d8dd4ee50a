"""Snapshots of vectors alone: readers, results, enumerations and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shardyfusion._lazy import lazy_names

if TYPE_CHECKING:
    from shardyfusion.vector.async_reader import AsyncShardedVectorReader as AsyncShardedVectorReader
    from shardyfusion.vector.config import VectorIndexConfig as VectorIndexConfig
    from shardyfusion.vector.config import VectorShardingConfig as VectorShardingConfig
    from shardyfusion.vector.config import VectorShardingSpec as VectorShardingSpec
    from shardyfusion.vector.reader import ShardedVectorReader as ShardedVectorReader
    from shardyfusion.vector.reader import VectorReaderHealth as VectorReaderHealth
    from shardyfusion.vector.types import AsyncVectorShardReader as AsyncVectorShardReader
    from shardyfusion.vector.types import AsyncVectorShardReaderFactory as AsyncVectorShardReaderFactory
    from shardyfusion.vector.types import DistanceMetric as DistanceMetric
    from shardyfusion.vector.types import SearchResult as SearchResult
    from shardyfusion.vector.types import VectorSearchResponse as VectorSearchResponse
    from shardyfusion.vector.types import VectorShardDetail as VectorShardDetail
    from shardyfusion.vector.types import VectorShardingStrategy as VectorShardingStrategy
    from shardyfusion.vector.types import VectorShardReader as VectorShardReader
    from shardyfusion.vector.types import VectorShardReaderFactory as VectorShardReaderFactory
    from shardyfusion.vector.types import VectorSnapshotInfo as VectorSnapshotInfo

_NAMES_OF = {
    "async_reader": ["AsyncShardedVectorReader"],
    "config": ["VectorIndexConfig", "VectorShardingConfig", "VectorShardingSpec"],
    "reader": ["ShardedVectorReader", "VectorReaderHealth"],
    "types": [
        "AsyncVectorShardReader",
        "AsyncVectorShardReaderFactory",
        "DistanceMetric",
        "SearchResult",
        "VectorSearchResponse",
        "VectorShardDetail",
        "VectorShardReader",
        "VectorShardReaderFactory",
        "VectorShardingStrategy",
        "VectorSnapshotInfo",
    ],
}

# Hidden from type checkers, which would take any name for one of this module.
if not TYPE_CHECKING:
    __all__ = [name for names in _NAMES_OF.values() for name in names]
    __getattr__, __dir__ = lazy_names(
        __name__, {name: f"shardyfusion.vector.{home}" for home, names in _NAMES_OF.items() for name in names}
    )
