"""ShardedReader: lookups in a snapshot, synchronous."""

from __future__ import annotations

from shardyfusion.reader._sync import ShardReaderHandle as ShardReaderHandle
from shardyfusion.reader._sync import _BaseShardedReader


class ShardedReader(_BaseShardedReader):
    """Looks keys up in the snapshot under `s3_prefix` (s3:// or file://) that is current when the reader is made.

    Thread-safe: calls of several threads run side by side. See AsyncShardedReader for the arguments; `max_workers`
    bounds shard operations in flight.
    """
