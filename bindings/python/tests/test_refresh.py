"""refresh, and what open falls back to: new snapshots, malformed ones, none."""

from __future__ import annotations

import json
import logging
import pathlib
from typing import Any

import pytest
from readers import Builder, Opener, copy_of

from shardyfusion.errors import (
    ConfigValidationError,
    DbAdapterError,
    ManifestParseError,
    ManifestStoreError,
    ReaderStateError,
)


def rows(value: str, count: int = 20) -> list[dict[str, Any]]:
    return [{"key": f"k{i}", "value": value, "vector": [float(i), 1.0]} for i in range(count)]


@pytest.mark.parametrize("place", ["files", "s3"])
def test_a_new_snapshot(
    open_reader: Opener, build: Builder, tmp_path: pathlib.Path, place: str, request: pytest.FixtureRequest
) -> None:
    url: Any = tmp_path / "snapshot"
    if place == "s3":
        url = f"{request.getfixturevalue('s3_bucket')}/refresh-{open_reader.is_async}"
    build(rows("one"), url, "--metric", "l2", "--num-dbs", "2")
    reader = open_reader(url)
    before = reader.snapshot_info()
    assert reader.refresh() is False
    held = reader.search([0.0, 1.0], 3)
    build(rows("two", 30), url, "--metric", "l2", "--num-dbs", "3")
    assert reader.get("k1") == b"one"
    assert reader.get("k25") is None
    assert reader.refresh() is True
    assert reader.refresh() is False
    assert (reader.get("k1"), reader.get("k25")) == (b"two", b"two")
    assert len(reader.search([0.0, 1.0], 100).results) == 30
    after = reader.snapshot_info()
    assert (before.num_dbs, after.num_dbs, after.row_count) == (2, 3, 30)
    assert before.run_id != after.run_id
    assert [hit.score for hit in held.results] == [0.0, 1.0, 2.0]


def publish_malformed(snapshot: pathlib.Path) -> str:
    """A newer manifest that is none, and the pointer to it. Returns its ref."""
    pointer = json.loads((snapshot / "_CURRENT").read_bytes())
    directory = "2999-01-01T00:00:00.000000Z_run_id=bad"
    (snapshot / "manifests" / directory).mkdir()
    (snapshot / "manifests" / directory / "manifest").write_bytes(b"this is no manifest")
    pointer["manifest_ref"] = f"{pointer['manifest_ref'].rpartition('/manifests/')[0]}/manifests/{directory}/manifest"
    pointer["run_id"] = "bad"
    (snapshot / "_CURRENT").write_text(json.dumps(pointer))
    return directory


def test_a_malformed_new_manifest(
    open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshot = copy_of(data / "packages-1k", tmp_path)
    reader = open_reader(snapshot)
    key = reader.shard_details()[0].min_key
    directory = publish_malformed(snapshot)
    caplog.set_level(logging.WARNING, "shardyfusion")
    assert reader.refresh() is False
    assert reader.get(key) is not None
    told = [record for record in caplog.records if record.name.startswith("shardyfusion")]
    assert [record.levelno for record in told] == [logging.WARNING]
    assert directory in told[0].getMessage()
    assert reader.refresh() is False


def test_no_pointer_at_refresh(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    snapshot = copy_of(data / "packages-1k", tmp_path)
    reader = open_reader(snapshot)
    key = reader.shard_details()[0].min_key
    pointer = (snapshot / "_CURRENT").read_bytes()
    (snapshot / "_CURRENT").unlink()
    with pytest.raises(ReaderStateError, match="CURRENT pointer not found"):
        reader.refresh()
    assert reader.get(key) is not None
    assert len(reader.search([1.0] * 384).results) == 10
    (snapshot / "_CURRENT").write_bytes(b'{"no": "pointer"}')
    with pytest.raises(ManifestParseError, match="_CURRENT"):
        reader.refresh()
    (snapshot / "_CURRENT").write_bytes(pointer.replace(b"2026-", b"2027-"))
    with pytest.raises(ManifestStoreError, match="2027-"):
        reader.refresh()
    (snapshot / "_CURRENT").write_bytes(pointer)
    assert reader.refresh() is False
    assert reader.get(key) is not None


def test_a_missing_shard_at_refresh(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    url = tmp_path / "snapshot"
    build(rows("one"), url)
    reader = open_reader(url)
    before = set(url.rglob("shard.*"))
    build(rows("two"), url)
    for path in set(url.rglob("shard.*")) - before:
        path.unlink()
    with pytest.raises(DbAdapterError, match="shard") as caught:
        reader.refresh()
    assert caught.value.code == "NOT_FOUND"
    assert reader.get("k1") == b"one"


def test_fallback_at_open(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    snapshot = copy_of(data / "packages-1k", tmp_path)
    publish_malformed(snapshot)
    with pytest.raises(ManifestParseError, match="2999"):
        open_reader(snapshot, max_fallback_attempts=0)
    for attempts in (1, 3):
        assert open_reader(snapshot, max_fallback_attempts=attempts).snapshot_info().row_count == 1000
    manifest_path = (
        snapshot / "manifests" / next(p.name for p in (snapshot / "manifests").iterdir() if "2026" in p.name)
    )
    (manifest_path / "manifest").write_bytes(b"")
    with pytest.raises(ReaderStateError, match="manifest"):
        open_reader(snapshot)


@pytest.mark.parametrize(("name", "needed"), [("fallback-one-bad", 1), ("fallback-three-bad", 3)])
def test_recorded_fallbacks(open_reader: Opener, shared: pathlib.Path, name: str, needed: int) -> None:
    snapshot = shared / "fixtures" / "peer" / name / "snapshot"
    for attempts in range(needed):
        with pytest.raises((ReaderStateError, ManifestParseError)):
            open_reader(snapshot, unified=False, max_fallback_attempts=attempts)
    reader = open_reader(snapshot, unified=False, max_fallback_attempts=needed)
    assert reader.snapshot_info().row_count > 0
    assert all(detail.db_url for detail in reader.shard_details() if detail.row_count)
    assert reader.get(reader.shard_details()[0].min_key) is not None


def test_fallback_has_an_end(open_reader: Opener, shared: pathlib.Path) -> None:
    with pytest.raises(ReaderStateError):
        open_reader(shared / "fixtures" / "peer" / "fallback-four-bad" / "snapshot", unified=False)


def test_another_pointer(open_reader: Opener, data: pathlib.Path, tmp_path: pathlib.Path) -> None:
    snapshot = copy_of(data / "packages-1k", tmp_path)
    (snapshot / "pointers").mkdir()
    (snapshot / "_CURRENT").rename(snapshot / "pointers" / "stable")
    with pytest.raises(ReaderStateError, match="_CURRENT"):
        open_reader(snapshot)
    reader = open_reader(snapshot, current_pointer_key="pointers/stable")
    assert reader.snapshot_info().row_count == 1000
    assert reader.refresh() is False
    with pytest.raises(ReaderStateError, match="pointers/none"):
        open_reader(snapshot, current_pointer_key="pointers/none")


def test_a_snapshot_that_loses_its_vectors(open_reader: Opener, build: Builder, tmp_path: pathlib.Path) -> None:
    url = tmp_path / "snapshot"
    build(rows("one"), url)
    reader = open_reader(url)
    build([{"key": "k1", "value": "two"}], url)
    assert reader.refresh() is True
    assert reader.get("k1") == b"two"
    calls: list[Any] = [lambda: reader.search([1.0, 2.0]), lambda: reader.vector_meta]
    for call in calls:
        with pytest.raises(ConfigValidationError, match="vectors"):
            call()
