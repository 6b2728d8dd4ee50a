"""The writer for records of any Python iterable."""

from __future__ import annotations

from shardyfusion.writer.python.writer import write_cel_sharded, write_hash_sharded

__all__ = ["write_cel_sharded", "write_hash_sharded"]
