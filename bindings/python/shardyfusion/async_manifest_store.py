"""Stores of manifests whose methods are awaited. They are read only: writers take a ManifestStore."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from .manifest_store import newest_first, parse_current_pointer_to_ref, parse_manifest_payload
from .storage import AsyncStorageBackend, join_s3

if TYPE_CHECKING:
    from .manifest import ManifestRef, ParsedManifest


class AsyncManifestStore(Protocol):
    """Tells which manifest is current, and gives manifests."""

    async def load_current(self) -> ManifestRef | None:
        """Returns the current one, or None when nothing was published."""

    async def load_manifest(self, ref: str) -> ParsedManifest:
        """Returns a manifest."""

    async def list_manifests(self, *, limit: int = 10) -> list[ManifestRef]:
        """Returns manifests, the newest first."""


class AsyncS3ManifestStore:
    """Manifests as objects below a prefix, and _CURRENT beside them, in any AsyncStorageBackend."""

    def __init__(
        self,
        backend: AsyncStorageBackend,
        s3_prefix: str,
        *,
        manifest_name: str = "manifest",
        current_pointer_key: str = "_CURRENT",
    ) -> None:
        self._backend = backend
        self.s3_prefix = s3_prefix.rstrip("/")
        self.manifest_name = manifest_name
        self.current_pointer_key = current_pointer_key

    async def load_current(self) -> ManifestRef | None:
        """Returns what _CURRENT names, or None when there is none; ManifestParseError when it is malformed."""
        payload = await self._backend.try_get(join_s3(self.s3_prefix, self.current_pointer_key))
        return None if payload is None else parse_current_pointer_to_ref(payload)

    async def load_manifest(self, ref: str) -> ParsedManifest:
        """Returns a manifest; ManifestParseError when it is malformed, the backend's error when it is not there."""
        return parse_manifest_payload(await self._backend.get(ref))

    async def list_manifests(self, *, limit: int = 10) -> list[ManifestRef]:
        """Returns manifests, the newest first, by the names of their directories."""
        urls = await self._backend.list_prefixes(join_s3(self.s3_prefix, "manifests") + "/")
        return newest_first(urls, self.s3_prefix, self.manifest_name, limit)
