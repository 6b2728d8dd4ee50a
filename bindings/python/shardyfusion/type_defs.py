"""Types that the other modules share."""

# No `from __future__ import annotations` here: the signatures of this module are recorded with evaluated annotations.

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol, TypeAlias, TypedDict

JsonScalar: TypeAlias = bool | int | float | str | None
JsonValue: TypeAlias = JsonScalar | list["JsonValue"] | dict[str, "JsonValue"]
JsonObject: TypeAlias = dict[str, JsonValue]

KeyInput: TypeAlias = int | str | bytes


class ShardSizeMeta(Protocol):
    """What a manifest says of the size of one shard."""

    @property
    def db_url(self) -> str | None:
        """URL of the shard's directory; None for an empty shard."""

    @property
    def db_bytes(self) -> int:
        """Size of the shard in bytes, a hint: 0 or partial for some backends."""


class BuildMeta(Protocol):
    """What a manifest says of the run that wrote it."""

    @property
    def run_id(self) -> str:
        """Name of the run."""


class Manifest(Protocol):
    """A manifest, as far as a reader factory sees it."""

    @property
    def required_build(self) -> BuildMeta:
        """The run."""

    @property
    def shards(self) -> Sequence[ShardSizeMeta]:
        """The shards that are not empty."""


class ShardReader(Protocol):
    """A reader of one shard."""

    def get(self, key: bytes) -> bytes | None:
        """Returns the value of a stored key, or None."""

    def close(self) -> None:
        """Releases what the reader holds."""


class ShardReaderFactory(Protocol):
    """What a sharded reader takes as reader_factory.

    Here the factories of this package are settings: they say which backend and access mode the core is to use, and
    are never called. Factories of other classes are refused.
    """

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> ShardReader:
        """Opens a reader of one shard."""


class AsyncShardReader(Protocol):
    """A reader of one shard whose methods are awaited."""

    async def get(self, key: bytes) -> bytes | None:
        """Returns the value of a stored key, or None."""

    async def close(self) -> None:
        """Releases what the reader holds."""


class AsyncShardReaderFactory(Protocol):
    """What an asynchronous sharded reader takes as reader_factory: a setting, as ShardReaderFactory is."""

    async def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
        checkpoint_id: str | None,
        manifest: Manifest,
    ) -> AsyncShardReader:
        """Opens a reader of one shard."""


class S3ConnectionOptions(TypedDict, total=False):
    """How to reach the store; who is asking is said by a credential provider.

    addressing_style is "auto", "path" or "virtual"; signature_version "s3v4" (nothing else is spoken); verify_ssl False
    (no check of certificates) or the path of a file of CA certificates; the time-outs are in seconds; max_attempts
    counts the first attempt.
    """

    endpoint_url: str
    region_name: str
    addressing_style: str
    signature_version: str
    verify_ssl: bool | str
    connect_timeout: int
    read_timeout: int
    max_attempts: int


@dataclass(slots=True, frozen=True)
class RetryConfig:
    """How often, and after which pauses, a failed shard is written again."""

    max_retries: int = 3
    initial_backoff: timedelta = timedelta(seconds=1)
    backoff_multiplier: float = 2.0
