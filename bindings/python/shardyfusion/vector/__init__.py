"""Snapshots of vectors alone: readers, the writer, results, enumerations and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shardyfusion._lazy import lazy_names

if TYPE_CHECKING:
    from shardyfusion.vector.async_reader import AsyncShardedVectorReader as AsyncShardedVectorReader
    from shardyfusion.vector.config import VectorIndexConfig as VectorIndexConfig
    from shardyfusion.vector.config import VectorRecordInput as VectorRecordInput
    from shardyfusion.vector.config import VectorShardedWriteConfig as VectorShardedWriteConfig
    from shardyfusion.vector.config import VectorShardingConfig as VectorShardingConfig
    from shardyfusion.vector.config import VectorShardingSpec as VectorShardingSpec
    from shardyfusion.vector.config import VectorWriteOptions as VectorWriteOptions
    from shardyfusion.vector.reader import ShardedVectorReader as ShardedVectorReader
    from shardyfusion.vector.reader import VectorReaderHealth as VectorReaderHealth
    from shardyfusion.vector.types import AsyncVectorShardReader as AsyncVectorShardReader
    from shardyfusion.vector.types import AsyncVectorShardReaderFactory as AsyncVectorShardReaderFactory
    from shardyfusion.vector.types import DistanceMetric as DistanceMetric
    from shardyfusion.vector.types import SearchResult as SearchResult
    from shardyfusion.vector.types import VectorIndexWriter as VectorIndexWriter
    from shardyfusion.vector.types import VectorIndexWriterFactory as VectorIndexWriterFactory
    from shardyfusion.vector.types import VectorRecord as VectorRecord
    from shardyfusion.vector.types import VectorSearchResponse as VectorSearchResponse
    from shardyfusion.vector.types import VectorShardDetail as VectorShardDetail
    from shardyfusion.vector.types import VectorShardingStrategy as VectorShardingStrategy
    from shardyfusion.vector.types import VectorShardReader as VectorShardReader
    from shardyfusion.vector.types import VectorShardReaderFactory as VectorShardReaderFactory
    from shardyfusion.vector.types import VectorSnapshotInfo as VectorSnapshotInfo
    from shardyfusion.vector.writer import write_sharded as write_sharded

_NAMES_OF = {
    "async_reader": [
        "AsyncShardedVectorReader",
    ],
    "config": [
        "VectorIndexConfig",
        "VectorRecordInput",
        "VectorShardedWriteConfig",
        "VectorShardingConfig",
        "VectorShardingSpec",
        "VectorWriteOptions",
    ],
    "reader": [
        "ShardedVectorReader",
        "VectorReaderHealth",
    ],
    "types": [
        "AsyncVectorShardReader",
        "AsyncVectorShardReaderFactory",
        "DistanceMetric",
        "SearchResult",
        "VectorIndexWriter",
        "VectorIndexWriterFactory",
        "VectorRecord",
        "VectorSearchResponse",
        "VectorShardDetail",
        "VectorShardReader",
        "VectorShardReaderFactory",
        "VectorShardingStrategy",
        "VectorSnapshotInfo",
    ],
    "writer": [
        "write_sharded",
    ],
}

# Hidden from type checkers, which would take any name for one of this module.
if not TYPE_CHECKING:
    __all__ = [name for names in _NAMES_OF.values() for name in names]
    __getattr__, __dir__ = lazy_names(
        __name__, {name: f"shardyfusion.vector.{home}" for home, names in _NAMES_OF.items() for name in names}
    )
