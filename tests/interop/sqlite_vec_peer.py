#!/usr/bin/env python3
"""Write snapshots with the real sqlite-vec, read them with shardy, and compare with what sqlite-vec itself answers.

    sqlite_vec_peer.py SHARDY        needs the packages sqlite-vec and xxhash, and a Python that loads SQLite extensions

Every key and some absent ones, every query: values and payloads byte for byte, the same nearest rows in the same order,
distances within 1e-6 + 1e-5 * |d|. Prints "N passed, N failed" last.
"""

import base64
import datetime
import json
import pathlib
import random
import sqlite3
import struct
import subprocess
import sys
import tempfile

import sqlite_vec
import xxhash

MANIFEST_DDL = """
CREATE TABLE build_meta (run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL, s3_prefix TEXT NOT NULL,
  key_col TEXT NOT NULL, sharding TEXT NOT NULL, db_path_template TEXT NOT NULL, shard_prefix TEXT NOT NULL,
  format_version INTEGER NOT NULL, key_encoding TEXT NOT NULL, custom TEXT NOT NULL DEFAULT '{}');
CREATE TABLE shards (db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, attempt INTEGER NOT NULL, row_count INTEGER NOT NULL,
  db_bytes INTEGER NOT NULL, min_key TEXT, max_key TEXT, checkpoint_id TEXT, writer_info TEXT NOT NULL DEFAULT '{}');
"""
RUN = "interop"
PREFIX = "s3://elsewhere/snapshot"


class Case:
    def __init__(self, name, rows, dimension, metric, shards=1, page_size=4096, deleted=0, vacuum=False, text_ids=False):
        self.name, self.rows, self.dimension, self.metric = name, rows, dimension, metric
        self.shards, self.page_size, self.deleted = shards, page_size, deleted
        self.vacuum, self.text_ids = vacuum, text_ids


CASES = [
    Case("cosine", 1500, 24, "cosine", shards=3),
    Case("l2", 1100, 24, "l2", shards=2, text_ids=True),
    Case("deleted rows", 2500, 8, "cosine", deleted=1300),
    Case("deleted rows, vacuumed", 2500, 8, "l2", deleted=1300, vacuum=True),
    Case("one row", 1, 384, "cosine"),
    Case("no rows", 0, 16, "l2"),
    Case("one dimension", 40, 1, "l2"),
    Case("wide", 30, 1536, "cosine", page_size=16384),
    Case("small pages", 60, 384, "l2", page_size=512),
    Case("large pages", 60, 384, "cosine", page_size=65536),
]


def key_of(index):
    return f"key-{index:05d}-é".encode()


def value_of(index):
    return random.Random(index).randbytes([0, 7, 90, 5000][index % 4])


def vector_of(source, dimension):
    return struct.pack(f"<{dimension}f", *(source.gauss(0, 1) for _ in range(dimension)))


def connect(path):
    connection = sqlite3.connect(path, isolation_level=None)
    connection.enable_load_extension(True)
    sqlite_vec.load(connection)
    connection.enable_load_extension(False)
    return connection


def write_shard(path, case, indexes, source):
    connection = connect(path)
    connection.execute(f"PRAGMA page_size={case.page_size}")
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("CREATE TABLE IF NOT EXISTS kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
    connection.execute(
        f"CREATE VIRTUAL TABLE vec_index USING vec0(embedding float[{case.dimension}] distance_metric={case.metric})"
    )
    connection.execute("CREATE TABLE IF NOT EXISTS vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL)")
    connection.execute("CREATE TABLE IF NOT EXISTS vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL)")
    connection.execute("BEGIN")
    rows = {}
    for rowid, index in enumerate(indexes):
        connection.execute("INSERT INTO kv VALUES (?, ?)", (key_of(index), value_of(index)))
        connection.execute(
            "INSERT INTO vec_index (rowid, embedding) VALUES (?, ?)", (rowid, vector_of(source, case.dimension))
        )
        identity = {"v": f"id-{index}-ü", "t": "str"} if case.text_ids else {"v": index, "t": "int"}
        payload = None if index % 5 == 0 else json.dumps({"n": index, "text": f"päyload {index}"})
        connection.execute("INSERT INTO vec_id_map VALUES (?, ?)", (rowid, json.dumps(identity)))
        if payload:
            connection.execute("INSERT INTO vec_payloads VALUES (?, ?)", (rowid, payload))
        rows[rowid] = (identity["v"], payload and json.loads(payload))
    for rowid in source.sample(range(len(indexes)), min(case.deleted, len(indexes))):
        connection.execute("DELETE FROM vec_index WHERE rowid = ?", (rowid,))
    connection.execute("COMMIT")
    if case.vacuum:
        connection.execute("VACUUM")
    return connection, rows


def write_manifest(root, case, shards):
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    name = f"{now}_run_id={RUN}"
    folder = root / "manifests" / name
    folder.mkdir(parents=True)
    sharding = {"cel_columns": None, "cel_expr": None, "hash_algorithm": "xxh3_64", "routing_values": None, "strategy": "hash"}
    custom = {"vector": {"backend": "sqlite-vec", "dim": case.dimension, "index_type": "hnsw", "kv_backend": "sqlite-vec",
                         "metric": case.metric, "quantization": None, "unified": True}}
    connection = sqlite3.connect(folder / "manifest", isolation_level=None)
    connection.executescript(MANIFEST_DDL)
    connection.execute(
        "INSERT INTO build_meta VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        (RUN, now, case.shards, PREFIX, "_key", json.dumps(sharding), "db={db_id:05d}", "shards", 4, "utf8", json.dumps(custom)),
    )
    for shard, (count, size) in shards.items():
        connection.execute(
            "INSERT INTO shards VALUES (?,?,0,?,?,NULL,NULL,?,'{}')",
            (shard, f"{PREFIX}/shards/run_id={RUN}/db={shard:05d}/attempt=00", count, size, f"{shard:032x}"),
        )
    connection.close()
    pointer = {"format_version": 1, "manifest_content_type": "application/x-sqlite3",
               "manifest_ref": f"{PREFIX}/manifests/{name}/manifest", "run_id": RUN, "updated_at": now}
    (root / "_CURRENT").write_text(json.dumps(pointer, separators=(",", ":"), sort_keys=True))


def write_snapshot(root, case, source):
    """The open connections of the shards, by shard id, with what their rows are."""
    indexes = {}
    for index in range(case.rows):
        indexes.setdefault(xxhash.xxh3_64_intdigest(key_of(index)) % case.shards, []).append(index)
    opened, sizes = {}, {}
    for shard in indexes or ([0] if case.rows == 0 else []):
        folder = root / "shards" / f"run_id={RUN}" / f"db={shard:05d}" / "attempt=00"
        folder.mkdir(parents=True)
        opened[shard] = write_shard(folder / "shard.db", case, indexes.get(shard, []), source)
        sizes[shard] = (len(indexes.get(shard, [])), (folder / "shard.db").stat().st_size)
    write_manifest(root, case, sizes)
    return opened


def peer_answer(opened, vector, top_k):
    """What sqlite-vec finds in every shard, merged; ties are told apart below."""
    hits = []
    for shard, (connection, rows) in opened.items():
        found = connection.execute(
            "SELECT rowid, distance FROM vec_index WHERE embedding MATCH ? AND k = ? ORDER BY distance", (vector, top_k)
        )
        hits += [(distance, shard, *rows[rowid]) for rowid, distance in found]
    return sorted(hits, key=lambda hit: hit[:2])[:top_k]


def run(shardy, root, cache, arguments, text):
    command = [shardy, "-u", str(root), "--local-root", str(cache), "--output-format", "jsonl", "--value-encoding", "base64"]
    done = subprocess.run(command + arguments, input=text, capture_output=True, text=True, timeout=120)
    if done.returncode:
        raise ValueError(f"shardy {arguments[0]}: {done.stderr.strip() or done.stdout[-300:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_keys(shardy, root, cache, case):
    keys = [key_of(index).decode() for index in range(case.rows)] + [f"absent-{n}" for n in range(50)]
    answers = run(shardy, root, cache, ["multiget", "-", "--flat"], "\n".join(keys) + "\n")
    if len(answers) != len(keys):
        raise ValueError(f"{len(answers)} answers for {len(keys)} keys")
    for index, answer in enumerate(answers):
        wanted = value_of(index) if index < case.rows else None
        got = base64.b64decode(answer["value"]) if answer["found"] else None
        if got != wanted:
            raise ValueError(f"key {keys[index]}: the value differs")


def close(a, b):
    return abs(a - b) <= 1e-6 + 1e-5 * abs(b)


def check_hits(number, answers, wanted):
    got = [(hit["score"], hit["id"], hit["payload"]) for hit in answers["results"]]
    if len(got) != len(wanted):
        raise ValueError(f"query {number}: {len(got)} hits, sqlite-vec finds {len(wanted)}")
    for place, ((score, identity, payload), (distance, _, wanted_identity, wanted_payload)) in enumerate(zip(got, wanted)):
        if not close(score, distance):
            raise ValueError(f"query {number}, hit {place}: distance {score}, sqlite-vec has {distance}")
        near = [hit for hit in wanted if close(hit[0], distance)]
        last = close(wanted[-1][0], distance)  # a tie may have been cut off by top_k
        if len(near) == 1 and not last and (identity, payload) != (wanted_identity, wanted_payload):
            raise ValueError(f"query {number}, hit {place}: {identity} {payload}, sqlite-vec has {wanted_identity}")


def check_queries(shardy, root, cache, case, opened, source):
    queries = [(vector_of(source, case.dimension), top_k) for top_k in (1, 10, 10, 100, 2000)]
    lines = [
        json.dumps({"vector_base64": base64.b64encode(vector).decode(), "top_k": top_k}) for vector, top_k in queries
    ]
    answers = run(shardy, root, cache, ["search", "--queries", "-"], "\n".join(lines) + "\n")
    if len(answers) != len(queries):
        raise ValueError(f"{len(answers)} answers for {len(queries)} queries")
    for number, (vector, top_k) in enumerate(queries):
        check_hits(number, answers[number], peer_answer(opened, vector, top_k))


def check(shardy, case):
    source = random.Random(case.name)
    with tempfile.TemporaryDirectory() as folder:
        root, cache = pathlib.Path(folder) / "snapshot", pathlib.Path(folder) / "cache"
        root.mkdir()
        opened = write_snapshot(root, case, source)
        try:
            check_keys(shardy, root, cache, case)
            check_queries(shardy, root, cache, case, opened, source)
        finally:
            for connection, _ in opened.values():
                connection.close()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    shardy = str(pathlib.Path(sys.argv[1]).resolve())
    failed = 0
    version = connect(":memory:").execute("SELECT vec_version()").fetchone()[0]
    print(f"sqlite-vec {version}, SQLite {sqlite3.sqlite_version}")
    for case in CASES:
        try:
            check(shardy, case)
        except (ValueError, OSError, sqlite3.Error, subprocess.SubprocessError) as problem:
            failed += 1
            print(f"{case.name}: {problem}")
    print(f"{len(CASES) - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
