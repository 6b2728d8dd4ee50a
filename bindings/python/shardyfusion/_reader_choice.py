"""What a reader factory chooses. The factories of this package are settings: a reader asks them, and calls none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NoReturn, TypeAlias

from shardyfusion.errors import ConfigValidationError

if TYPE_CHECKING:
    from shardyfusion.credentials import CredentialProvider
    from shardyfusion.type_defs import S3ConnectionOptions

AccessMode: TypeAlias = Literal["auto", "download", "range"]
Backend: TypeAlias = Literal["sqlite", "sqlite-vec", "slatedb", "lancedb", "composite"]

AUTO_PER_SHARD_BYTES = 16 * 1024 * 1024
AUTO_TOTAL_BYTES = 2 * 1024 * 1024 * 1024


@dataclass(slots=True, frozen=True)
class Connection:
    """How to reach the store and who asks, as far as `owner` (a name for messages) says it."""

    owner: str
    options: S3ConnectionOptions | None = None
    credential_provider: CredentialProvider | None = None
    env_file: str | None = None


@dataclass(slots=True, frozen=True)
class ReaderChoice:
    """The backend that the shards must have, how SQLite shards are read, and the connections that the factory names."""

    backend: Backend
    connections: tuple[Connection, ...]
    access_mode: AccessMode = "auto"
    auto_per_shard_bytes: float = AUTO_PER_SHARD_BYTES
    auto_total_bytes: float = AUTO_TOTAL_BYTES


def is_a_setting(factory: object, argument: str = "reader_factory") -> NoReturn:
    """Raises what calling a factory gives."""
    name = type(factory).__name__
    raise ConfigValidationError(
        f"{name} is a setting of this package, not a function: give it to a reader or writer as {argument}=, "
        "which opens the shards itself"
    )


def choice_of(factory: object, argument: str) -> ReaderChoice:
    """Returns what a factory chooses; ConfigValidationError when it is not one of this package.

    A subclass that only brings other defaults is fine; one with a __call__ of its own is not, since nobody calls it.
    """
    for base in type(factory).__mro__:
        choose = vars(base).get("_reader_choice")
        # The function that a call of the factory would run, so not callable().
        if choose is not None and getattr(type(factory), "__call__") is vars(base).get("__call__"):  # noqa: B004, B009
            choice = choose(factory)
            assert isinstance(choice, ReaderChoice)
            return choice
    name = getattr(factory, "__qualname__", type(factory).__qualname__)
    raise ConfigValidationError(
        f"{argument}={name} is not a factory of this package. The core opens the shards itself and calls no code of "
        "yours for it; use SqliteReaderFactory, SqliteRangeReaderFactory or AdaptiveSqliteReaderFactory (or the "
        "SqliteVec ones), SlateDbReaderFactory or CompositeReaderFactory to choose how, or leave it out"
    )
