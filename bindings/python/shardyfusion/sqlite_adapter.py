"""Settings of SQLite shards: how readers get at them, and how writers make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from shardyfusion._page_size import PageSizeMode, checked_page_size
from shardyfusion._reader_choice import Connection, ReaderChoice, is_a_setting
from shardyfusion._sqlite_access import SqliteAccessPolicy, _AdaptiveSetting, decide_access_mode, make_threshold_policy
from shardyfusion.credentials import CredentialProvider
from shardyfusion.errors import ShardyfusionError
from shardyfusion.type_defs import S3ConnectionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from shardyfusion._adapter import DbAdapter as SqliteAdapter
    from shardyfusion.type_defs import AsyncShardReader as AsyncSqliteRangeShardReader
    from shardyfusion.type_defs import AsyncShardReader as AsyncSqliteShardReader
    from shardyfusion.type_defs import Manifest
    from shardyfusion.type_defs import ShardReader as SqliteRangeShardReader
    from shardyfusion.type_defs import ShardReader as SqliteShardReader


__all__ = [
    "AdaptiveSqliteReaderFactory",
    "AsyncAdaptiveSqliteReaderFactory",
    "AsyncSqliteRangeReaderFactory",
    "AsyncSqliteReaderFactory",
    "SidecarUnavailableError",
    "SqliteAccessPolicy",
    "SqliteAdapterError",
    "SqliteFactory",
    "SqliteRangeReaderFactory",
    "SqliteReaderFactory",
    "decide_access_mode",
    "make_async_sqlite_reader_factory",
    "make_sqlite_reader_factory",
    "make_threshold_policy",
]


class SqliteAdapterError(ShardyfusionError):
    """A SQLite shard, or a setting of one, is not as it must be."""

    retryable = False


class SidecarUnavailableError(SqliteAdapterError):
    """No sidecar can be made of a shard."""

    retryable = False


@dataclass(slots=True)
class SqliteFactory:
    """Setting of writers of SQLite shards, given as adapter_factory.

    page_size is 4096 to 65536, or "auto": the smallest one whose pages hold most values. emit_sidecar says whether
    shard.sidecar, which makes range reads cheap, is stored beside each shard. cache_size_pages is not used.
    """

    page_size: PageSizeMode = 4096
    cache_size_pages: int = -2000
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None
    emit_sidecar: bool = True

    def __post_init__(self) -> None:
        self.page_size = checked_page_size(self.page_size)

    def vec_payload_bytes_in_kv_db(self) -> int:
        """Returns the bytes of a vector that each row brings into the shard: none."""
        return 0

    def __call__(self, *, db_url: str, local_dir: Path) -> SqliteAdapter:
        """Never called by writers; raises ConfigValidationError."""
        is_a_setting(self, "adapter_factory")


@dataclass(slots=True)
class SqliteReaderFactory:
    """Setting of readers of SQLite shards.

    Whole files are downloaded to the reader's local cache, and read there. mmap_size is not used: the core maps whole
    files.
    """

    mmap_size: int = 268_435_456
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection("SqliteReaderFactory", self.s3_connection_options, self.credential_provider)
        return ReaderChoice("sqlite", (connection,), "download")

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> SqliteShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class AsyncSqliteReaderFactory:
    """Setting of asynchronous readers of SQLite shards.

    Whole files are downloaded to the reader's local cache, and read there. mmap_size is not used: the core maps whole
    files.
    """

    mmap_size: int = 268_435_456
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection("AsyncSqliteReaderFactory", self.s3_connection_options, self.credential_provider)
        return ReaderChoice("sqlite", (connection,), "download")

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> AsyncSqliteShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class SqliteRangeReaderFactory:
    """Setting of readers of SQLite shards.

    Asks for range reads; so far the core downloads whole shards all the same. page_cache_pages is not used.
    """

    page_cache_pages: int = 1024
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection("SqliteRangeReaderFactory", self.s3_connection_options, self.credential_provider)
        return ReaderChoice("sqlite", (connection,), "range")

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> SqliteRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class AsyncSqliteRangeReaderFactory:
    """Setting of asynchronous readers of SQLite shards.

    Asks for range reads; so far the core downloads whole shards all the same. page_cache_pages is not used.
    """

    page_cache_pages: int = 1024
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection("AsyncSqliteRangeReaderFactory", self.s3_connection_options, self.credential_provider)
        return ReaderChoice("sqlite", (connection,), "range")

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> AsyncSqliteRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


class AdaptiveSqliteReaderFactory(_AdaptiveSetting):
    """Setting of readers of SQLite shards: download or range, by the sizes in the manifest.

    Range when any shard has per_shard_threshold bytes or all have total_budget; policy, one of make_threshold_policy,
    stands in place of the two. mmap_size and page_cache_pages are not used.
    """

    __slots__ = ()
    _backend = "sqlite"

    def _reader_choice(self) -> ReaderChoice:
        return self._choice

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> SqliteShardReader | SqliteRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


class AsyncAdaptiveSqliteReaderFactory(_AdaptiveSetting):
    """Setting of asynchronous readers of SQLite shards: download or range, by the sizes in the manifest.

    Range when any shard has per_shard_threshold bytes or all have total_budget; policy, one of make_threshold_policy,
    stands in place of the two. mmap_size and page_cache_pages are not used.
    """

    __slots__ = ()
    _backend = "sqlite"

    def _reader_choice(self) -> ReaderChoice:
        return self._choice

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> AsyncSqliteShardReader | AsyncSqliteRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


def make_sqlite_reader_factory(
    *,
    mode: Literal["download", "range"],
    mmap_size: int = 268_435_456,
    page_cache_pages: int = 1024,
    s3_connection_options: S3ConnectionOptions | None = None,
    credential_provider: CredentialProvider | None = None,
) -> SqliteReaderFactory | SqliteRangeReaderFactory:
    """Returns the setting for one access mode; SqliteAdapterError for any other."""
    if mode == "download":
        return SqliteReaderFactory(mmap_size, s3_connection_options, credential_provider)
    if mode == "range":
        return SqliteRangeReaderFactory(page_cache_pages, s3_connection_options, credential_provider)
    raise SqliteAdapterError(f"mode must be 'download' or 'range', got {mode!r}; for 'auto' use an adaptive factory")


def make_async_sqlite_reader_factory(
    *,
    mode: Literal["download", "range"],
    mmap_size: int = 268_435_456,
    page_cache_pages: int = 1024,
    s3_connection_options: S3ConnectionOptions | None = None,
    credential_provider: CredentialProvider | None = None,
) -> AsyncSqliteReaderFactory | AsyncSqliteRangeReaderFactory:
    """Returns the setting for one access mode; SqliteAdapterError for any other."""
    if mode == "download":
        return AsyncSqliteReaderFactory(mmap_size, s3_connection_options, credential_provider)
    if mode == "range":
        return AsyncSqliteRangeReaderFactory(page_cache_pages, s3_connection_options, credential_provider)
    raise SqliteAdapterError(f"mode must be 'download' or 'range', got {mode!r}; for 'auto' use an adaptive factory")
