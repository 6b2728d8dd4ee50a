"""Manifests: made, read back, compared with those of the Python project, and damaged."""

from __future__ import annotations

import contextlib
import pickle
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shardyfusion.errors import ManifestBuildError, ManifestParseError, ShardAssignmentError
from shardyfusion.manifest import (
    CurrentPointer,
    ManifestRef,
    ManifestShardingSpec,
    ParsedManifest,
    RequiredBuildMeta,
    RequiredShardMeta,
    SqliteManifestBuilder,
    WriterInfo,
)
from shardyfusion.manifest_store import (
    SqliteShardLookup,
    load_sqlite_build_meta,
    parse_current_pointer_to_ref,
    parse_manifest_payload,
    parse_sqlite_manifest,
)
from shardyfusion.sharding_types import KeyEncoding, ShardHashAlgorithm, ShardingStrategy

CREATED = datetime(2026, 3, 14, 10, 30, tzinfo=UTC)


def a_build(**named: Any) -> RequiredBuildMeta:
    fields: dict[str, Any] = {
        "run_id": "r1",
        "created_at": CREATED,
        "num_dbs": 3,
        "s3_prefix": "s3://bucket/prefix",
        "key_col": "_key",
        "sharding": ManifestShardingSpec(hash_algorithm=ShardHashAlgorithm.XXH3_64),
        "db_path_template": "db={db_id:05d}",
        "shard_prefix": "shards",
    }
    return RequiredBuildMeta(**{**fields, **named})


def a_shard(db_id: int, **named: Any) -> RequiredShardMeta:
    fields: dict[str, Any] = {"db_url": f"s3://bucket/prefix/{db_id}", "attempt": 0, "row_count": 5, "db_bytes": 4096}
    return RequiredShardMeta(db_id=db_id, **{**fields, **named})


def payload_of(
    build: RequiredBuildMeta, shards: list[RequiredShardMeta], custom: dict[str, Any] | None = None
) -> bytes:
    return SqliteManifestBuilder().build(required_build=build, shards=shards, custom_fields=custom or {}).payload


def opened(payload: bytes) -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.deserialize(payload)
    return connection


def contents(payload: bytes) -> list[str]:
    connection = opened(payload)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def altered(payload: bytes, *statements: str) -> bytes:
    connection = opened(payload)
    try:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        return connection.serialize()
    finally:
        connection.close()


GOOD = payload_of(a_build(), [a_shard(0), a_shard(2)])


def test_what_is_made_reads_back() -> None:
    build = a_build(
        created_at=datetime(2026, 3, 14, 10, 30, 0, 5, tzinfo=UTC),
        sharding=ManifestShardingSpec(
            strategy=ShardingStrategy.CEL,
            cel_expr="region",
            cel_columns={"region": "string"},
            routing_values=["eu", "\u65e5", ""],
            hash_algorithm=ShardHashAlgorithm.XXH3_64,
        ),
        key_encoding=KeyEncoding.UTF8,
    )
    shards = [
        a_shard(0, min_key=-5, max_key=2**60, checkpoint_id="c" * 32, writer_info=WriterInfo(1, 2, 3, 4)),
        a_shard(1, min_key="a\u00e9", max_key="", attempt=2),
        a_shard(2, db_url=None),
    ]
    custom = {"vector": {"dim": 8, "x": [1.5, None, True]}, "a": "\u00e9"}
    parsed = parse_manifest_payload(payload_of(build, shards, custom))
    assert parsed == ParsedManifest(required_build=build, shards=shards, custom=custom)
    assert parse_sqlite_manifest(payload_of(build, shards, custom)) == parsed


def test_bytes_of_a_manifest() -> None:
    assert len(GOOD) == 12_288
    with contextlib.closing(opened(GOOD)) as connection:
        row = connection.execute("SELECT created_at, sharding, custom, format_version FROM build_meta").fetchone()
        (writer_info,) = connection.execute("SELECT writer_info FROM shards WHERE db_id = 0").fetchone()
    assert row == (
        "2026-03-14T10:30:00Z",
        '{"cel_columns": null, "cel_expr": null, "hash_algorithm": "xxh3_64", '
        '"routing_values": null, "strategy": "hash"}',
        "{}",
        4,
    )
    assert writer_info == '{"attempt": 0, "duration_ms": 0, "stage_id": null, "task_attempt_id": null}'


def test_manifests_of_the_python_project_come_out_as_they_were(shared: Path) -> None:
    files = sorted((shared / "fixtures" / "peer").glob("*/snapshot/manifests/*/manifest"))
    compared = 0
    for file in files:
        payload = file.read_bytes()
        try:
            parsed = parse_manifest_payload(payload)
        except ManifestParseError:
            assert file.parents[3].name.startswith("fallback-"), file
            continue
        again = payload_of(parsed.required_build, parsed.shards, parsed.custom)
        assert contents(again) == contents(payload), file
        assert len(again) == len(payload), file
        compared += 1
    assert compared >= 50


def test_manifests_of_the_repository(data: Path) -> None:
    for file in sorted(data.glob("*/manifests/*/manifest")):
        parsed = parse_manifest_payload(file.read_bytes())
        assert contents(payload_of(parsed.required_build, parsed.shards, parsed.custom)) == contents(file.read_bytes())
    folder = data / "formats" / "manifest"
    for file in sorted(folder.glob("*.sqlite")):
        if file.name.startswith("bad_"):
            with pytest.raises(ManifestParseError):
                parse_manifest_payload(file.read_bytes())
        else:
            parse_manifest_payload(file.read_bytes())
    assert parse_current_pointer_to_ref((folder / "_CURRENT").read_bytes()).run_id


def test_bounds_of_bytes_keys_are_left_out() -> None:
    (shard,) = parse_manifest_payload(payload_of(a_build(), [a_shard(0, min_key=b"a", max_key=b"\xff")])).shards
    assert (shard.min_key, shard.max_key) == (None, None)


def test_custom_fields_of_the_builder() -> None:
    builder = SqliteManifestBuilder()
    builder.add_custom_field("a", 1)
    builder.add_custom_field("b", 1)
    artifact = builder.build(required_build=a_build(), shards=[], custom_fields={"b": 2})
    assert artifact.content_type == "application/x-sqlite3"
    assert parse_manifest_payload(artifact.payload).custom == {"a": 1, "b": 2}


def test_what_cannot_be_made() -> None:
    with pytest.raises(ManifestBuildError, match="UNIQUE"):
        payload_of(a_build(), [a_shard(1), a_shard(1)])
    with pytest.raises(ManifestBuildError, match="not JSON serializable"):
        payload_of(a_build(), [], {"x": object()})
    with pytest.raises(ManifestBuildError, match="cannot be made"):
        payload_of(a_build(), [a_shard(0, db_bytes=2**64)])
    bytes_values = ManifestShardingSpec(
        strategy=ShardingStrategy.CEL,
        cel_expr="r",
        cel_columns={"r": "bytes"},
        routing_values=[b"a"],
        hash_algorithm=ShardHashAlgorithm.XXH3_64,
    )
    with pytest.raises(ManifestBuildError, match="routing values of bytes"):
        payload_of(a_build(sharding=bytes_values, num_dbs=1), [])


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM build_meta",
        "DROP TABLE build_meta",
        "DROP TABLE shards",
        "ALTER TABLE shards DROP COLUMN checkpoint_id",
        "UPDATE build_meta SET num_dbs = 0",
        "UPDATE build_meta SET num_dbs = 2.5",
        "UPDATE build_meta SET num_dbs = 1",
        "UPDATE build_meta SET num_dbs = 2",
        "UPDATE build_meta SET created_at = 'yesterday'",
        "UPDATE build_meta SET format_version = 5",
        "UPDATE build_meta SET key_encoding = 'U64BE'",
        "UPDATE build_meta SET custom = '[]'",
        "UPDATE build_meta SET custom = '{'",
        "UPDATE build_meta SET sharding = '{}'",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.more', 1)",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.strategy', 'range')",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.hash_algorithm', 'md5')",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.hash_algorithm', null)",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.cel_expr', 'key')",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.cel_columns', json('{}'))",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.routing_values', json('[]'))",
        "UPDATE build_meta SET sharding = json_set(sharding, '$.strategy', 'cel')",
        "UPDATE shards SET db_id = 3 WHERE db_id = 2",
        "UPDATE shards SET db_id = -1 WHERE db_id = 2",
        "UPDATE shards SET row_count = -1",
        "UPDATE shards SET attempt = 0.5",
        "UPDATE shards SET min_key = 'a'",
        "UPDATE shards SET max_key = '[1]'",
        "UPDATE shards SET max_key = '1.5'",
        "UPDATE shards SET writer_info = ''",
        "UPDATE shards SET writer_info = 'null'",
        'UPDATE shards SET writer_info = \'{"attempt": "x"}\'',
        "UPDATE shards SET db_url = CAST(x'ff' AS TEXT)",
    ],
)
def test_manifests_that_contradict_themselves(statement: str) -> None:
    assert parse_manifest_payload(GOOD).shards[1].db_id == 2
    with pytest.raises(ManifestParseError):
        parse_manifest_payload(altered(GOOD, statement))


def test_what_is_read_all_the_same() -> None:
    lenient = altered(
        GOOD,
        "UPDATE build_meta SET custom = ''",
        "UPDATE build_meta SET created_at = '2026-03-14 10:30:00.5+02:00'",
        "UPDATE build_meta SET num_dbs = '3'",
        "UPDATE shards SET checkpoint_id = '', db_url = NULL, writer_info = '{\"more\": 1}'",
        "CREATE TABLE more (x)",
    )
    parsed = parse_manifest_payload(lenient + b"trailing")
    assert parsed.custom == {}
    assert parsed.required_build.created_at == datetime(2026, 3, 14, 8, 30, 0, 500_000, tzinfo=UTC)
    assert [shard.db_url for shard in parsed.shards] == [None, None]


def test_damaged_bytes_are_parse_errors() -> None:
    for cut in (b"", b"SQLite", GOOD[:100], GOOD[:4096], GOOD[:-1]):
        with pytest.raises(ManifestParseError):
            parse_manifest_payload(cut)
    for at in range(16, len(GOOD), 97):
        damaged = bytearray(GOOD)
        damaged[at] ^= 0xFF
        try:
            parse_manifest_payload(bytes(damaged))
        except ManifestParseError:
            continue


def test_a_view_that_never_ends_does_end() -> None:
    endless = altered(
        GOOD,
        "ALTER TABLE shards RENAME TO old",
        "CREATE VIEW shards AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
        "SELECT old.* FROM old, n WHERE i < 0",
    )
    with pytest.raises(ManifestParseError, match="interrupted"):
        parse_manifest_payload(endless)


def test_reading_piece_by_piece() -> None:
    connection = opened(payload_of(a_build(), [a_shard(0, min_key=1), a_shard(2)], {"x": 1}))
    connection.row_factory = sqlite3.Row  # is left as it is
    build, custom = load_sqlite_build_meta(connection)
    assert (build, custom) == (a_build(), {"x": 1})
    lookup = SqliteShardLookup(connection, build.num_dbs, cache_size=1)
    assert lookup.get_shard(0) == a_shard(0, min_key=1)
    assert lookup.get_shard(1) == RequiredShardMeta(db_id=1, attempt=0, row_count=0, db_bytes=0)
    with pytest.raises(ShardAssignmentError, match="no shard 3"):
        lookup.get_shard(3)
    assert connection.row_factory is sqlite3.Row
    connection.close()
    assert lookup.get_shard(1).db_url is None  # the last one is kept
    with pytest.raises(ManifestParseError):
        lookup.get_shard(0)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"[]",
        b"\xef\xbb\xbf{}",
        b'{"manifest_ref":"s3://b/m","run_id":"r","updated_at":"2026-03-14T10:30:00Z"}',
        b'{"manifest_ref":5,"manifest_content_type":"x","run_id":"r","updated_at":"2026-03-14T10:30:00Z"}',
        b'{"manifest_ref":"s3://b/m","manifest_content_type":"x","run_id":"r","updated_at":"now"}',
    ],
)
def test_malformed_pointers(payload: bytes) -> None:
    with pytest.raises(ManifestParseError, match="_CURRENT"):
        parse_current_pointer_to_ref(payload)


def test_pointers() -> None:
    pointer = CurrentPointer(manifest_ref="s3://b/m", manifest_content_type="x", run_id="r", updated_at=CREATED)
    ref = ManifestRef("s3://b/m", "r", CREATED)
    assert parse_current_pointer_to_ref(pointer.model_dump_json().encode()) == ref
    assert pointer.format_version == 1


def test_models_go_between_processes_and_come_on_demand() -> None:
    manifest = parse_manifest_payload(GOOD)
    assert pickle.loads(pickle.dumps(manifest)) == manifest
    assert ParsedManifest.model_validate(manifest.model_dump(by_alias=True)) == manifest
    code = (
        "import sys, shardyfusion.manifest_store, shardyfusion.async_manifest_store, shardyfusion.config, "
        "shardyfusion.run_registry, shardyfusion.vector.config; assert 'pydantic' not in sys.modules; "
        "shardyfusion.manifest.ParsedManifest; assert 'pydantic' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
