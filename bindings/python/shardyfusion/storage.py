"""Objects by URL: what stores of manifests are built on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol
from urllib.parse import urlsplit


class StorageBackend(Protocol):
    """A store of objects, each with an s3:// URL."""

    def put(self, url: str, payload: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Stores an object, in place of one that is there."""

    def get(self, url: str) -> bytes:
        """Returns an object; an error when there is none."""

    def try_get(self, url: str) -> bytes | None:
        """Returns an object, or None."""

    def list_prefixes(self, prefix_url: str) -> list[str]:
        """Returns the URLs of the "directories" directly below a prefix, in order."""

    def delete_prefix(self, prefix_url: str) -> int:
        """Removes all objects whose URL begins with the prefix, and returns how many."""


class AsyncStorageBackend(Protocol):
    """A store of objects whose methods are awaited; see StorageBackend."""

    async def put(self, url: str, payload: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Stores an object, in place of one that is there."""

    async def get(self, url: str) -> bytes:
        """Returns an object; an error when there is none."""

    async def try_get(self, url: str) -> bytes | None:
        """Returns an object, or None."""

    async def list_prefixes(self, prefix_url: str) -> list[str]:
        """Returns the URLs of the "directories" directly below a prefix, in order."""

    async def delete_prefix(self, prefix_url: str) -> int:
        """Removes all objects whose URL begins with the prefix, and returns how many."""


class MemoryBackend:
    """A store in memory, for tests. get raises FileNotFoundError."""

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}

    def put(self, url: str, payload: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Stores an object, in place of one that is there; what it is is not kept."""
        self._objects[url] = bytes(payload)

    def get(self, url: str) -> bytes:
        """Returns an object; FileNotFoundError when there is none."""
        payload = self._objects.get(url)
        if payload is None:
            raise FileNotFoundError(url)
        return payload

    def try_get(self, url: str) -> bytes | None:
        """Returns an object, or None."""
        return self._objects.get(url)

    def list_prefixes(self, prefix_url: str) -> list[str]:
        """Returns the URLs, each ending in "/", of the "directories" directly below a prefix, in order."""
        below = prefix_url.rstrip("/") + "/"
        names = (url.removeprefix(below).partition("/") for url in list(self._objects) if url.startswith(below))
        return sorted({f"{below}{name}/" for name, slash, _ in names if slash})

    def delete_prefix(self, prefix_url: str) -> int:
        """Removes all objects whose URL begins with the prefix, and returns how many."""
        urls = [url for url in list(self._objects) if url.startswith(prefix_url)]
        return sum(self._objects.pop(url, None) is not None for url in urls)


class AsyncMemoryBackend:
    """A store in memory, for tests, whose methods are awaited. get raises FileNotFoundError."""

    def __init__(self) -> None:
        self._backend = MemoryBackend()

    async def put(self, url: str, payload: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        """Stores an object, in place of one that is there; what it is is not kept."""
        self._backend.put(url, payload, content_type, headers)

    async def get(self, url: str) -> bytes:
        """Returns an object; FileNotFoundError when there is none."""
        return self._backend.get(url)

    async def try_get(self, url: str) -> bytes | None:
        """Returns an object, or None."""
        return self._backend.try_get(url)

    async def list_prefixes(self, prefix_url: str) -> list[str]:
        """Returns the URLs, each ending in "/", of the "directories" directly below a prefix, in order."""
        return self._backend.list_prefixes(prefix_url)

    async def delete_prefix(self, prefix_url: str) -> int:
        """Removes all objects whose URL begins with the prefix, and returns how many."""
        return self._backend.delete_prefix(prefix_url)


def parse_s3_url(url: str) -> tuple[str, str]:
    """Returns (bucket, key) of s3://bucket/key; ValueError when it is no such URL or one of the two is empty."""
    parts = urlsplit(url)
    key = parts.path.lstrip("/")
    if parts.scheme != "s3" or not parts.netloc or not key:
        raise ValueError(f"not an URL of the form s3://bucket/key: {url!r}")
    return parts.netloc, key


def join_s3(base: str, *parts: str) -> str:
    """Returns base and the parts that are not empty, with one slash between each."""
    return "/".join([base.rstrip("/"), *(part.strip("/") for part in parts if part)])
