"""How keys find their shard."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from .manifest import RequiredShardMeta
    from .type_defs import KeyInput


class ShardLookup(Protocol):
    """What knows the shards of a snapshot."""

    def get_shard(self, db_id: int) -> RequiredShardMeta:
        """Returns what the manifest says of a shard; one that it does not name is empty."""


def canonical_bytes(key: KeyInput) -> bytes:
    """Returns the bytes of a key that are hashed: an int as 8 bytes, little-endian and signed, text as UTF-8."""
    if isinstance(key, int):
        try:
            return key.to_bytes(8, "little", signed=True)
        except OverflowError:
            raise ValueError(f"a key that is hashed must be from -2^63 to 2^63-1, got {key}") from None
    if isinstance(key, str):
        return key.encode("utf-8")
    if isinstance(key, (bytes, bytearray)):
        return bytes(key)
    raise ValueError(f"a key must be int, str or bytes, got {type(key).__name__}")
