"""Settings of SlateDB shards for readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shardyfusion._reader_choice import Connection, ReaderChoice, is_a_setting
from shardyfusion.credentials import CredentialProvider
from shardyfusion.errors import ConfigValidationError
from shardyfusion.type_defs import S3ConnectionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from shardyfusion.type_defs import AsyncShardReader, Manifest, ShardReader


@dataclass(slots=True)
class SlateDbReaderFactory:
    """Setting of readers of SlateDB shards.

    env_file is a file of AWS_* lines with what the other fields, and those of the reader, do not say.
    iterator_chunk_size is not used.
    """

    env_file: str | None = None
    credential_provider: CredentialProvider | None = None
    s3_connection_options: S3ConnectionOptions | None = None
    iterator_chunk_size: int = 1024

    def __post_init__(self) -> None:
        if self.iterator_chunk_size <= 0:
            raise ConfigValidationError(f"iterator_chunk_size must be > 0, got {self.iterator_chunk_size}")

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection(
            "SlateDbReaderFactory", self.s3_connection_options, self.credential_provider, self.env_file
        )
        return ReaderChoice("slatedb", (connection,))

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> ShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)

    def open_many(
        self,
        specs: list[tuple[str, Manifest]],
    ) -> list[ShardReader]:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class AsyncSlateDbReaderFactory:
    """Setting of asynchronous readers of SlateDB shards; see SlateDbReaderFactory."""

    env_file: str | None = None
    credential_provider: CredentialProvider | None = None
    s3_connection_options: S3ConnectionOptions | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection(
            "AsyncSlateDbReaderFactory", self.s3_connection_options, self.credential_provider, self.env_file
        )
        return ReaderChoice("slatedb", (connection,))

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> AsyncShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)
