"""What writers of single shards look like. Writers of this package take settings (SqliteFactory, ...) instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    import types
    from collections.abc import Iterable
    from pathlib import Path


class DbAdapter(Protocol):
    """A writer of one shard."""

    def __enter__(self) -> Self:
        """Returns the writer itself."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: types.TracebackType | None,
    ) -> None:
        """Closes the writer."""

    def write_batch(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Writes keys, as they are stored, and their values."""

    def flush(self) -> None:
        """Makes what was written durable, where that means something."""

    def seal(self) -> None:
        """Finishes the shard; nothing is written after that."""

    def db_bytes(self) -> int:
        """Returns the size of the finished shard in bytes, 0 when it is not known."""

    def close(self) -> None:
        """Releases what the writer holds."""


class DbAdapterFactory(Protocol):
    """What a writer takes as adapter_factory."""

    def __call__(
        self,
        *,
        db_url: str,
        local_dir: Path,
    ) -> DbAdapter:
        """Opens a writer of one shard."""
