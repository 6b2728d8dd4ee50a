"""Stores of manifests: where they are kept, which is the current one, and how they are read."""

from __future__ import annotations

import json
import re
from collections import OrderedDict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from ._manifest_parse import build_meta, parse, reading, shard_meta
from .errors import ConfigValidationError, PublishCurrentError, PublishManifestError, ShardAssignmentError
from .manifest import SQLITE_MANIFEST_CONTENT_TYPE, ManifestRef, SqliteManifestBuilder
from .storage import StorageBackend, join_s3

if TYPE_CHECKING:
    import sqlite3

    from .manifest import ParsedManifest, RequiredBuildMeta, RequiredShardMeta

_TIMESTAMP = "%Y-%m-%dT%H:%M:%S.%fZ"
_DIRECTORY = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)_run_id=([^/]+)/?")
_RUN_ID_IN_REF = re.compile(r"run_id=([^/]+)/")


class ManifestStore(Protocol):
    """Keeps manifests, and which of them is current. A reader calls the load and list methods only."""

    def publish(
        self,
        *,
        run_id: str,
        required_build: RequiredBuildMeta,
        shards: list[RequiredShardMeta],
        custom: dict[str, Any],
    ) -> str:
        """Keeps a manifest, makes it the current one, and returns its ref."""

    def load_current(self) -> ManifestRef | None:
        """Returns the current one, or None when nothing was published."""

    def load_manifest(self, ref: str) -> ParsedManifest:
        """Returns a manifest."""

    def list_manifests(self, *, limit: int = 10) -> list[ManifestRef]:
        """Returns manifests, the newest first."""

    def set_current(self, ref: str) -> None:
        """Makes a manifest that is kept the current one."""


def parse_current_pointer_to_ref(payload: bytes) -> ManifestRef:
    """Returns what _CURRENT names; ManifestParseError when it is malformed."""
    from .manifest import CurrentPointer

    with reading("_CURRENT"):
        pointer = CurrentPointer.model_validate_json(payload)
    return ManifestRef(pointer.manifest_ref, pointer.run_id, pointer.updated_at)


def parse_manifest_dir_entry(dir_name: str, s3_prefix: str, manifest_name: str) -> ManifestRef | None:
    """Returns the manifest in a directory <time>_run_id=<run> below s3_prefix/manifests, or None for another name."""
    match = _DIRECTORY.fullmatch(dir_name)
    if match is None:
        return None
    try:
        published_at = datetime.strptime(match[1], _TIMESTAMP).replace(tzinfo=UTC)
    except ValueError:
        return None
    return ManifestRef(join_s3(s3_prefix, "manifests", dir_name, manifest_name), match[2], published_at)


def parse_manifest_payload(payload: bytes) -> ParsedManifest:
    """Returns a manifest from its bytes; ManifestParseError when they are none, or it contradicts itself."""
    return parse(payload)


def parse_sqlite_manifest(payload: bytes) -> ParsedManifest:
    """The same as parse_manifest_payload: SQLite is the one format of manifests."""
    return parse(payload)


def load_sqlite_build_meta(con: sqlite3.Connection) -> tuple[RequiredBuildMeta, dict[str, Any]]:
    """Returns what an open manifest says of the snapshot, and its custom fields, without reading its shards."""
    return build_meta(con)


class SqliteShardLookup:
    """Shards of an open manifest, read when asked for; the last cache_size of them are kept. Closes nothing."""

    def __init__(self, con: sqlite3.Connection, num_dbs: int, *, cache_size: int = 4096) -> None:
        self._connection = con
        self._num_dbs = num_dbs
        self._cache_size = cache_size
        self._cache: OrderedDict[int, RequiredShardMeta] = OrderedDict()

    def get_shard(self, db_id: int) -> RequiredShardMeta:
        """Returns a shard; one that the manifest does not name is empty. ShardAssignmentError: no such id."""
        if not 0 <= db_id < self._num_dbs:
            raise ShardAssignmentError(f"there is no shard {db_id}, only 0 to {self._num_dbs - 1}")
        shard = self._cache.pop(db_id, None) or shard_meta(self._connection, db_id)
        self._cache[db_id] = shard
        while len(self._cache) > self._cache_size:
            self._cache.popitem(last=False)
        return shard


def newest_first(urls: list[str], s3_prefix: str, manifest_name: str, limit: int) -> list[ManifestRef]:
    """Returns the manifests in directories below s3_prefix/manifests, the newest first."""
    below = join_s3(s3_prefix, "manifests") + "/"
    entries = (parse_manifest_dir_entry(url.removeprefix(below), s3_prefix, manifest_name) for url in urls)
    refs = [entry for entry in entries if entry is not None]
    return sorted(refs, key=lambda ref: (ref.published_at, ref.ref), reverse=True)[:limit]


class S3ManifestStore:
    """Manifests as objects below a prefix, and _CURRENT beside them, in any StorageBackend."""

    def __init__(
        self,
        backend: StorageBackend,
        s3_prefix: str,
        *,
        manifest_name: str = "manifest",
        current_pointer_key: str = "_CURRENT",
    ) -> None:
        self._backend = backend
        self.s3_prefix = s3_prefix.rstrip("/")
        self.manifest_name = manifest_name
        self.current_pointer_key = current_pointer_key

    def publish(
        self,
        *,
        run_id: str,
        required_build: RequiredBuildMeta,
        shards: list[RequiredShardMeta],
        custom: dict[str, Any],
    ) -> str:
        """Stores a manifest, then _CURRENT, and returns the manifest's URL.

        PublishManifestError: nothing is published. PublishCurrentError: the manifest is stored, _CURRENT is as it was.
        """
        if not run_id or "/" in run_id:
            raise ConfigValidationError(f"a run id must be a text without '/', got {run_id!r}")
        artifact = SqliteManifestBuilder().build(required_build=required_build, shards=shards, custom_fields=custom)
        directory = f"{datetime.now(UTC).strftime(_TIMESTAMP)}_run_id={run_id}"
        ref = join_s3(self.s3_prefix, "manifests", directory, self.manifest_name)
        try:
            self._backend.put(ref, artifact.payload, artifact.content_type, artifact.headers)
        except Exception as error:
            raise PublishManifestError(f"the manifest {ref} could not be stored: {error}") from error
        self._put_current(ref, run_id, artifact.content_type)
        return ref

    def load_current(self) -> ManifestRef | None:
        """Returns what _CURRENT names, or None when there is none; ManifestParseError when it is malformed."""
        payload = self._backend.try_get(join_s3(self.s3_prefix, self.current_pointer_key))
        return None if payload is None else parse_current_pointer_to_ref(payload)

    def load_manifest(self, ref: str) -> ParsedManifest:
        """Returns a manifest; ManifestParseError when it is malformed, the backend's error when it is not there."""
        return parse(self._backend.get(ref))

    def list_manifests(self, *, limit: int = 10) -> list[ManifestRef]:
        """Returns manifests, the newest first, by the names of their directories."""
        urls = self._backend.list_prefixes(join_s3(self.s3_prefix, "manifests") + "/")
        return newest_first(urls, self.s3_prefix, self.manifest_name, limit)

    def set_current(self, ref: str, *, content_type: str = SQLITE_MANIFEST_CONTENT_TYPE) -> None:
        """Makes _CURRENT name a manifest; ValueError when its URL tells no run."""
        runs = _RUN_ID_IN_REF.findall(ref)
        if not runs:
            raise ValueError(f"the manifest ref {ref!r} has no run_id=<run>/ in it")
        self._put_current(ref, runs[-1], content_type)

    def _put_current(self, ref: str, run_id: str, content_type: str) -> None:
        from .manifest import CurrentPointer

        pointer = CurrentPointer(
            manifest_ref=ref, manifest_content_type=content_type, run_id=run_id, updated_at=datetime.now(UTC)
        )
        payload = json.dumps(pointer.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        url = join_s3(self.s3_prefix, self.current_pointer_key)
        try:
            self._backend.put(url, payload.encode("ascii"), "application/json", {})
        except Exception as error:
            raise PublishCurrentError(f"{url} could not be stored: {error}", manifest_ref=ref) from error


class InMemoryManifestStore:
    """Manifests in memory, for tests. A ref that it does not know is a KeyError."""

    def __init__(self) -> None:
        self._manifests: dict[str, ParsedManifest] = {}
        self._refs: list[ManifestRef] = []
        self._current: str | None = None

    def publish(
        self,
        *,
        run_id: str,
        required_build: RequiredBuildMeta,
        shards: list[RequiredShardMeta],
        custom: dict[str, Any],
    ) -> str:
        """Keeps a manifest, makes it the current one, and returns its ref."""
        from .manifest import ParsedManifest

        ref = f"mem://manifests/run_id={run_id}/manifest"
        self._manifests[ref] = ParsedManifest(required_build=required_build, shards=shards, custom=custom)
        self._refs.append(ManifestRef(ref, run_id, datetime.now(UTC)))
        self._current = ref
        return ref

    def load_current(self) -> ManifestRef | None:
        """Returns the current one, or None when nothing was published."""
        return next((ref for ref in reversed(self._refs) if ref.ref == self._current), None)

    def load_manifest(self, ref: str) -> ParsedManifest:
        """Returns a manifest."""
        return self._manifests[ref]

    def list_manifests(self, *, limit: int = 10) -> list[ManifestRef]:
        """Returns manifests, the last published first."""
        return self._refs[::-1][:limit]

    def set_current(self, ref: str) -> None:
        """Makes a manifest that is kept the current one."""
        if ref not in self._manifests:
            raise KeyError(f"no manifest {ref!r} in this store")
        self._current = ref
