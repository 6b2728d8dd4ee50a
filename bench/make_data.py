#!/usr/bin/env python3
"""Makes the local snapshots that the benchmarks read, laid out as the Python project writes them.

    make_data.py FOLDER PART...      parts: kv, open, vectors, build

What is there already, made by this version, is kept. kv, open and build need nothing but Python and libxxhash;
vectors needs numpy and sqlite-vec, so that real sqlite-vec writes those shards.
"""

import ctypes
import json
import os
import random
import shutil
import sqlite3
import sys

VERSION = 1  # raise it when anything below changes what is written
RUN_ID = "b" * 32
WRITTEN_AT = "2026-01-01T00:00:00.000000Z"
MISSES = 200_000
DIMENSION, VECTORS, QUERIES, TOP_K = 384, 100_000, 256, 10
BUILD_VALUE_SIZE = 100
NAMES = ("admin", "database", "editors", "graphics", "kernel", "libs", "math", "net", "sound", "text", "utils", "web")

MANIFEST_TABLES = """
CREATE TABLE build_meta (run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL,
    s3_prefix TEXT NOT NULL, key_col TEXT NOT NULL, sharding TEXT NOT NULL, db_path_template TEXT NOT NULL,
    shard_prefix TEXT NOT NULL, format_version INTEGER NOT NULL, key_encoding TEXT NOT NULL,
    custom TEXT NOT NULL DEFAULT '{}');
CREATE TABLE shards (db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, attempt INTEGER NOT NULL,
    row_count INTEGER NOT NULL, db_bytes INTEGER NOT NULL, min_key TEXT, max_key TEXT, checkpoint_id TEXT,
    writer_info TEXT NOT NULL DEFAULT '{}');
"""
WRITER_INFO = {"attempt": 0, "duration_ms": 0, "stage_id": None, "task_attempt_id": None}
SHARDING = {"cel_columns": None, "cel_expr": None, "hash_algorithm": "xxh3_64", "routing_values": None,
            "strategy": "hash"}


def load_xxh3():
    library = ctypes.CDLL("libxxhash.so.0")
    library.XXH3_64bits.restype = ctypes.c_uint64
    library.XXH3_64bits.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    return library.XXH3_64bits


def to_json(value):
    return json.dumps(value, sort_keys=True)


class Snapshot:
    """Writes shards, then the manifest, then _CURRENT, below a folder that is renamed into place at the end."""

    def __init__(self, folder, shards, key_encoding, custom):
        self.url = "s3://bench/" + os.path.basename(folder).split(".")[0]
        self.folder, self.shards, self.key_encoding, self.custom = folder, shards, key_encoding, custom
        self.rows = []
        self.hash = load_xxh3()

    def route(self, canonical_key):
        return self.hash(canonical_key, len(canonical_key)) % self.shards

    def create_shard(self, shard):
        path = f"shards/run_id={RUN_ID}/db={shard:05d}/attempt=00"
        os.makedirs(os.path.join(self.folder, path))
        database = sqlite3.connect(os.path.join(self.folder, path, "shard.db"), isolation_level=None)
        database.execute("PRAGMA page_size = 4096")
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
        self.rows.append([shard, f"{self.url}/{path}", 0, 0, 0, None, None, f"{shard:032x}", to_json(WRITER_INFO)])
        return database

    def close_shard(self, database, row_count):
        database.execute("COMMIT")
        path = database.execute("PRAGMA database_list").fetchone()[2]
        database.close()
        self.rows[-1][3:5] = row_count, os.path.getsize(path)

    def publish(self):
        name = f"manifests/{WRITTEN_AT}_run_id={RUN_ID}"
        os.makedirs(os.path.join(self.folder, name))
        manifest = sqlite3.connect(os.path.join(self.folder, name, "manifest"))
        manifest.executescript(MANIFEST_TABLES)
        meta = (RUN_ID, WRITTEN_AT, self.shards, self.url, "_key", to_json(SHARDING), "db={db_id:05d}", "shards", 4,
                self.key_encoding, to_json(self.custom))
        manifest.execute("INSERT INTO build_meta VALUES (?,?,?,?,?,?,?,?,?,?,?)", meta)
        manifest.executemany("INSERT INTO shards VALUES (?,?,?,?,?,?,?,?,?)", self.rows)
        manifest.commit()
        manifest.close()
        current = {"format_version": 1, "manifest_content_type": "application/x-sqlite3",
                   "manifest_ref": f"{self.url}/{name}/manifest", "run_id": RUN_ID, "updated_at": WRITTEN_AT}
        with open(os.path.join(self.folder, "_CURRENT"), "w") as file:
            file.write(json.dumps(current, sort_keys=True, separators=(",", ":")))


def write_keys(folder, name, keys):
    with open(os.path.join(folder, name), "wb") as file:
        file.write(b"".join(keys))


def make_kv_snapshot(folder, shards, rows, value_size, seed):
    """Random 16-byte keys; each shard is filled in key order, which leaves its pages full."""
    numbers = random.Random(seed)
    keys = sorted({numbers.randbytes(16) for _ in range(rows)})
    snapshot = Snapshot(folder, shards, "raw", {})
    routed = [[] for _ in range(shards)]
    for key in keys:
        routed[snapshot.route(key)].append(key)
    for shard in range(shards):
        database = snapshot.create_shard(shard)
        database.execute("BEGIN")
        values = ((key, numbers.randbytes(value_size)) for key in routed[shard])
        database.executemany("INSERT INTO kv VALUES (?,?)", values)
        snapshot.close_shard(database, len(routed[shard]))
    snapshot.publish()
    return numbers, keys


def make_kv(folder):
    """One million rows of 16 + 100 bytes in 8 shards; keys (sorted) and absent keys beside them."""
    numbers, keys = make_kv_snapshot(folder, 8, 1_000_000, 100, 1)
    present = set(keys)
    absent = {numbers.randbytes(16) for _ in range(MISSES)} - present
    write_keys(folder, "keys.bin", keys)
    write_keys(folder, "absent.bin", sorted(absent, key=lambda key: key[::-1]))  # another order than the keys'
    # The runner's copy of the old rows.
    shutil.rmtree(os.path.join(os.path.dirname(folder), "lmdb"), ignore_errors=True)


def make_open(folder):
    """64 shards of about 16 MB."""
    make_kv_snapshot(folder, 64, 64 * 15_600, 900, 2)


def make_vector_snapshot(folder, shards, vectors):
    import numpy
    import sqlite_vec

    vector_meta = {"backend": "sqlite-vec", "dim": DIMENSION, "index_type": "flat", "kv_backend": "sqlite-vec",
                   "metric": "cosine", "quantization": None, "unified": True}
    snapshot = Snapshot(folder, shards, "u64be", {"vector": vector_meta})
    routes = numpy.array([snapshot.route(key.to_bytes(8, "little", signed=True)) for key in range(len(vectors))])
    for shard in range(shards):
        members = numpy.nonzero(routes == shard)[0].tolist()
        database = snapshot.create_shard(shard)
        database.enable_load_extension(True)
        sqlite_vec.load(database)
        column = f"embedding float[{DIMENSION}] distance_metric=cosine"
        database.execute(f"CREATE VIRTUAL TABLE vec_index USING vec0({column})")
        database.execute("CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL)")
        database.execute("CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL)")
        database.execute("BEGIN")
        rows = list(enumerate(members))
        database.executemany("INSERT INTO kv VALUES (?,?)", ((k.to_bytes(8, "big"), b"row %d" % k) for k in members))
        database.executemany("INSERT INTO vec_index(rowid, embedding) VALUES (?,?)",
                             ((r, vectors[k].tobytes()) for r, k in rows))
        database.executemany("INSERT INTO vec_payloads VALUES (?,?)", ((r, json.dumps({"row": k})) for r, k in rows))
        database.executemany("INSERT INTO vec_id_map VALUES (?,?)",
                             ((r, json.dumps({"v": k, "t": "int"})) for r, k in rows))
        snapshot.close_shard(database, len(rows))
    snapshot.publish()


def make_vectors(folder):
    """100,000 x 384 float32 under cosine in 1 shard and in 4; queries and their true neighbours beside them."""
    import numpy

    numbers = numpy.random.default_rng(3)
    vectors = numbers.standard_normal((VECTORS, DIMENSION), dtype=numpy.float32)
    queries = numbers.standard_normal((QUERIES, DIMENSION), dtype=numpy.float32)
    for shards in (1, 4):
        make_vector_snapshot(os.path.join(folder, f"shards-{shards}"), shards, vectors)
    exact = vectors.astype(numpy.float64)
    exact /= numpy.linalg.norm(exact, axis=1, keepdims=True)
    cosine = queries.astype(numpy.float64) @ exact.T
    truth = numpy.argsort(-cosine, axis=1, kind="stable")[:, :TOP_K].astype(numpy.int64)
    vectors.tofile(os.path.join(folder, "vectors.bin"))
    queries.tofile(os.path.join(folder, "queries.bin"))
    truth.tofile(os.path.join(folder, "truth.bin"))


def make_build(folder):
    """What goes with the vectors to make rows of them: keys and payloads, one a line, and values of 100 bytes."""
    numbers = random.Random(4)
    names = [f"{numbers.choice(NAMES)}-{number:06x}" for number in range(VECTORS)]
    numbers.shuffle(names)
    with open(os.path.join(folder, "keys.txt"), "w") as keys, open(os.path.join(folder, "payloads.txt"), "w") as payloads:
        for name in names:
            keys.write(name + "\n")
            payload = {"name": name, "section": numbers.choice(NAMES), "size": numbers.randrange(1 << 24),
                       "tags": numbers.sample(NAMES, 2), "score": round(numbers.random(), 4)}
            payloads.write(to_json(payload) + "\n")
    with open(os.path.join(folder, "values.bin"), "wb") as file:
        file.write(numbers.randbytes(VECTORS * BUILD_VALUE_SIZE))


PARTS = {"kv": make_kv, "open": make_open, "vectors": make_vectors, "build": make_build}


def make(root, part):
    folder = os.path.join(root, part)
    stamp = f"{part} {VERSION}\n"
    try:
        with open(os.path.join(folder, "stamp")) as file:
            if file.read() == stamp:
                return
    except FileNotFoundError:
        pass
    shutil.rmtree(folder, ignore_errors=True)
    partial = folder + ".partial"
    shutil.rmtree(partial, ignore_errors=True)
    os.makedirs(partial)
    PARTS[part](partial)
    with open(os.path.join(partial, "stamp"), "w") as file:
        file.write(stamp)
    os.rename(partial, folder)


def main():
    if len(sys.argv) < 2 or any(part not in PARTS for part in sys.argv[2:]):
        sys.exit(__doc__)
    os.makedirs(sys.argv[1], exist_ok=True)
    for part in sys.argv[2:]:
        make(sys.argv[1], part)


if __name__ == "__main__":
    main()
