"""Page sizes of SQLite shards."""

from __future__ import annotations

from typing import Literal, TypeAlias

from shardyfusion.errors import ConfigValidationError

PageSizeMode: TypeAlias = int | Literal["auto"]

PAGE_SIZES = (4096, 8192, 16384, 32768, 65536)


def checked_page_size(page_size: PageSizeMode) -> PageSizeMode:
    """Returns a page size that writers take, or raises ConfigValidationError."""
    if page_size == "auto" or (isinstance(page_size, int) and page_size in PAGE_SIZES):
        return page_size
    sizes = ", ".join(str(size) for size in PAGE_SIZES)
    raise ConfigValidationError(f"page_size must be 'auto' or one of {sizes}, got {page_size!r}")
