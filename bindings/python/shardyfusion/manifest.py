"""Manifests: what they say, what a build gives back, and how a manifest is made.

The models (ManifestShardingSpec, RequiredBuildMeta, RequiredShardMeta, ParsedManifest, CurrentPointer) need pydantic,
which is imported when one of them is first used.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from ._lazy import lazy_names
from .errors import ManifestBuildError

if TYPE_CHECKING:
    from ._manifest_models import (
        CurrentPointer,
        ManifestShardingSpec,
        ParsedManifest,
        RequiredBuildMeta,
        RequiredShardMeta,
    )
    from .type_defs import JsonObject, JsonValue

__all__ = [
    "SQLITE_MANIFEST_CONTENT_TYPE",
    "BuildDurations",
    "BuildResult",
    "BuildStats",
    "CurrentPointer",
    "ManifestArtifact",
    "ManifestRef",
    "ManifestShardingSpec",
    "ParsedManifest",
    "RequiredBuildMeta",
    "RequiredShardMeta",
    "SqliteManifestBuilder",
    "WriterInfo",
]

SQLITE_MANIFEST_CONTENT_TYPE = "application/x-sqlite3"

_MODELS = ("CurrentPointer", "ManifestShardingSpec", "ParsedManifest", "RequiredBuildMeta", "RequiredShardMeta")

# Hidden from type checkers, which would take any name for one of this module.
if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_names(__name__, dict.fromkeys(_MODELS, "shardyfusion._manifest_models"))


@dataclass(slots=True, frozen=True)
class ManifestRef:
    """Where a manifest is (in terms of its store), whose run it is, and when it was published."""

    ref: str
    run_id: str
    published_at: datetime


@dataclass(slots=True, frozen=True)
class WriterInfo:
    """Which attempt wrote a shard, and how long it took."""

    stage_id: int | None = None
    task_attempt_id: int | None = None
    attempt: int = 0
    duration_ms: int = 0


@dataclass(slots=True)
class ManifestArtifact:
    """Bytes to store, and what they are."""

    payload: bytes
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class BuildDurations:
    """Milliseconds that the phases of a build took."""

    sharding_ms: int
    write_ms: int
    manifest_ms: int
    total_ms: int


@dataclass(slots=True)
class BuildStats:
    """Numbers of a build. Empty shards have no winner."""

    durations: BuildDurations
    num_attempt_results: int
    num_winners: int
    rows_written: int


@dataclass(slots=True)
class BuildResult:
    """What a build gives back: the published manifest and its shards."""

    run_id: str
    winners: list[RequiredShardMeta]
    manifest_ref: str
    stats: BuildStats
    run_record_ref: str | None = None


_SCHEMA = """\
CREATE TABLE build_meta (
    run_id           TEXT    NOT NULL,
    created_at       TEXT    NOT NULL,
    num_dbs          INTEGER NOT NULL,
    s3_prefix        TEXT    NOT NULL,
    key_col          TEXT    NOT NULL,
    sharding         TEXT    NOT NULL,
    db_path_template TEXT    NOT NULL,
    shard_prefix     TEXT    NOT NULL,
    format_version   INTEGER NOT NULL,
    key_encoding     TEXT    NOT NULL,
    custom           TEXT    NOT NULL DEFAULT '{}'
);
CREATE TABLE shards (
    db_id         INTEGER NOT NULL PRIMARY KEY,
    db_url        TEXT,
    attempt       INTEGER NOT NULL,
    row_count     INTEGER NOT NULL,
    db_bytes      INTEGER NOT NULL,
    min_key       TEXT,
    max_key       TEXT,
    checkpoint_id TEXT,
    writer_info   TEXT    NOT NULL DEFAULT '{}'
);
"""


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _bound(key: int | str | bytes | None) -> str | None:
    """Returns what stands for min_key or max_key: nothing for bytes, which would be read back as text."""
    return None if key is None or isinstance(key, bytes) else _json(key)


def _build_row(build: RequiredBuildMeta, custom: JsonObject) -> dict[str, object]:
    if any(isinstance(value, bytes) for value in build.sharding.routing_values or ()):
        raise ManifestBuildError("routing values of bytes would be read back as text, and never match: use str")
    return {
        **build.model_dump(mode="json"),
        "sharding": _json(build.sharding.model_dump(mode="json")),
        "custom": _json(custom),
    }


def _shard_row(shard: RequiredShardMeta) -> dict[str, object]:
    return {
        **shard.model_dump(mode="json", exclude={"min_key", "max_key", "writer_info"}),
        "min_key": _bound(shard.min_key),
        "max_key": _bound(shard.max_key),
        "writer_info": _json(asdict(shard.writer_info)),
    }


def _insert(connection: sqlite3.Connection, table: str, row: dict[str, object]) -> None:
    # The names come from the models, not from data.
    columns, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO {table} ({columns}) VALUES ({places})", row)


class SqliteManifestBuilder:
    """Makes manifests: SQLite files with the tables build_meta, of one row, and shards, of one a shard."""

    def __init__(self) -> None:
        self._custom_fields: JsonObject = {}

    def add_custom_field(self, key: str, value: JsonValue) -> None:
        """Adds a field that all manifests made from now on get, unless build is given another value for it."""
        self._custom_fields[key] = value

    def build(
        self,
        *,
        required_build: RequiredBuildMeta,
        shards: list[RequiredShardMeta],
        custom_fields: JsonObject,
    ) -> ManifestArtifact:
        """Returns a manifest; ManifestBuildError when it cannot hold what it is given."""
        connection = sqlite3.connect(":memory:")
        try:
            connection.executescript(_SCHEMA)
            _insert(connection, "build_meta", _build_row(required_build, {**self._custom_fields, **custom_fields}))
            for shard in shards:
                _insert(connection, "shards", _shard_row(shard))
            connection.commit()
            return ManifestArtifact(connection.serialize(), SQLITE_MANIFEST_CONTENT_TYPE)
        except (sqlite3.Error, TypeError, ValueError, OverflowError) as error:
            raise ManifestBuildError(
                f"the manifest of run {required_build.run_id!r} cannot be made: {error}"
            ) from error
        finally:
            connection.close()
