"""Settings of composite shards: keys in one backend, vectors in another beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shardyfusion._reader_choice import ReaderChoice, choice_of, is_a_setting
from shardyfusion.config import VectorSpec
from shardyfusion.errors import ConfigValidationError, ShardyfusionError
from shardyfusion.type_defs import AsyncShardReaderFactory, ShardReaderFactory
from shardyfusion.vector.types import AsyncVectorShardReaderFactory, VectorShardReaderFactory

if TYPE_CHECKING:
    from pathlib import Path

    from shardyfusion.type_defs import AsyncShardReader as AsyncCompositeShardReader
    from shardyfusion.type_defs import Manifest
    from shardyfusion.type_defs import ShardReader as CompositeShardReader


class CompositeAdapterError(ShardyfusionError):
    """A composite shard, or a setting of one, is not as it must be."""

    retryable = False


def _composite_choice(kv_factory: object, vector_factory: object) -> ReaderChoice:
    keys = choice_of(kv_factory, "kv_factory")
    vectors = choice_of(vector_factory, "vector_factory")
    if keys.backend not in ("sqlite", "slatedb"):
        raise ConfigValidationError(
            f"kv_factory={type(kv_factory).__name__} does not read the keys of composite shards; use a factory of "
            "sqlite_adapter or SlateDbReaderFactory"
        )
    if vectors.backend != "lancedb":
        raise ConfigValidationError(
            f"vector_factory={type(vector_factory).__name__} does not read the vectors of composite shards; use "
            "LanceDbReaderFactory or AsyncLanceDbReaderFactory"
        )
    return ReaderChoice(
        "composite",
        keys.connections + vectors.connections,
        keys.access_mode,
        keys.auto_per_shard_bytes,
        keys.auto_total_bytes,
    )


@dataclass(slots=True)
class CompositeReaderFactory:
    """Setting of readers of composite shards. The vectors are read as the manifest says; vector_spec is not used."""

    kv_factory: ShardReaderFactory
    vector_factory: VectorShardReaderFactory
    vector_spec: VectorSpec

    def _reader_choice(self) -> ReaderChoice:
        return _composite_choice(self.kv_factory, self.vector_factory)

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None = None,
        manifest: Manifest,
    ) -> CompositeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class AsyncCompositeReaderFactory:
    """Setting of asynchronous readers of composite shards; see CompositeReaderFactory."""

    kv_factory: AsyncShardReaderFactory
    vector_factory: AsyncVectorShardReaderFactory
    vector_spec: VectorSpec

    def _reader_choice(self) -> ReaderChoice:
        return _composite_choice(self.kv_factory, self.vector_factory)

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None = None,
        manifest: Manifest,
    ) -> AsyncCompositeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)
