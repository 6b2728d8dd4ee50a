#!/usr/bin/env python3
"""Write snapshots with the real sqlite-vec, read them with shardy, and compare with what sqlite-vec itself answers.

    sqlite_vec_peer.py SHARDY        needs the packages sqlite-vec and xxhash, and a Python that loads SQLite extensions

Every key and some absent ones, every query: values and payloads byte for byte, the same nearest rows in the same order,
distances within 1e-6 + 1e-5 * |d|. Prints "N passed, N failed" last.
"""

import json
import pathlib
import random
import sqlite3
import struct
import sys
import tempfile

import sqlite_vec

from building import Wrong, expect
from snapshot import Count, Program, Snapshot, close, vector_meta


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


def write_snapshot(root, case, source):
    """The open connections of the shards, by shard id, with what their rows are."""
    snapshot = Snapshot(root, case.shards, "utf8", vector_meta("sqlite-vec", "sqlite-vec", case.dimension, case.metric))
    indexes = {}
    for index in range(case.rows):
        indexes.setdefault(snapshot.route(key_of(index)), []).append(index)
    opened = {}
    for shard in indexes or ([0] if case.rows == 0 else []):
        path = snapshot.folder(shard) / "shard.db"
        opened[shard] = write_shard(path, case, indexes.get(shard, []), source)
        snapshot.add(shard, len(indexes.get(shard, [])), path.stat().st_size)
    snapshot.publish()
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


def check_keys(program, case):
    wanted = {key_of(index): value_of(index) for index in range(case.rows)}
    program.check_values({**wanted, **{b"absent-%d" % n: None for n in range(50)}})


def check_hits(number, hits, wanted):
    got = [(hit["score"], hit["id"], hit["payload"]) for hit in hits]
    expect(len(got) == len(wanted), f"query {number}: {len(got)} hits, sqlite-vec finds {len(wanted)}")
    for place, ((score, identity, payload), (distance, _, wanted_identity, wanted_payload)) in enumerate(zip(got, wanted)):
        expect(close(score, distance), f"query {number}, hit {place}: distance {score}, sqlite-vec has {distance}")
        near = [hit for hit in wanted if close(hit[0], distance)]
        last = close(wanted[-1][0], distance)  # a tie may have been cut off by top_k
        if len(near) == 1 and not last and (identity, payload) != (wanted_identity, wanted_payload):
            raise Wrong(f"query {number}, hit {place}: {identity} {payload}, sqlite-vec has {wanted_identity}")


def check_queries(program, case, opened, source):
    queries = [(vector_of(source, case.dimension), top_k) for top_k in (1, 10, 10, 100, 2000)]
    answers = program.search([(vector, top_k, None) for vector, top_k in queries])
    for number, (vector, top_k) in enumerate(queries):
        check_hits(number, answers[number], peer_answer(opened, vector, top_k))


def check(shardy, case):
    source = random.Random(case.name)
    with tempfile.TemporaryDirectory() as folder:
        root, cache = pathlib.Path(folder) / "snapshot", pathlib.Path(folder) / "cache"
        opened = write_snapshot(root, case, source)
        try:
            program = Program(shardy, root, cache)
            check_keys(program, case)
            check_queries(program, case, opened, source)
        finally:
            for connection, _ in opened.values():
                connection.close()


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    count = Count()
    version = connect(":memory:").execute("SELECT vec_version()").fetchone()[0]
    print(f"sqlite-vec {version}, SQLite {sqlite3.sqlite_version}")
    for case in CASES:
        count.check(case.name, check, sys.argv[1], case)
    sys.exit(count.end())


main()
