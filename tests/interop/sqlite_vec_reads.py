#!/usr/bin/env python3
"""Build snapshots with `shardy build` and open what it wrote with SQLite and the real sqlite-vec.

    sqlite_vec_reads.py SHARDY        needs the packages sqlite-vec, xxhash and pyyaml, and a Python that loads SQLite extensions

Every shard: integrity_check with and without the extension, every row to the bit, all tables of the index equal to those
of a twin that sqlite-vec itself wrote, the same nearest rows as the twin to the bit and as an exact scan in float64;
`shardy search` against the same scan; then, on a copy, INSERT, UPDATE, DELETE and VACUUM. The manifest, _CURRENT and
run.yaml, member by member. Prints "N passed, N failed" last.
"""

import base64
import datetime
import hashlib
import json
import pathlib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile

import sqlite_vec
import xxhash
import yaml

import building
from building import Case, Wrong, close, expect

WRITTEN_VERSION = "v0.1.9"  # whose files ours are to be like
CASES = [
    Case("nothing at all", 0, 8),
    Case("nothing, three shards", 0, 8, "l2", shards=3, encoding="utf8", vectors="<f8"),
    Case("key-value, nothing", 0),
    Case("one row", 1, 384),
    Case("one dimension, a row short of a chunk", 1023, 1, "l2", values=building.LARGE),
    Case("one dimension, cosine: nothing but ties", 1500, 1),
    Case("a full chunk", 1024, 8, "cosine", encoding="u32be", page_size=4096),
    Case("a chunk and a row", 1025, 8, "l2", ids="text", page_size=8192),
    Case("two chunks and a bit", 2500, 8, shards=1, encoding="utf8", ids="int", page_size=16384, vectors="<f2"),
    Case("three shards", 2500, 8, "l2", shards=3, encoding="utf8", ids="text", vectors="lines"),
    Case("three shards, ties", 2500, 2, "l2", shards=3, encoding="raw", vectors="<f2"),
    Case("key-value, three shards", 2500, shards=3, values=building.LARGE, huge=6),
    Case("key-value, bytes", 1025, shards=3, encoding="raw", keys="bytes", page_size=65536, values=building.LARGE),
    Case("key-value, u32be", 1500, encoding="u32be", page_size=4096, huge=2),
    Case("embeddings, three shards", 1025, 384, shards=3, page_size=32768, huge=3),
    Case("embeddings, 64 KiB pages", 300, 384, "l2", encoding="raw", ids="int", page_size=65536, vectors="<f8"),
    Case("wide", 150, 1536, "cosine", shards=3, encoding="utf8", values=building.LARGE),
    Case("widest", 40, 4096, "l2", shards=1, encoding="raw", keys="bytes", ids="text", payloads=False, page_size=4096),
    Case("widest, cosine", 20, 4096, "cosine", shards=3, encoding="u32be", vectors="<f2", sidecar=False),
]
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
MANIFEST_TABLES = {
    "build_meta": "CREATE TABLE build_meta ( run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL, "
    "s3_prefix TEXT NOT NULL, key_col TEXT NOT NULL, sharding TEXT NOT NULL, db_path_template TEXT NOT NULL, "
    "shard_prefix TEXT NOT NULL, format_version INTEGER NOT NULL, key_encoding TEXT NOT NULL, "
    "custom TEXT NOT NULL DEFAULT '{}' )",
    "shards": "CREATE TABLE shards ( db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, attempt INTEGER NOT NULL, "
    "row_count INTEGER NOT NULL, db_bytes INTEGER NOT NULL, min_key TEXT, max_key TEXT, checkpoint_id TEXT, "
    "writer_info TEXT NOT NULL DEFAULT '{}' )",
}
KV_TABLE = "CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID"
INDEX_TABLES = ("vec_index_info", "vec_index_chunks", "vec_index_rowids", "vec_index_vector_chunks00", "sqlite_sequence")


def connect(path, extension=True):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")  # nothing here outlives the run
    if extension:
        connection.enable_load_extension(True)
        sqlite_vec.load(connection)
        connection.enable_load_extension(False)
    return connection


def rows_in(connection, sql, *values):
    return connection.execute(sql, values).fetchall()


def expect_whole(connection, what):
    answer = rows_in(connection, "PRAGMA integrity_check")
    expect(answer == [("ok",)], f"{what}: integrity_check says {answer[:3]}")


# ---- what lies around the shards ----

def shard_of(key, shards):
    raw = key.to_bytes(8, "little") if isinstance(key, int) else key.encode() if isinstance(key, str) else key
    return xxhash.xxh3_64_intdigest(raw) % shards


def by_shard(case, rows):
    shards = {}
    for row in rows:
        shards.setdefault(shard_of(row.key, case.shards), []).append(row)
    return shards


def check_current(root, summary):
    text = (root / "_CURRENT").read_text()
    current = json.loads(text)
    expect(text == json.dumps(current, sort_keys=True, separators=(",", ":")), f"_CURRENT is no compact, sorted JSON: {text}")
    expect(re.fullmatch(TIME, current.pop("updated_at")), f"_CURRENT: updated_at in {text}")
    wanted = {"format_version": 1, "manifest_content_type": "application/x-sqlite3", "run_id": summary["run_id"],
              "manifest_ref": summary["manifest_ref"]}
    expect(current == wanted, f"_CURRENT is {text}")
    place = re.fullmatch(rf"{re.escape(root.as_uri())}/(manifests/({TIME})_run_id=([0-9a-f]{{32}})/manifest)", current["manifest_ref"])
    expect(place and place.group(3) == summary["run_id"], f"_CURRENT leads to {current['manifest_ref']}")
    return root / place.group(1)


def check_run_record(root, summary):
    folders = list((root / "runs").iterdir())
    expect(len(folders) == 1, f"run records: {folders}")
    expect(re.fullmatch(rf"{TIME}_run_id={summary['run_id']}_[0-9a-f]{{32}}", folders[0].name), f"run record: {folders[0].name}")
    text = (folders[0] / "run.yaml").read_text()
    record = yaml.safe_load(text)
    expect(list(record) == sorted(record) and text.count("\n") == len(record), "run.yaml is no sorted block mapping")
    times = [record.pop(name) for name in ("started_at", "updated_at", "lease_expires_at")]
    for time in times:  # a date without quotes would not be a text here
        expect(isinstance(time, str) and re.fullmatch(TIME, time), f"run.yaml: {time!r} is no quoted date")
    expect(times[0] <= times[1] == times[2], f"run.yaml: times {times}")
    expect(isinstance(record.pop("writer_type"), str), "run.yaml: writer_type is no text")
    wanted = {"db_path_template": "db={db_id:05d}", "error_message": None, "error_type": None, "format_version": 1,
              "manifest_ref": summary["manifest_ref"], "run_id": summary["run_id"], "s3_prefix": root.as_uri(),
              "shard_prefix": "shards", "status": "succeeded"}
    expect(record == wanted, f"run.yaml has {record}")


def check_custom(root, case, text, files):
    custom = json.loads(text)
    expect(text == json.dumps(custom, sort_keys=True), "custom is not written as Python writes it")
    objects = {name: f"{len(data)} {hashlib.sha256(data).hexdigest()}" for name, data in files.items()}
    expect(custom.pop("shf_objects", {}) == objects, "custom: shf_objects is not what was written")
    wanted = {}
    if case.sidecar:
        wanted["sqlite_sidecar"] = {"codec": "zstd", "filename": "shard.sidecar", "format_version": 8, "page_size": case.page_size}
    if case.dimension:
        wanted["vector"] = {"backend": "sqlite-vec", "dim": case.dimension, "index_type": "hnsw", "kv_backend": "sqlite-vec",
                            "metric": case.metric, "quantization": None, "unified": True}
    expect(custom == wanted, f"custom is {custom}")


def shown(case, key):
    return None if case.encoding == "raw" else json.dumps(key)


def check_shard_row(root, case, summary, answer, keys):
    shard, url, attempt, count, size, least, most, checkpoint, info = answer
    expect(url == f"{root.as_uri()}/shards/run_id={summary['run_id']}/db={shard:05d}/attempt=00", f"shards: {url}")
    expect((attempt, count) == (0, len(keys)), f"shard {shard}: attempt {attempt}, {count} rows of {len(keys)}")
    file = path_of(root, url) / "shard.db"
    expect(size == file.stat().st_size, f"shard {shard}: db_bytes {size}, the file has {file.stat().st_size}")
    expect((least, most) == (shown(case, min(keys)), shown(case, max(keys))), f"shard {shard}: keys {least} to {most}")
    expect(re.fullmatch("[0-9a-f]{32}", checkpoint), f"shard {shard}: checkpoint {checkpoint}")
    told = json.loads(info)
    expect(info == json.dumps(told, sort_keys=True) and isinstance(told.pop("duration_ms"), int), f"shard {shard}: {info}")
    expect(told == {"attempt": 0, "stage_id": None, "task_attempt_id": None}, f"shard {shard}: {info}")
    return file


def path_of(root, url):
    return root / url[len(root.as_uri()) + 1:]


def check_manifest(root, case, summary, path, shards):
    """Returns the shard files by shard."""
    head = path.read_bytes()[:100]
    expect(head[:16] == b"SQLite format 3\0" and head[18:20] == b"\1\1", f"the manifest begins {head[:20]}")
    connection = connect(path, extension=False)
    expect_whole(connection, "manifest")
    tables = {name: " ".join(sql.split()) for name, sql in rows_in(connection, "SELECT name, sql FROM sqlite_schema")}
    expect(tables == MANIFEST_TABLES, f"the manifest's tables are {tables}")
    names = [column[1] for column in rows_in(connection, "PRAGMA table_info(build_meta)")]
    metas = [dict(zip(names, meta)) for meta in rows_in(connection, "SELECT * FROM build_meta")]
    expect(len(metas) == 1, f"build_meta has {len(metas)} rows")
    meta, custom = metas[0], metas[0].pop("custom")
    expect(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", meta["created_at"]), f"created_at {meta['created_at']}")
    made = datetime.datetime.fromisoformat(meta.pop("created_at").replace("Z", "+00:00"))
    expect(abs(datetime.datetime.now(datetime.timezone.utc) - made) < datetime.timedelta(hours=1), f"created at {made}")
    sharding = {"cel_columns": None, "cel_expr": None, "hash_algorithm": "xxh3_64", "routing_values": None, "strategy": "hash"}
    wanted = {"run_id": summary["run_id"], "num_dbs": case.shards, "s3_prefix": root.as_uri(), "key_col": "_key",
              "sharding": json.dumps(sharding, sort_keys=True), "db_path_template": "db={db_id:05d}",
              "shard_prefix": "shards", "format_version": 4, "key_encoding": case.encoding}
    expect(meta == wanted, f"build_meta is {meta}")
    answers = rows_in(connection, "SELECT * FROM shards ORDER BY db_id")
    expect([answer[0] for answer in answers] == sorted(shards), f"shards: rows for {[answer[0] for answer in answers]}")
    files = {answer[0]: check_shard_row(root, case, summary, answer, [row.key for row in shards[answer[0]]]) for answer in answers}
    connection.close()
    objects = {str(path.relative_to(root)): path.read_bytes() for path in sorted((root / "shards").rglob("shard.*"))}
    expect(len(objects) == len(files) * (1 + case.sidecar), f"{len(objects)} objects of {len(files)} shards")
    check_custom(root, case, custom, objects)
    return files


# ---- shards ----

def write_twin(path, case, rows):
    """The same rows in the same order, by sqlite-vec."""
    connection = connect(path)
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("BEGIN")
    connection.execute(KV_TABLE)
    connection.execute(
        f"CREATE VIRTUAL TABLE vec_index USING vec0(embedding float[{case.dimension}] distance_metric={case.metric})")
    connection.execute("CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL)")
    connection.execute("CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL)")
    connection.executemany("INSERT INTO vec_index (rowid, embedding) VALUES (?, ?)",
                           ((rowid, building.packed(row.vector)) for rowid, row in enumerate(rows)))
    connection.execute("COMMIT")
    return connection


def check_file(case, path):
    head = path.read_bytes()[:100]
    size = int.from_bytes(head[16:18], "big")
    size = 65536 if size == 1 else size
    expect(size == case.page_size or (case.page_size == "auto" and 4096 <= size <= 65536), f"{path.name}: pages of {size}")
    expect(head[18:21] == b"\1\1\0" and head[56:60] == b"\0\0\0\1", f"{path.name}: its header is {head.hex()}")
    expect(path.stat().st_size == size * int.from_bytes(head[28:32], "big"), f"{path.name}: another size than its header's")
    connection = connect(path, extension=False)
    expect_whole(connection, "without sqlite-vec")
    expect(rows_in(connection, "PRAGMA freelist_count") == [(0,)], f"{path.name} has free pages")
    connection.close()


def check_kv(connection, rows):
    stored = {row.stored_key: row.value for row in rows}
    answers = rows_in(connection, "SELECT k, v, typeof(k), typeof(v) FROM kv")
    expect([answer[0] for answer in answers] == sorted(stored), "kv has other keys")
    for key, value, key_type, value_type in answers:
        expect((key_type, value_type) == ("blob", "blob") and value == stored[key], f"kv: key {key.hex()} has another value")
    for key in list(stored)[::7]:  # through the tree, not along it
        expect(rows_in(connection, "SELECT v FROM kv WHERE k = ?", key) == [(stored[key],)], f"kv: key {key.hex()} is not found")


def schema_of(connection):
    return rows_in(connection, "SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid")


def index_tables(twin):
    """Older versions name themselves in vec_index_info, or do not have it."""
    return INDEX_TABLES if version_of(twin) == WRITTEN_VERSION else INDEX_TABLES[1:]


def version_of(connection):
    return rows_in(connection, "SELECT vec_version()")[0][0]


def check_tables(connection, twin):
    schemas = [[entry for entry in schema_of(each) if version_of(twin) == WRITTEN_VERSION or entry[2] != "vec_index_info"]
               for each in (connection, twin)]
    expect(schemas[0] == schemas[1], f"schema is {schemas[0]}")
    for table in index_tables(twin):
        answers = [sorted(rows_in(each, f"SELECT rowid, * FROM {table}"), key=repr) for each in (connection, twin)]
        if table == "sqlite_sequence":
            answers = [[row[1:] for row in answer] for answer in answers]
        expect(sorted(answers[0]) == sorted(answers[1]), f"{table} is not as sqlite-vec writes it")


def in_stored_order(connection, rows):
    """The rows as the id map has them."""
    known = {json.dumps({"v": row.id, "t": "int" if isinstance(row.id, int) else "str"}): row for row in rows}
    answers = rows_in(connection, "SELECT internal_id, original_id FROM vec_id_map ORDER BY internal_id")
    expect([rowid for rowid, _ in answers] == list(range(len(rows))), "vec_id_map: rowids are not 0, 1, 2, ...")
    expect({text for _, text in answers} == set(known), "vec_id_map has other ids")
    return [known[text] for _, text in answers]


def check_payloads(connection, ordered):
    wanted = {rowid: row.payload for rowid, row in enumerate(ordered) if row.payload is not None}
    answers = rows_in(connection, "SELECT rowid, payload, typeof(payload) FROM vec_payloads")
    expect({rowid: json.loads(text) for rowid, text, _ in answers} == wanted, "vec_payloads has other payloads")
    expect({kind for _, _, kind in answers} <= {"text"}, "vec_payloads: not all are texts")


def nearest(connection, query, top_k):
    return rows_in(connection, "SELECT rowid, distance FROM vec_index WHERE embedding MATCH ? AND k = ?",
                   building.packed(query), top_k)


def check_index(connection, twin, ordered, distances, found):
    """Appends to found[query, top_k] the distances of this shard."""
    check_tables(connection, twin)
    answers = rows_in(connection, "SELECT rowid, embedding FROM vec_index")
    expect(answers == [(rowid, building.packed(row.vector)) for rowid, row in enumerate(ordered)], "vec_index has other vectors")
    for number, (query, known) in enumerate(distances):
        here = {row.id: known[row.id] for row in ordered}
        for top_k in (1, 10, 1500):
            hits = nearest(connection, query, top_k)
            expect(hits == nearest(twin, query, top_k), f"query {number}, top {top_k}: not what sqlite-vec finds in its own file")
            hits = [(ordered[rowid].id, score) for rowid, score in hits]
            building.check_hits(f"query {number}, top {top_k}", hits, here, top_k)
            found.setdefault((number, top_k), []).extend(score for _, score in hits)


def check_changes(path, case, ordered, source):
    """sqlite-vec and SQLite go on with the file as with one of their own."""
    connection, vectors = connect(path), {rowid: row.vector for rowid, row in enumerate(ordered)}
    kv = {row.stored_key: row.value for row in ordered}
    made = building.vectors_of(source, 3, case.dimension, "<f4")
    connection.execute("INSERT INTO vec_index (embedding) VALUES (?)", (building.packed(made[0]),))
    last = len(ordered) if ordered else 1  # what AUTOINCREMENT gives
    vectors[last] = made[0]
    connection.execute("INSERT INTO vec_index (rowid, embedding) VALUES (?, ?)", (last + 5000, building.packed(made[1])))
    vectors[last + 5000] = made[1]
    for rowid in source.sample(range(len(ordered)), len(ordered) // 3):
        connection.execute("DELETE FROM vec_index WHERE rowid = ?", (rowid,))
        connection.execute("DELETE FROM kv WHERE k = ?", (ordered[rowid].stored_key,))
        del vectors[rowid], kv[ordered[rowid].stored_key]
    changed = min(vectors)
    connection.execute("UPDATE vec_index SET embedding = ? WHERE rowid = ?", (building.packed(made[2]), changed))
    vectors[changed] = made[2]
    check_changed(connection, case, vectors, kv, source, "changed")
    connection.execute("VACUUM")
    check_changed(connection, case, vectors, kv, source, "vacuumed")
    connection.close()


def check_changed(connection, case, vectors, kv, source, what):
    key, value = source.randbytes(50), source.randbytes(9000)
    connection.execute("INSERT INTO kv VALUES (?, ?)", (key, value))
    kv[key] = value
    expect_whole(connection, what)
    expect(dict(rows_in(connection, "SELECT k, v FROM kv")) == kv, f"{what}: kv has other rows")
    query = building.vectors_of(source, 1, case.dimension, "<f4")[0]
    distances = {rowid: building.exact(case.metric, query, vector) for rowid, vector in vectors.items()}
    building.check_hits(what, nearest(connection, query, 30), distances, 30)


def check_kv_changes(path, rows, source):
    connection, kv = connect(path, extension=False), {row.stored_key: row.value for row in rows}
    for key in source.sample(sorted(kv), len(kv) // 3):
        connection.execute("DELETE FROM kv WHERE k = ?", (key,))
        del kv[key]
    for _ in range(20):
        key, value = source.randbytes(20), source.randbytes(source.choice((0, 10, 20_000)))
        connection.execute("INSERT INTO kv VALUES (?, ?)", (key, value))
        kv[key] = value
    for what in ("changed", "vacuumed"):
        expect_whole(connection, what)
        expect(rows_in(connection, "SELECT k, v FROM kv") == sorted(kv.items()), f"{what}: kv has other rows")
        connection.execute("VACUUM")
    connection.close()


def check_shard(case, path, rows, folder, distances, found):
    check_file(case, path)
    connection = connect(path)
    expect_whole(connection, "with sqlite-vec")
    check_kv(connection, rows)
    source, copy = random.Random(path.name + case.name), folder / "copy.db"
    shutil.copyfile(path, copy)
    if not case.dimension:
        expect(schema_of(connection) == [("table", "kv", "kv", KV_TABLE)], f"schema is {schema_of(connection)}")
        check_kv_changes(copy, rows, source)
    else:
        ordered = in_stored_order(connection, rows)
        check_payloads(connection, ordered)
        (folder / "twin.db").unlink(missing_ok=True)
        twin = write_twin(folder / "twin.db", case, ordered)
        check_index(connection, twin, ordered, distances, found)
        twin.close()
        check_changes(copy, case, ordered, source)
    connection.close()


# ---- shardy itself ----

def check_search(shardy, root, folder, rows, distances, found):
    lines, asked = "", []
    for number, (query, known) in enumerate(distances):
        for top_k in (1, 10, 1500):
            lines += json.dumps({"vector_base64": base64.b64encode(building.packed(query)).decode(), "top_k": top_k}) + "\n"
            asked.append((known, top_k, sorted(found.get((number, top_k), []))[:top_k]))
    text = building.call([shardy, "search", "-u", str(root), "--local-root", str(folder / "cache"), "--output-format",
                          "jsonl", "--queries", "-"], lines)
    answers = [json.loads(line)["results"] for line in text.splitlines()]
    expect(len(answers) == len(asked), f"shardy search: {len(answers)} answers to {len(asked)} queries")
    payloads = {row.id: row.payload for row in rows}
    for number, (hits, (known, top_k, theirs)) in enumerate(zip(answers, asked)):
        building.check_hits(f"shardy search {number}", [(hit["id"], hit["score"]) for hit in hits], known, top_k)
        expect(all(close(hit["score"], score) for hit, score in zip(hits, theirs, strict=True)),
               f"shardy search {number}: other distances than sqlite-vec's")
        for hit in hits:
            expect(hit["payload"] == payloads[hit["id"]], f"shardy search {number}: the payload of {hit['id']!r} differs")


def check(shardy, case):
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        root, rows = folder / "snapshot", building.rows_of(case)
        summary = building.build(shardy, folder, case, rows, str(root))
        expect((summary["rows"], summary["num_dbs"]) == (case.rows, case.shards), f"the summary says {summary}")
        shards = by_shard(case, rows)
        files = check_manifest(root, case, summary, check_current(root, summary), shards)
        check_run_record(root, summary)
        queries = building.queries_of(case, rows) if case.dimension else []
        distances = [(query, building.each_distance(case, query, rows)) for query in queries]
        found = {}
        for shard, path in files.items():
            check_shard(case, path, shards[shard], folder, distances, found)
        if case.dimension:
            check_search(shardy, root, folder, rows, distances, found)


def run_records(root):
    return [yaml.safe_load(path.read_text()) for path in sorted((root / "runs").glob("*/run.yaml"))]


def check_failure(shardy):
    """A build that fails says so in its run record, whatever texts are in that, and publishes nothing."""
    case = Case("failure", 30, encoding="utf8")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        root, rows = folder / "it's: #1 - \"é\" {x} | 漢字", building.rows_of(case)
        rows[3].key = rows[20].key
        try:
            building.build(shardy, folder, case, rows, str(root), "--run-id", "20261126")
        except Wrong as problem:
            expect("have the same key" in str(problem), f"another error than expected: {problem}")
        else:
            raise Wrong("a key that comes twice was built")
        expect(not (root / "_CURRENT").exists() and not list(root.glob("manifests/*")), "something was published")
        record = run_records(root)[0]
        expect((record["status"], record["run_id"], record["manifest_ref"]) == ("failed", "20261126", None), f"run.yaml: {record}")
        expect(record["s3_prefix"] == f"file://{root}", f"run.yaml: {record}")
        expect(isinstance(record["error_type"], str) and "have the same key" in record["error_message"], f"run.yaml: {record}")


def check_duplicates(shardy):
    """--on-duplicate last: the last row whole, its vector and payload too."""
    case = Case("duplicates", 1500, 8, shards=2, encoding="utf8", ids="text")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name).resolve()
        root, rows = folder / "snapshot", building.rows_of(case)
        for row, later in zip(rows[:400], rows[900:1300]):  # the same key and id, again
            later.key, later.stored_key, later.id = row.key, row.stored_key, row.id
        summary = building.build(shardy, folder, case, rows, str(root), "--on-duplicate", "last")
        rows = list({row.key: row for row in rows}.values())
        expect((summary["rows"], summary["replaced"]) == (1100, 400), f"the summary says {summary}")
        distances = [(query, building.each_distance(case, query, rows)) for query in building.queries_of(case, rows)]
        shards, found = by_shard(case, rows), {}
        for shard, path in check_manifest(root, case, summary, check_current(root, summary), shards).items():
            check_shard(case, path, shards[shard], folder, distances, found)
        check_search(shardy, root, folder, rows, distances, found)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    shardy = str(pathlib.Path(sys.argv[1]).resolve())
    version = connect(":memory:").execute("SELECT vec_version()").fetchone()[0]
    print(f"sqlite-vec {version}, SQLite {sqlite3.sqlite_version}")
    failed = 0
    checks = [(case.name, lambda case=case: check(shardy, case)) for case in CASES]
    checks += [("a build that fails", lambda: check_failure(shardy)), ("rows given twice", lambda: check_duplicates(shardy))]
    for name, run in checks:
        try:
            run()
        except (Wrong, OSError, ValueError, KeyError, sqlite3.Error, subprocess.SubprocessError) as problem:
            failed += 1
            print(f"{name}: {'' if isinstance(problem, Wrong) else type(problem).__name__ + ': '}{problem}")
    print(f"{len(checks) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
