"""Settings of LanceDB datasets, which hold the vectors of composite shards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shardyfusion._reader_choice import Connection, ReaderChoice, is_a_setting

if TYPE_CHECKING:
    from pathlib import Path

    from shardyfusion.type_defs import Manifest
    from shardyfusion.vector.types import AsyncVectorShardReader as AsyncLanceDbShardReader
    from shardyfusion.vector.types import VectorShardReader as LanceDbShardReader


class LanceDbReaderFactory:
    """Setting of readers of LanceDB datasets: the vector_factory of a CompositeReaderFactory."""

    __slots__ = ("_choice",)

    def __init__(
        self,
        s3_connection_options: Any | None = None,
        credential_provider: Any | None = None,
    ) -> None:
        connection = Connection("LanceDbReaderFactory", s3_connection_options, credential_provider)
        self._choice = ReaderChoice("lancedb", (connection,))

    def _reader_choice(self) -> ReaderChoice:
        return self._choice

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        index_config: Any,
        manifest: Manifest,
    ) -> LanceDbShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


class AsyncLanceDbReaderFactory:
    """Setting of asynchronous readers of LanceDB datasets: the vector_factory of an AsyncCompositeReaderFactory."""

    __slots__ = ("_choice",)

    def __init__(
        self,
        s3_connection_options: Any | None = None,
        credential_provider: Any | None = None,
    ) -> None:
        connection = Connection("AsyncLanceDbReaderFactory", s3_connection_options, credential_provider)
        self._choice = ReaderChoice("lancedb", (connection,))

    def _reader_choice(self) -> ReaderChoice:
        return self._choice

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        index_config: Any,
        manifest: Manifest,
    ) -> AsyncLanceDbShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)
