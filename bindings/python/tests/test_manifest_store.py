"""Stores of manifests, on stores of objects in memory, and what the program shardy says of what they publish."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from readers import environment_of_programs
from test_manifest import a_build, a_shard

from shardyfusion.async_manifest_store import AsyncManifestStore, AsyncS3ManifestStore
from shardyfusion.errors import (
    ConfigValidationError,
    ManifestParseError,
    PublishCurrentError,
    PublishManifestError,
)
from shardyfusion.manifest import ManifestRef, ParsedManifest
from shardyfusion.manifest_store import (
    InMemoryManifestStore,
    ManifestStore,
    S3ManifestStore,
    parse_manifest_dir_entry,
    parse_manifest_payload,
)
from shardyfusion.run_registry import InMemoryRunRegistry, RunRecord, RunRegistry, RunStatus
from shardyfusion.storage import AsyncMemoryBackend, MemoryBackend, StorageBackend, join_s3, parse_s3_url

PREFIX = "s3://bucket/prefix"
SHARDS = [a_shard(0), a_shard(2)]


def publish(store: ManifestStore, run_id: str) -> str:
    return store.publish(run_id=run_id, required_build=a_build(run_id=run_id), shards=SHARDS, custom={"x": 1})


def test_urls() -> None:
    assert parse_s3_url("s3://bucket/a/b") == ("bucket", "a/b")
    for wrong in ("s3://bucket", "s3://bucket/", "s3:///a", "http://bucket/a", "bucket/a"):
        with pytest.raises(ValueError, match="s3://bucket/key"):
            parse_s3_url(wrong)
    assert join_s3("s3://bucket/a/", "/b/", "", "c/d/") == "s3://bucket/a/b/c/d"


def test_objects_in_memory() -> None:
    backend: StorageBackend = MemoryBackend()
    for key in ("a/1/x", "a/2/y", "a/2/z", "a/file", "ab/3/x"):
        backend.put(f"s3://b/{key}", key.encode(), "text/plain")
    assert backend.list_prefixes("s3://b/a") == backend.list_prefixes("s3://b/a/") == ["s3://b/a/1/", "s3://b/a/2/"]
    assert backend.get("s3://b/a/file") == b"a/file"
    with pytest.raises(FileNotFoundError):
        backend.get("s3://b/none")
    assert backend.try_get("s3://b/none") is None
    assert (backend.delete_prefix("s3://b/a/2/"), backend.delete_prefix("s3://b/a/2/")) == (2, 0)


@pytest.mark.parametrize("store", [S3ManifestStore(MemoryBackend(), PREFIX + "/"), InMemoryManifestStore()])
def test_publishing(store: ManifestStore) -> None:
    assert store.load_current() is None
    assert store.list_manifests() == []
    first, second = publish(store, "r1"), publish(store, "r2")
    current = store.load_current()
    assert current is not None
    assert (current.ref, current.run_id) == (second, "r2")
    manifest = store.load_manifest(first)
    assert manifest == ParsedManifest(required_build=a_build(run_id="r1"), shards=SHARDS, custom={"x": 1})
    assert [(entry.ref, entry.run_id) for entry in store.list_manifests()] == [(second, "r2"), (first, "r1")]
    assert [entry.ref for entry in store.list_manifests(limit=1)] == [second]
    store.set_current(first)
    assert (store.load_current() or current).run_id == "r1"


def test_objects_of_a_published_manifest() -> None:
    backend = MemoryBackend()
    store = S3ManifestStore(backend, PREFIX)
    ref = publish(store, "r1")
    entry = parse_manifest_dir_entry(ref.split("/")[-2], PREFIX, "manifest")
    assert entry is not None
    assert (entry.ref, entry.run_id) == (ref, "r1")
    pointer = backend.get(f"{PREFIX}/_CURRENT")
    told = json.loads(pointer)
    assert pointer == json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    assert told.pop("updated_at").endswith("Z")
    assert told == {
        "format_version": 1,
        "manifest_content_type": "application/x-sqlite3",
        "manifest_ref": ref,
        "run_id": "r1",
    }
    backend.put(f"{PREFIX}/_CURRENT", b"{", "application/json")
    with pytest.raises(ManifestParseError):
        store.load_current()
    with pytest.raises(FileNotFoundError):
        store.load_manifest(f"{PREFIX}/manifests/none/manifest")


def test_run_ids() -> None:
    store = S3ManifestStore(MemoryBackend(), "s3://bucket/run_id=old/prefix")
    for wrong in ("", "a/b"):
        with pytest.raises(ConfigValidationError, match="run id"):
            publish(store, wrong)
    store.set_current(publish(store, "new"))
    assert (store.load_current() or pytest.fail("nothing")).run_id == "new"
    with pytest.raises(ValueError, match="no run_id="):
        store.set_current("s3://bucket/manifest")
    memory = InMemoryManifestStore()
    for call in (memory.set_current, memory.load_manifest):
        with pytest.raises(KeyError):
            call("mem://none")


def test_names_of_directories() -> None:
    name = "2026-03-14T10:30:00.000005Z_run_id=a b"
    entry = ManifestRef(f"{PREFIX}/manifests/{name}/m", "a b", datetime(2026, 3, 14, 10, 30, 0, 5, tzinfo=UTC))
    assert parse_manifest_dir_entry(name, PREFIX, "m") == parse_manifest_dir_entry(name + "/", PREFIX, "m") == entry
    for wrong in ("", "x" + name, name + "/x", name.replace("05Z", "Z"), name.replace("03-14", "13-14")):
        assert parse_manifest_dir_entry(wrong, PREFIX, "m") is None


class Failing(MemoryBackend):
    def __init__(self, ending: str) -> None:
        super().__init__()
        self.ending = ending

    def put(self, url: str, payload: bytes, content_type: str, headers: Mapping[str, str] | None = None) -> None:
        if url.endswith(self.ending):
            raise OSError("disk full")
        super().put(url, payload, content_type, headers)


def test_failures_of_publishing() -> None:
    store = S3ManifestStore(Failing("/manifest"), PREFIX)
    with pytest.raises(PublishManifestError, match="disk full"):
        publish(store, "r1")
    assert (store.load_current(), store.list_manifests()) == (None, [])
    store = S3ManifestStore(Failing("_CURRENT"), PREFIX)
    with pytest.raises(PublishCurrentError, match="disk full") as caught:
        publish(store, "r1")
    assert [entry.ref for entry in store.list_manifests()] == [caught.value.manifest_ref]


def test_awaited_stores() -> None:
    async def run() -> None:
        backend, synchronous = AsyncMemoryBackend(), MemoryBackend()
        store: AsyncManifestStore = AsyncS3ManifestStore(backend, PREFIX + "/")
        assert await store.load_current() is None
        ref = publish(S3ManifestStore(synchronous, PREFIX), "r1")
        for url in (ref, f"{PREFIX}/_CURRENT"):
            await backend.put(url, synchronous.get(url), "")
        current = await store.load_current()
        assert current is not None
        assert (current.ref, current.run_id) == (ref, "r1")
        assert await store.load_manifest(ref) == parse_manifest_payload(synchronous.get(ref))
        assert [entry.ref for entry in await store.list_manifests()] == [ref]
        with pytest.raises(FileNotFoundError):
            await store.load_manifest(ref + "x")
        assert await backend.delete_prefix(f"{PREFIX}/") == 2

    asyncio.run(run())


def test_records_of_runs() -> None:
    registry: RunRegistry = InMemoryRunRegistry()
    now = datetime(2026, 3, 14, tzinfo=UTC)
    fields: dict[str, Any] = dict.fromkeys(("started_at", "updated_at", "lease_expires_at"), now)
    record = RunRecord(
        run_id="r",
        writer_type="python",
        status=RunStatus.RUNNING,
        s3_prefix=PREFIX,
        shard_prefix="shards",
        db_path_template="db={db_id}",
        **fields,
    )
    ref = registry.create(record)
    record.status = RunStatus.FAILED
    assert registry.load(ref).status is RunStatus.RUNNING  # it keeps a copy
    registry.update(ref, record)
    assert registry.load(ref) == record
    assert registry.create(record) != ref


def test_shardy_reads_what_is_published(data: Path, tmp_path: Path, shardy: str) -> None:
    source = data / "packages-1k"
    old = json.loads((source / "_CURRENT").read_text())
    (manifest,) = source.glob("manifests/*/manifest")
    parsed = parse_manifest_payload(manifest.read_bytes())
    backend = MemoryBackend()
    store = S3ManifestStore(backend, parsed.required_build.s3_prefix)
    ref = store.publish(
        run_id="again",
        required_build=parsed.required_build.model_copy(update={"run_id": "again"}),
        shards=parsed.shards,
        custom=parsed.custom,
    )
    assert old["manifest_ref"] != ref
    for url in (ref, f"{store.s3_prefix}/_CURRENT"):
        target = tmp_path / url.removeprefix(store.s3_prefix + "/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(backend.get(url))
    (tmp_path / "shards").symlink_to(source / "shards")

    def run(*arguments: str) -> Any:
        flags = ["-u", str(tmp_path), "--local-root", str(tmp_path / "cache"), "--output-format", "json"]
        command = [shardy, *flags, *arguments]
        ran = subprocess.run(command, check=True, capture_output=True, env=environment_of_programs())
        return json.loads(ran.stdout)

    told = run("info")
    assert (told["run_id"], told["num_dbs"], told["row_count"]) == ("again", 2, 1000)
    assert told["vector_meta"]["dim"] == 384
    assert run("history")
    assert run("get", "nginx")["found"] is True
