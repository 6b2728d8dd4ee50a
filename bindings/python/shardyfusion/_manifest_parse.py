"""From the bytes of a manifest to its models. A manifest is input, not authority."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import ManifestParseError

if TYPE_CHECKING:
    from .manifest import ParsedManifest, RequiredBuildMeta, RequiredShardMeta

SQLITE_MAGIC = b"SQLite format 3\x00"
FORMAT_VERSION = 4
MAX_MANIFEST_BYTES = 256 * 1024 * 1024
MAX_SHARDS = 65_536

# Steps of SQLite's machine that reading a manifest may take: the largest one needs some two million, a view that loops
# would take them for ever.
_STEPS_AT_A_TIME = 10_000
_MAX_STEPS = 20_000_000

_BUILD_COLUMNS = (
    "run_id, created_at, num_dbs, s3_prefix, key_col, sharding, db_path_template, shard_prefix, format_version, "
    "key_encoding, custom"
)
_SHARD_COLUMNS = "db_id, db_url, attempt, row_count, db_bytes, min_key, max_key, checkpoint_id, writer_info"
_JSON_COLUMNS = ("sharding", "writer_info")


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turns whatever goes wrong within into a ManifestParseError."""
    try:
        yield
    except ManifestParseError:
        raise
    # sqlite3, json and pydantic have no common exception, and damaged bytes can raise any of theirs.
    except (sqlite3.Error, ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
        raise ManifestParseError(f"{what}: {error}") from error


def _rows(connection: sqlite3.Connection, query: str, arguments: tuple[int, ...] = ()) -> list[dict[str, Any]]:
    cursor = connection.cursor()
    try:
        cursor.row_factory = None
        cursor.execute(query, arguments)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor]
    finally:
        cursor.close()


def _decoded(row: dict[str, Any]) -> dict[str, Any]:
    for name in _JSON_COLUMNS:
        if name in row:
            row[name] = json.loads(row[name])
    for name in ("min_key", "max_key"):
        if row.get(name) is not None:
            row[name] = json.loads(row[name])
    return row


def _custom(text: str | bytes | None) -> Any:
    return json.loads(text) if text else {}


def _check(build: RequiredBuildMeta, shards: list[RequiredShardMeta]) -> None:
    if build.format_version != FORMAT_VERSION:
        raise ManifestParseError(f"manifest format {build.format_version} is not read, only {FORMAT_VERSION}")
    if len(shards) > build.num_dbs:
        raise ManifestParseError(f"the manifest names {len(shards)} shards of {build.num_dbs}")
    seen: set[int] = set()
    for shard in shards:
        if shard.db_id >= build.num_dbs:
            raise ManifestParseError(f"the manifest names shard {shard.db_id}, but there are {build.num_dbs}")
        if shard.db_id in seen:
            raise ManifestParseError(f"the manifest names shard {shard.db_id} twice")
        seen.add(shard.db_id)
    values = build.sharding.routing_values
    if values is not None and build.num_dbs != max(1, len(values)):
        raise ManifestParseError(f"{len(values)} routing values do not fit {build.num_dbs} shards")


def _guard(connection: sqlite3.Connection) -> None:
    steps = 0

    def too_long() -> bool:
        nonlocal steps
        steps += _STEPS_AT_A_TIME
        return steps > _MAX_STEPS

    connection.set_progress_handler(too_long, _STEPS_AT_A_TIME)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA query_only = ON")


def build_meta(connection: sqlite3.Connection) -> tuple[RequiredBuildMeta, dict[str, Any]]:
    """Returns what an open manifest says of the snapshot, and its custom fields."""
    from .manifest import RequiredBuildMeta

    with reading("build_meta of the manifest"):
        rows = _rows(connection, f"SELECT {_BUILD_COLUMNS} FROM build_meta LIMIT 1")
        if not rows:
            raise ManifestParseError("build_meta of the manifest has no row")
        custom = _custom(rows[0].pop("custom"))
        if not isinstance(custom, dict):
            raise ManifestParseError("custom of the manifest is no JSON object")
        build = RequiredBuildMeta.model_validate(_decoded(rows[0]))
        _check(build, [])
        return build, custom


def shard_meta(connection: sqlite3.Connection, db_id: int) -> RequiredShardMeta:
    """Returns what an open manifest says of one shard; one that it does not name is empty."""
    from .manifest import RequiredShardMeta

    with reading(f"shard {db_id} of the manifest"):
        rows = _rows(connection, f"SELECT {_SHARD_COLUMNS} FROM shards WHERE db_id = ?", (db_id,))
        if not rows:
            return RequiredShardMeta(db_id=db_id, attempt=0, row_count=0, db_bytes=0)
        return RequiredShardMeta.model_validate(_decoded(rows[0]))


def parse(payload: bytes) -> ParsedManifest:
    """Returns a manifest from its bytes; ManifestParseError when they are none, or it contradicts itself."""
    from .manifest import ParsedManifest, RequiredShardMeta

    if payload[: len(SQLITE_MAGIC)] != SQLITE_MAGIC:
        raise ManifestParseError("the manifest is no SQLite file")
    if len(payload) > MAX_MANIFEST_BYTES:
        raise ManifestParseError(f"the manifest has {len(payload)} bytes, more than {MAX_MANIFEST_BYTES}")
    connection = sqlite3.connect(":memory:")
    try:
        with reading("the manifest"):
            connection.deserialize(payload)
            _guard(connection)
            build, custom = build_meta(connection)
            rows = _rows(connection, f"SELECT {_SHARD_COLUMNS} FROM shards ORDER BY db_id LIMIT {MAX_SHARDS + 1}")
            if len(rows) > MAX_SHARDS:
                raise ManifestParseError(f"the manifest names more than {MAX_SHARDS} shards")
            shards = [RequiredShardMeta.model_validate(_decoded(row)) for row in rows]
            _check(build, shards)
            return ParsedManifest(required_build=build, shards=shards, custom=custom)
    finally:
        connection.close()
