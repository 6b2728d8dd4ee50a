"""Readers of snapshots, their results, and settings of SlateDB shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shardyfusion._lazy import lazy_names

if TYPE_CHECKING:
    from shardyfusion.reader._factories import AsyncSlateDbReaderFactory as AsyncSlateDbReaderFactory
    from shardyfusion.reader._factories import SlateDbReaderFactory as SlateDbReaderFactory
    from shardyfusion.reader._results import ReaderHealth as ReaderHealth
    from shardyfusion.reader._results import ShardDetail as ShardDetail
    from shardyfusion.reader._results import SnapshotInfo as SnapshotInfo
    from shardyfusion.reader.async_reader import AsyncShardedReader as AsyncShardedReader
    from shardyfusion.reader.async_reader import AsyncShardReaderHandle as AsyncShardReaderHandle
    from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader as AsyncUnifiedShardedReader
    from shardyfusion.reader.concurrent_reader import ConcurrentShardedReader as ConcurrentShardedReader
    from shardyfusion.reader.reader import ShardedReader as ShardedReader
    from shardyfusion.reader.reader import ShardReaderHandle as ShardReaderHandle
    from shardyfusion.reader.unified_reader import UnifiedShardedReader as UnifiedShardedReader

_NAMES_OF = {
    "_factories": ["AsyncSlateDbReaderFactory", "SlateDbReaderFactory"],
    "_results": ["ReaderHealth", "ShardDetail", "SnapshotInfo"],
    "async_reader": ["AsyncShardReaderHandle", "AsyncShardedReader"],
    "async_unified_reader": ["AsyncUnifiedShardedReader"],
    "concurrent_reader": ["ConcurrentShardedReader"],
    "reader": ["ShardReaderHandle", "ShardedReader"],
    "unified_reader": ["UnifiedShardedReader"],
}

# Hidden from type checkers, which would take any name for one of this module.
if not TYPE_CHECKING:
    __all__ = [name for names in _NAMES_OF.values() for name in names]
    __getattr__, __dir__ = lazy_names(
        __name__, {name: f"shardyfusion.reader.{home}" for home, names in _NAMES_OF.items() for name in names}
    )
