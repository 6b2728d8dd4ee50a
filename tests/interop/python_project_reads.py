#!/usr/bin/env python3
"""Build snapshots with `shardy build` on a real S3 server and read them with the Python project shardyfusion.

    python_project_reads.py SHARDY WITH_S3_SERVER
    python_project_reads.py --there               ends with 77, after a line that says so, where there is no package

Takes the package from this Python, or from the one that SHF_PYTHON_PROJECT names; it needs what its extras for SQLite,
range reads and sqlite-vec need. Every key, absent ones, searches against an exact scan, what the readers say of the snapshot,
its own parser of run records, and its own builder of sidecars against ours. SHF_SIDECAR_FORMAT: its page on the format of
sidecars, whose reference parser is then run too. Prints "N passed, N failed" last; without the package or a server,
one line that says so, and ends with 77.
"""

import asyncio
import base64
import datetime
import gzip
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import building
import python_project_cel
import python_project_vectors
from building import Case, Wrong, expect

BUCKET = "written"
SKIPPED = 77

KV_CASES = [
    Case("kv u64be", 1200, shards=3, values=building.LARGE),
    Case("kv u32be", 500, shards=4, encoding="u32be", page_size=4096),
    Case("kv utf8", 900, shards=3, encoding="utf8", page_size=8192),
    Case("kv raw text", 300, shards=2, encoding="raw", page_size=65536, huge=3),
    Case("kv raw bytes", 700, shards=3, encoding="raw", keys="bytes"),
    Case("kv no rows", 0, shards=2),
    Case("kv more shards than rows", 3, shards=8, encoding="utf8"),
    Case("kv no sidecar", 50, shards=2, sidecar=False),
]
UNIFIED_CASES = [
    Case("unified cosine", 1300, 24, shards=3),
    Case("unified l2 text ids", 1100, 16, "l2", shards=2, encoding="utf8", ids="text", values=building.LARGE),
    Case("unified integer ids", 400, 8, shards=3, encoding="utf8", ids="int", vectors="<f2"),
    Case("unified raw bytes", 300, 48, "l2", encoding="raw", keys="bytes", ids="text", page_size=16384),
    Case("unified wide", 60, 1536, shards=2, encoding="u32be", vectors="<f8", page_size=65536),
    Case("unified one dimension", 1030, 1, "l2", encoding="raw", page_size=4096, vectors="lines"),
    Case("unified no rows", 0, 8, shards=3),
    Case("unified huge values", 40, 384, shards=3, huge=4),
]


class Place:
    """One snapshot on the server."""

    def __init__(self, case, folder):
        self.case, self.folder = case, folder
        self.url = f"s3://{BUCKET}/cases/{re.sub('[^a-z0-9]+', '-', case.name)}"
        self.rows = building.rows_of(case)
        self.options = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": os.environ["AWS_REGION"],
                        "addressing_style": "path"}

    def reader(self, name):
        return {"s3_prefix": self.url, "local_root": str(self.folder / name), "s3_connection_options": self.options}


def absent_keys(case):
    if case.keys == "int":
        most = 2**32 - 1 if case.encoding == "u32be" else building.INT64_MOST
        return [most - 1, most - 12_345, 77_777]
    return [b"\xff\xfe absent", b"\0\0"] if case.keys == "bytes" else ["absent", "key-00000-", "ключ"]


def check_values(answers, place, what):
    for row in place.rows:
        expect(answers.get(row.key) == row.value, f"{what}: key {row.key!r} has another value")
    for key in absent_keys(place.case):
        expect(answers[key] is None, f"{what}: key {key!r} is absent and was found")


def key_in_manifest(case, key):
    return None if case.encoding == "raw" else key  # raw keys may be bytes that are no text


def check_about(reader, place, summary):
    info, case = reader.snapshot_info(), place.case
    expect(info.run_id == summary["run_id"], f"snapshot_info: run {info.run_id}")
    expect((info.num_dbs, info.row_count) == (case.shards, case.rows), f"snapshot_info: {info.num_dbs} {info.row_count}")
    expect(info.sharding.value == "hash" and info.hash_algorithm.value == "xxh3_64", f"snapshot_info: {info.sharding}")
    expect(info.key_encoding.value == case.encoding, f"snapshot_info: {info.key_encoding}")
    expect(info.manifest_ref == summary["manifest_ref"], f"snapshot_info: {info.manifest_ref}")
    age = datetime.datetime.now(datetime.timezone.utc) - info.created_at
    expect(abs(age) < datetime.timedelta(hours=1), f"snapshot_info: made {age} ago")
    expect(reader.health(staleness_threshold=datetime.timedelta(hours=1)).status == "healthy", "health is not healthy")
    by_shard = {}
    for row in place.rows:
        by_shard.setdefault(reader.route_key(row.key), []).append(row.key)
    details = reader.shard_details()
    expect([detail.db_id for detail in details] == list(range(case.shards)), "shard_details: other shards")
    for detail in details:
        keys = by_shard.get(detail.db_id, [])
        expect(detail.row_count == len(keys), f"shard {detail.db_id}: {detail.row_count} rows, {len(keys)} keys route there")
        expect((detail.db_url is not None) == bool(keys), f"shard {detail.db_id}: {detail.db_url}")
        ends = tuple(key_in_manifest(case, key) for key in (min(keys), max(keys))) if keys else (None, None)
        expect((detail.min_key, detail.max_key) == ends, f"shard {detail.db_id}: keys {detail.min_key!r} to {detail.max_key!r}")


def all_keys(place):
    return [row.key for row in place.rows] + absent_keys(place.case)


def read_sync(place, summary, factory, name):
    from shardyfusion import ShardedReader
    reader = ShardedReader(**place.reader(name), reader_factory=factory(s3_connection_options=place.options))
    try:
        check_values(reader.multi_get(all_keys(place)), place, f"{name} multi_get")
        check_values({key: reader.get(key) for key in all_keys(place)}, place, f"{name} get")
        check_about(reader, place, summary)
        expect(reader.refresh() is False, f"{name}: refresh found a change")
    finally:
        reader.close()


async def read_async(place, summary, factory, name):
    from shardyfusion import AsyncShardedReader
    async with await AsyncShardedReader.open(
        **place.reader(name), reader_factory=factory(s3_connection_options=place.options)
    ) as reader:
        check_values(await reader.multi_get(all_keys(place)), place, f"{name} multi_get")
        check_values({key: await reader.get(key) for key in all_keys(place)[::3] + absent_keys(place.case)},
                     sampled(place), f"{name} get")
        check_about(reader, place, summary)


def sampled(place):
    """The same with every third row."""
    part = object.__new__(Place)
    part.__dict__.update(place.__dict__, rows=place.rows[::3])
    return part


def check_search(answer, place, query, top_k, what):
    distances = building.each_distance(place.case, query, place.rows)
    building.check_hits(what, [(hit.id, hit.score) for hit in answer.results], distances, top_k)
    payloads = {row.id: row.payload for row in place.rows}
    for hit in answer.results:
        expect(hit.payload == payloads[hit.id], f"{what}: the payload of {hit.id!r} is {json.dumps(hit.payload)}")


async def read_unified(place, summary, factory, name):
    import numpy
    from shardyfusion import AsyncUnifiedShardedReader
    chosen = {"reader_factory": factory(s3_connection_options=place.options)} if factory else {}
    async with await AsyncUnifiedShardedReader.open(**place.reader(name), **chosen) as reader:
        check_values(await reader.multi_get(all_keys(place)), place, f"{name} multi_get")
        check_values({key: await reader.get(key) for key in all_keys(place)[::3] + absent_keys(place.case)},
                     sampled(place), f"{name} get")
        check_about(reader, place, summary)
        meta = reader.vector_meta
        expect((meta.dim, meta.metric.value, meta.backend) == (place.case.dimension, place.case.metric, "sqlite-vec"),
               f"{name}: vector_meta {meta}")
        for number, query in enumerate(building.queries_of(place.case, place.rows)):
            for top_k in (1, 10, 1500):
                answer = await reader.search(numpy.array(query, dtype=numpy.float32), top_k)
                check_search(answer, place, query, top_k, f"{name}, query {number}, top {top_k}")


def read_unified_sync(place, summary):
    import numpy
    from shardyfusion import UnifiedShardedReader
    reader = UnifiedShardedReader(**place.reader("unified sync"))
    try:
        check_values(reader.multi_get(all_keys(place)), place, "UnifiedShardedReader")
        query = building.queries_of(place.case, place.rows)[0]
        answer = reader.search(numpy.array(query, dtype=numpy.float32), 20)
        check_search(answer, place, query, 20, "UnifiedShardedReader")
    finally:
        reader.close()


# ---- objects: run records, sidecars ----

def store_of(place):
    from shardyfusion.storage import ObstoreBackend, create_s3_store
    return ObstoreBackend(create_s3_store(BUCKET, connection_options=place.options))


def names_below(place, url):
    import obstore
    from shardyfusion.storage import create_s3_store
    store = create_s3_store(BUCKET, connection_options=place.options)
    return [item["path"] for page in obstore.list(store, url.split("/", 3)[3] + "/") for item in page]


CONTENT_TYPES = {"shard.db": "application/x-sqlite3", "shard.sidecar": "application/octet-stream", "_CURRENT": "application/json",
                 "manifest": "application/x-sqlite3", "run.yaml": "application/x-yaml"}


def check_content_types(place):
    import obstore
    from shardyfusion.storage import create_s3_store
    store = create_s3_store(BUCKET, connection_options=place.options)
    for name in names_below(place, place.url):
        kind = obstore.get(store, name).attributes.get("Content-Type")
        expect(kind == CONTENT_TYPES[name.rsplit("/", 1)[1]], f"{name} is put as {kind}")


def check_run_record(place, summary):
    from shardyfusion.run_registry import parse_run_record
    names = names_below(place, place.url + "/runs")
    expect(len(names) == 1, f"run records: {names}")
    record = parse_run_record(store_of(place).get(f"s3://{BUCKET}/{names[0]}"))
    expect(record.status.value == "succeeded" and record.run_id == summary["run_id"], f"run record: {record}")
    expect(record.manifest_ref == summary["manifest_ref"] and record.s3_prefix == place.url, f"run record: {record}")


def reference_parser():
    """The Python block of the project's page on the format, where SHF_SIDECAR_FORMAT says it is."""
    page = os.environ.get("SHF_SIDECAR_FORMAT")
    if not page:
        return None
    code = re.search(r"^```python\n(.*?^def parse_sidecar.*?)^```", pathlib.Path(page).read_text(), re.S | re.M).group(1)
    names = {}
    exec(compile(code, page, "exec"), names)
    return names["parse_sidecar"]


def check_sidecar(place, shard, parse):
    import zstandard
    from shardyfusion import sqlite_adapter
    backend = store_of(place)
    file = backend.get(shard["db_url"] + "/shard.db")
    names = sorted(name.rsplit("/", 1)[1] for name in names_below(place, shard["db_url"]))
    expect(names == ["shard.db"] + ["shard.sidecar"] * place.case.sidecar, f"{shard['db_url']} has {names}")
    if not place.case.sidecar:
        return
    sidecar = backend.get(shard["db_url"] + "/shard.sidecar")
    path = place.folder / "sidecar.db"
    path.write_bytes(file)
    tag = backend.head(shard["db_url"] + "/shard.db")
    theirs = sqlite_adapter.extract_sidecar(path, db_tag=tag)
    head = 18 + len(tag)
    expect(sidecar[:head] == theirs[:head], f"{shard['db_url']}: the sidecar begins {sidecar[:head]!r}, theirs {theirs[:head]!r}")
    ours, other = (zstandard.ZstdDecompressor().decompress(blob[head:]) for blob in (sidecar, theirs))
    expect(ours == other, f"{shard['db_url']}: the sidecar's body is not what the project makes of this file")
    if parse:
        size = int.from_bytes(file[16:18], "big")
        size = 65536 if size == 1 else size
        parsed_tag, body_size, page_size, pages, _ = parse(sidecar)
        expect((parsed_tag, body_size, page_size) == (tag, len(ours), size), "the reference parser reads another head")
        for number, page in pages:
            expect(len(page) == size, f"page {number} has {len(page)} bytes")


def read_case(place, summary):
    from shardyfusion import sqlite_adapter as kv
    from shardyfusion import sqlite_vec_adapter as vec
    if place.case.dimension:
        asyncio.run(read_unified(place, summary, None, "unified, chosen by itself"))
        asyncio.run(read_unified(place, summary, vec.AsyncSqliteVecReaderFactory, "unified, download"))
        asyncio.run(read_unified(place, summary, vec.AsyncSqliteVecRangeReaderFactory, "unified, range"))
        read_unified_sync(place, summary)
    else:
        read_sync(place, summary, kv.AdaptiveSqliteReaderFactory, "chosen by itself")
        read_sync(place, summary, kv.SqliteReaderFactory, "download")
        read_sync(place, summary, kv.SqliteRangeReaderFactory, "range")
        asyncio.run(read_async(place, summary, kv.AsyncSqliteReaderFactory, "async, download"))
        asyncio.run(read_async(place, summary, kv.AsyncSqliteRangeReaderFactory, "async, range"))
        asyncio.run(read_async(place, summary, kv.AsyncAdaptiveSqliteReaderFactory, "async, chosen by itself"))


def check(shardy, case, parse):
    with tempfile.TemporaryDirectory() as folder:
        place = Place(case, pathlib.Path(folder))
        summary = building.build(shardy, place.folder, case, place.rows, place.url)
        read_case(place, summary)
        check_run_record(place, summary)
        check_content_types(place)
        for shard in summary["shards"]:
            if shard["row_count"]:
                check_sidecar(place, shard, parse)


def check_refresh(shardy):
    """A reader that is open when the next run is published; then the history of both, and the way back."""
    from shardyfusion import ShardedReader
    from shardyfusion.manifest_store import S3ManifestStore
    from shardyfusion.sqlite_adapter import SqliteReaderFactory
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Case("refresh", 300, shards=2), pathlib.Path(folder))
        first = building.build(shardy, place.folder, place.case, place.rows, place.url, "--run-id", "2026")  # a text still
        factory = SqliteReaderFactory(s3_connection_options=place.options)
        reader = ShardedReader(**place.reader("refresh"), reader_factory=factory)
        old = {row.key: row.value for row in place.rows}
        for row in place.rows:
            row.value += b" again"
        second = building.build(shardy, place.folder, place.case, place.rows, place.url)
        expect(reader.multi_get(list(old)) == old, "before the refresh the reader has other values")
        expect(reader.refresh() is True, "refresh finds no change")
        check_values(reader.multi_get(all_keys(place)), place, "after the refresh")
        expect(reader.snapshot_info().run_id == second["run_id"], "after the refresh the run is another")
        store = S3ManifestStore(store_of(place), place.url)
        history = [(ref.run_id, ref.ref) for ref in store.list_manifests()]
        expect(history == [(run["run_id"], run["manifest_ref"]) for run in (second, first)], f"history: {history}")
        store.set_current(first["manifest_ref"])
        expect(reader.refresh() is True and reader.multi_get(list(old)) == old, "set back, the reader has other values")
        info = building.call([shardy, "-u", place.url, "--local-root", str(place.folder / "ours"), "info", "--output-format", "json"])
        expect(f'"{first["run_id"]}"' in info, f"set back by the project, shardy opens another: {info}")
        reader.close()


async def read_packages(place, rows, queries, **factory):
    import numpy
    from shardyfusion import AsyncUnifiedShardedReader
    async with await AsyncUnifiedShardedReader.open(**place.reader("packages"), **factory) as reader:
        some = rows[::40]
        answers = await reader.multi_get([row["key"] for row in some] + ["no-such-package"])
        expect(answers.pop("no-such-package") is None, "an absent package is found")
        expect(answers == {row["key"]: row["value"].encode() for row in some}, "packages have other values")
        for query in queries:
            answer = await reader.search(numpy.frombuffer(base64.b64decode(query["vector"]), dtype="<f4"), 10)
            wanted = query["cosine"]["top10"]
            expect([hit.id for hit in answer.results] == [hit["id"] for hit in wanted], f"{query['text']}: {answer.results}")
            for hit, known in zip(answer.results, wanted):
                expect(building.close(hit.score, known["distance"]), f"{query['text']}: {hit.id} at {hit.score}")


def check_packages(shardy, parse, folder):
    """20,000 real rows in one shard: so large that the package, left to choose, reads it by ranges."""
    from shardyfusion.sqlite_vec_adapter import AsyncSqliteVecReaderFactory
    rows, queries = ([json.loads(line) for line in gzip.open(folder / name, "rt", encoding="utf-8")]
                     for name in ("packages.jsonl.gz", "queries.jsonl.gz"))
    with tempfile.TemporaryDirectory() as name:
        place = Place(Case("packages", 0, 384), pathlib.Path(name))
        summary = json.loads(building.call([shardy, "build", str(folder / "packages.jsonl.gz"), "--output", place.url,
                                            "--vectors", str(folder / "vectors.npy"), "--num-dbs", "1"]))
        expect(summary["shards"][0]["db_bytes"] >= 16 << 20, "the shard is smaller than it is meant to be")
        asyncio.run(read_packages(place, rows, queries[:2]))  # each reads all of it, page by page
        download = AsyncSqliteVecReaderFactory(s3_connection_options=place.options)
        asyncio.run(read_packages(place, rows, queries, reader_factory=download))
        check_sidecar(place, summary["shards"][0], parse)


def version_of_the_project():
    try:
        return importlib.metadata.version("shardyfusion")
    except importlib.metadata.PackageNotFoundError:
        return "from its sources"


def inside(shardy):
    """On the server that the environment speaks of, in the Python that has the package."""
    parse = reference_parser()
    failed = 0
    print("shardyfusion " + version_of_the_project())
    checks = [(case.name, lambda case=case: check(shardy, case, parse)) for case in KV_CASES + UNIFIED_CASES]
    checks.append(("refresh, history, going back", lambda: check_refresh(shardy)))
    if python_project_cel.is_there():
        checks += python_project_cel.checks(shardy, BUCKET)
    else:
        print("no cel_expr_python here: snapshots sharded by expressions were not read")
    if python_project_vectors.is_there():
        checks += python_project_vectors.checks(shardy, BUCKET)
    else:
        print("no shardyfusion.vector or no sqlite_vec here: snapshots of vectors alone were not read")
    packages = pathlib.Path(os.environ.get("SHF_SHARED", "../shared")) / "fixtures" / "packages20k"
    if packages.is_dir():
        checks.append(("real packages", lambda: check_packages(shardy, parse, packages)))
    else:
        print(f"no real packages at {packages} (set SHF_SHARED)")
    for name, run in checks:
        try:
            run()
        except Exception as problem:  # whatever the package raises is a finding
            failed += 1
            print(f"{name}: {'' if isinstance(problem, Wrong) else type(problem).__name__ + ': '}{problem}")
    print("the reference parser of sidecars: " + ("ran on every one" if parse else "not run (SHF_SIDECAR_FORMAT is not set)"))
    print(f"{len(checks) - failed} passed, {failed} failed")
    return 1 if failed else 0


def skip(why):
    print(f"{why}: this leg did not run")
    sys.exit(SKIPPED)


def main():
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(inside(sys.argv[2]))
    if len(sys.argv) != 3 and sys.argv[1:] != ["--there"]:
        sys.exit(__doc__)
    python = os.environ.get("SHF_PYTHON_PROJECT")
    if not python and importlib.util.find_spec("shardyfusion") is None:
        skip("the Python project shardyfusion is not importable here")
    if len(sys.argv) == 2:
        return
    shardy, server = (str(pathlib.Path(argument).resolve()) for argument in sys.argv[1:])
    with tempfile.TemporaryDirectory() as empty:
        command = [server, empty, BUCKET, "-", "--", python or sys.executable, __file__, "--inside", shardy]
        code = subprocess.run(command, timeout=1800).returncode
    if code == SKIPPED:
        skip("there is no S3 server (SHF_VERSITYGW)")
    sys.exit(code)


main()
