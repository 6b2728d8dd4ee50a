"""Settings of SQLite shards that hold keys and vectors: how readers get at them, and how writers make them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shardyfusion._page_size import PageSizeMode, checked_page_size
from shardyfusion._reader_choice import Connection, ReaderChoice, is_a_setting
from shardyfusion._sqlite_access import _AdaptiveSetting
from shardyfusion.config import VectorSpec
from shardyfusion.credentials import CredentialProvider
from shardyfusion.errors import ShardyfusionError
from shardyfusion.type_defs import S3ConnectionOptions

if TYPE_CHECKING:
    from pathlib import Path

    from shardyfusion._adapter import DbAdapter as SqliteVecAdapter
    from shardyfusion.type_defs import AsyncShardReader as AsyncSqliteVecRangeShardReader
    from shardyfusion.type_defs import AsyncShardReader as AsyncSqliteVecShardReader
    from shardyfusion.type_defs import Manifest
    from shardyfusion.type_defs import ShardReader as SqliteVecRangeShardReader
    from shardyfusion.type_defs import ShardReader as SqliteVecShardReader

# What a row of vec0's tables takes beside the vector itself, generously.
_VECTOR_ROW_BYTES = 16


class SqliteVecAdapterError(ShardyfusionError):
    """A SQLite shard with vectors, or a setting of one, is not as it must be."""

    retryable = False


@dataclass(slots=True)
class SqliteVecFactory:
    """Setting of writers of SQLite shards with vectors, given as adapter_factory; see SqliteFactory."""

    vector_spec: VectorSpec
    page_size: PageSizeMode = 4096
    cache_size_pages: int = -2000
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None
    supports_vector_writes: bool = True
    emit_sidecar: bool = True

    def __post_init__(self) -> None:
        self.page_size = checked_page_size(self.page_size)

    def vec_payload_bytes_in_kv_db(self) -> int:
        """Returns the bytes of a vector that each row brings into the shard."""
        return 4 * self.vector_spec.dim + _VECTOR_ROW_BYTES

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        index_config: Any | None = None,
    ) -> SqliteVecAdapter:
        """Never called by writers; raises ConfigValidationError."""
        is_a_setting(self, "adapter_factory")


@dataclass(slots=True)
class SqliteVecReaderFactory:
    """Setting of readers of KV and vector SQLite shards.

    Whole files are downloaded to the reader's local cache, and read there. mmap_size is not used: the core maps whole
    files.
    """

    mmap_size: int = 268_435_456
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection("SqliteVecReaderFactory", self.s3_connection_options, self.credential_provider)
        return ReaderChoice("sqlite-vec", (connection,), "download")

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None = None,
        index_config: Any | None = None,
        manifest: Manifest | None = None,
    ) -> SqliteVecShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class AsyncSqliteVecReaderFactory:
    """Setting of asynchronous readers of KV and vector SQLite shards.

    Whole files are downloaded to the reader's local cache, and read there. mmap_size is not used: the core maps whole
    files.
    """

    mmap_size: int = 268_435_456
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection("AsyncSqliteVecReaderFactory", self.s3_connection_options, self.credential_provider)
        return ReaderChoice("sqlite-vec", (connection,), "download")

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None = None,
        index_config: Any | None = None,
        manifest: Manifest | None = None,
    ) -> AsyncSqliteVecShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class SqliteVecRangeReaderFactory:
    """Setting of readers of KV and vector SQLite shards.

    Asks for range reads; so far the core downloads whole shards all the same. page_cache_pages is not used.
    """

    page_cache_pages: int = 1024
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection("SqliteVecRangeReaderFactory", self.s3_connection_options, self.credential_provider)
        return ReaderChoice("sqlite-vec", (connection,), "range")

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None = None,
        index_config: Any | None = None,
        manifest: Manifest | None = None,
    ) -> SqliteVecRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


@dataclass(slots=True)
class AsyncSqliteVecRangeReaderFactory:
    """Setting of asynchronous readers of KV and vector SQLite shards.

    Asks for range reads; so far the core downloads whole shards all the same. page_cache_pages is not used.
    """

    page_cache_pages: int = 1024
    s3_connection_options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None

    def _reader_choice(self) -> ReaderChoice:
        connection = Connection(
            "AsyncSqliteVecRangeReaderFactory", self.s3_connection_options, self.credential_provider
        )
        return ReaderChoice("sqlite-vec", (connection,), "range")

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None = None,
        index_config: Any | None = None,
        manifest: Manifest | None = None,
    ) -> AsyncSqliteVecRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


class AdaptiveSqliteVecReaderFactory(_AdaptiveSetting):
    """Setting of readers of KV and vector SQLite shards: download or range, by the sizes in the manifest.

    Range when any shard has per_shard_threshold bytes or all have total_budget; policy, one of make_threshold_policy,
    stands in place of the two. mmap_size and page_cache_pages are not used.
    """

    __slots__ = ()
    _backend = "sqlite-vec"

    def _reader_choice(self) -> ReaderChoice:
        return self._choice

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> SqliteVecShardReader | SqliteVecRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


class AsyncAdaptiveSqliteVecReaderFactory(_AdaptiveSetting):
    """Setting of asynchronous readers of KV and vector SQLite shards: download or range, by the sizes in the manifest.

    Range when any shard has per_shard_threshold bytes or all have total_budget; policy, one of make_threshold_policy,
    stands in place of the two. mmap_size and page_cache_pages are not used.
    """

    __slots__ = ()
    _backend = "sqlite-vec"

    def _reader_choice(self) -> ReaderChoice:
        return self._choice

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> AsyncSqliteVecShardReader | AsyncSqliteVecRangeShardReader:
        """Never called by readers; raises ConfigValidationError."""
        is_a_setting(self)


def make_sqlite_vec_reader_factory(
    *,
    mode: Literal["download", "range"],
    mmap_size: int = 268_435_456,
    page_cache_pages: int = 1024,
    s3_connection_options: S3ConnectionOptions | None = None,
    credential_provider: CredentialProvider | None = None,
) -> SqliteVecReaderFactory | SqliteVecRangeReaderFactory:
    """Returns the setting for one access mode; SqliteVecAdapterError for any other."""
    if mode == "download":
        return SqliteVecReaderFactory(mmap_size, s3_connection_options, credential_provider)
    if mode == "range":
        return SqliteVecRangeReaderFactory(page_cache_pages, s3_connection_options, credential_provider)
    raise SqliteVecAdapterError(f"mode must be 'download' or 'range', got {mode!r}; for 'auto' use an adaptive factory")


def make_async_sqlite_vec_reader_factory(
    *,
    mode: Literal["download", "range"],
    mmap_size: int = 268_435_456,
    page_cache_pages: int = 1024,
    s3_connection_options: S3ConnectionOptions | None = None,
    credential_provider: CredentialProvider | None = None,
) -> AsyncSqliteVecReaderFactory | AsyncSqliteVecRangeReaderFactory:
    """Returns the setting for one access mode; SqliteVecAdapterError for any other."""
    if mode == "download":
        return AsyncSqliteVecReaderFactory(mmap_size, s3_connection_options, credential_provider)
    if mode == "range":
        return AsyncSqliteVecRangeReaderFactory(page_cache_pages, s3_connection_options, credential_provider)
    raise SqliteVecAdapterError(f"mode must be 'download' or 'range', got {mode!r}; for 'auto' use an adaptive factory")
