"""Manifest stores of the program: their refs and manifests, for the core to serve."""

from __future__ import annotations

import inspect
from typing import Any

from shardyfusion._runtime import Waiting
from shardyfusion.errors import ConfigValidationError, ManifestParseError, ManifestStoreError, ReaderStateError

#: Enough to find a manifest among newer ones.
_MOST_REFS = 100_000

_METHODS = ("load_current", "load_manifest", "list_manifests")


class CallerManifests:
    """A manifest store that was handed to a reader, asked through the reader's way of waiting."""

    def __init__(self, store: object, waiting: Waiting) -> None:
        missing = [name for name in _METHODS if isinstance(store, type) or not callable(getattr(store, name, None))]
        if missing:
            kind = "AsyncManifestStore" if waiting.is_async else "ManifestStore"
            raise ConfigValidationError(
                f"manifest_store {type(store).__name__} has no method {', '.join(missing)}: give a {kind}, or None"
            )
        self._store = store
        self._waiting = waiting

    def _nonsense(self, method: str, wanted: str, got: object) -> ManifestStoreError:
        error = ManifestStoreError(
            f"{type(self._store).__name__}.{method} returned {type(got).__name__}, not {wanted}: mend the store"
        )
        error.retryable = False
        return error

    async def _ask(self, method: str, *arguments: Any, **named: Any) -> Any:
        answer = getattr(self._store, method)(*arguments, **named)
        if not self._waiting.is_async:
            if inspect.iscoroutine(answer):
                answer.close()
                raise self._nonsense(method, "its answer (synchronous readers take a ManifestStore)", answer)
            return answer
        if not hasattr(answer, "__await__"):
            raise self._nonsense(method, "an awaitable (asynchronous readers take an AsyncManifestStore)", answer)
        return await answer

    async def current_ref(self) -> str:
        """The ref that is current. ReaderStateError when there is none."""
        current = await self._ask("load_current")
        if current is None:
            raise ReaderStateError("CURRENT pointer not found: the manifest store has no current manifest")
        return self._ref_of("load_current", current)

    def _ref_of(self, method: str, entry: object) -> str:
        ref = getattr(entry, "ref", None)
        if not isinstance(ref, str) or not ref:
            raise self._nonsense(method, "a ManifestRef with a ref", entry)
        return ref

    async def manifest_bytes(self, ref: str) -> bytes:
        """The manifest of `ref` as the core reads it. ManifestParseError when the store calls it malformed."""
        from shardyfusion.manifest import ParsedManifest, SqliteManifestBuilder

        manifest = await self._ask("load_manifest", ref)
        if not isinstance(manifest, ParsedManifest):
            raise self._nonsense("load_manifest", "a ParsedManifest", manifest)
        artifact = SqliteManifestBuilder().build(
            required_build=manifest.required_build, shards=manifest.shards, custom_fields=manifest.custom
        )
        payload: bytes = artifact.payload
        return payload

    async def older_refs(self, failed: str, most: int) -> list[str]:
        """Up to `most` refs older than the one that failed, newest first.

        Newer ones may be there, which somebody rolled back from: the list goes on until it has the one that failed.
        """
        limit = most + 1
        while True:
            refs = await self._newest_refs(limit)
            if failed in refs:
                older = refs[refs.index(failed) + 1 :]
                if len(older) >= most or len(refs) < limit:
                    return older[:most]
            if len(refs) < limit or limit > _MOST_REFS:
                return refs[:most]
            limit *= 8

    async def _newest_refs(self, limit: int) -> list[str]:
        entries = await self._ask("list_manifests", limit=limit)
        if not isinstance(entries, list | tuple):
            raise self._nonsense("list_manifests", "a list of ManifestRef", entries)
        return [self._ref_of("list_manifests", entry) for entry in entries]

    async def first_valid(self, most_fallbacks: int, serve: Any) -> Any:
        """What `serve(ref, manifest)` gives for the current manifest or, where that is malformed, an older one."""
        current = await self.current_ref()
        try:
            return await serve(current, await self.manifest_bytes(current))
        except ManifestParseError as error:
            if most_fallbacks == 0:
                raise
            first = error
        for ref in await self.older_refs(current, most_fallbacks):
            try:
                return await serve(ref, await self.manifest_bytes(ref))
            except ManifestParseError:
                continue
        raise ReaderStateError(f"no valid manifest found after fallback; the current one: {first}") from first
