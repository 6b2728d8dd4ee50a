#!/usr/bin/env python3
"""Makes the local snapshots that the benchmarks read, laid out as the Python project writes them.

    make_data.py FOLDER PART...      parts: kv, open, py, vectors, vectors-20k, build, slatedb-0.12, slatedb-0.13, lance

What is there already, made by this version, is kept. kv, open, py and build need nothing but Python and libxxhash; the
others need the real writers of what they hold: vectors* numpy and sqlite-vec, slatedb-* that version of slatedb, lance
lancedb (and the part vectors).
"""

import json
import os
import random
import shutil
import sqlite3
import sys

from snapshot import Snapshot, shard_path, to_json

VERSION = 1  # raise it when anything below changes what is written
MISSES = 200_000
DIMENSION, VECTORS, QUERIES, TOP_K = 384, 100_000, 256, 10
BUILD_VALUE_SIZE = 100
NAMES = ("admin", "database", "editors", "graphics", "kernel", "libs", "math", "net", "sound", "text", "utils", "web")
PY_SHARDS, PY_ROWS, PY_LOOKUPS = 4, 100_000, 100_000
SLATEDB_SHARDS, SLATEDB_ROWS, SLATEDB_LOOKUPS = 4, 100_000, 100_000
LANCE_M, LANCE_EF_CONSTRUCTION = 32, 200  # a denser graph than lancedb's own: random vectors need it
WRITER_BATCH = 50_000  # rows a batch, the default of the Python project's writers


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


def make_py(folder):
    """100,000 rows of 16 + 100 bytes in 4 shards, the same rows in the one file all.db, and keys to look up, all present."""
    numbers, keys = make_kv_snapshot(folder, PY_SHARDS, PY_ROWS, 100, 6)
    database = sqlite3.connect(os.path.join(folder, "all.db"), isolation_level=None)
    database.execute("PRAGMA page_size = 4096")
    database.execute("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
    for shard in range(PY_SHARDS):
        database.execute("ATTACH ? AS shard", (os.path.join(folder, shard_path(shard), "shard.db"),))
        database.execute("INSERT INTO kv SELECT k, v FROM shard.kv")
        database.execute("DETACH shard")
    database.execute("VACUUM")  # as full as the shards' pages
    database.close()
    write_keys(folder, "lookups.bin", numbers.choices(keys, k=PY_LOOKUPS))


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


def make_vectors(folder, count=VECTORS, numbers_of_shards=(1, 4)):
    """100,000 x 384 float32 under cosine in 1 shard and in 4; queries and their true neighbours beside them."""
    import numpy

    numbers = numpy.random.default_rng(3)
    vectors = numbers.standard_normal((count, DIMENSION), dtype=numpy.float32)
    queries = numbers.standard_normal((QUERIES, DIMENSION), dtype=numpy.float32)
    for shards in numbers_of_shards:
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


async def write_slatedb(folder, rows, expected):
    """One shard as the project's adapter writes it: default settings, awaited batches, a flush of the WAL, shutdown."""
    import slatedb.uniffi as slatedb

    database = await slatedb.DbBuilder("", slatedb.ObjectStore.resolve("file://" + os.path.abspath(folder))).build()
    for first in range(0, len(rows), WRITER_BATCH):
        batch = slatedb.WriteBatch()
        for key, value in rows[first : first + WRITER_BATCH]:
            batch.put(key, value)
        await database.write(batch)
    await database.flush_with_options(slatedb.FlushOptions(flush_type=slatedb.FlushType.WAL))
    await database.shutdown()
    if os.path.isdir(os.path.join(folder, "compacted")) != (expected == "compacted"):
        sys.exit(f"this slatedb leaves its rows somewhere else than in {expected}/")


def make_slatedb(folder, expected):
    """100,000 text keys of 16 bytes with values of 100 in 4 shards; what is looked up, one in five absent, beside them."""
    import asyncio

    numbers = random.Random(5)
    names = list({numbers.randbytes(8).hex().encode(): None for _ in range(SLATEDB_ROWS + SLATEDB_LOOKUPS)})
    keys, absent = names[:SLATEDB_ROWS], names[SLATEDB_ROWS:]
    snapshot = Snapshot(folder, SLATEDB_SHARDS, "utf8", {})
    routed = [[] for _ in range(SLATEDB_SHARDS)]
    for key in keys:
        routed[snapshot.route(key)].append((key, numbers.randbytes(100)))
    for shard, rows in enumerate(routed):
        asyncio.run(write_slatedb(snapshot.add_shard(shard, len(rows)), rows, expected))
    snapshot.publish()
    lookups = [numbers.choice(absent if numbers.random() < 0.2 else keys) for _ in range(SLATEDB_LOOKUPS)]
    write_keys(folder, "lookups.bin", lookups)
    write_keys(folder, "first.bin", [rows[0][0] for rows in routed])


def make_lance(folder):
    """The vectors of `vectors` in one shard: keys and values in SQLite, a Lance dataset beside it. Then the same dataset with
    an index, which only the peer reads."""
    import lancedb
    import numpy
    import pyarrow

    vectors = numpy.fromfile(os.path.join(os.path.dirname(folder), "vectors", "vectors.bin"), dtype=numpy.float32)
    meta = {"backend": "lancedb", "dim": DIMENSION, "index_type": "hnsw", "kv_backend": "sqlite", "metric": "cosine",
            "quantization": None, "unified": True}
    snapshot = Snapshot(os.path.join(folder, "snapshot"), 1, "utf8", {"vector": meta})
    database = snapshot.create_shard(0)
    database.execute("BEGIN")
    rows = sorted((str(row).encode(), b"row %d" % row) for row in range(VECTORS))
    database.executemany("INSERT INTO kv VALUES (?,?)", rows)
    shard = os.path.dirname(database.execute("PRAGMA database_list").fetchone()[2])
    snapshot.close_shard(database, VECTORS)
    fields = [("id", pyarrow.string()), ("vector", pyarrow.list_(pyarrow.float32(), DIMENSION)), ("payload", pyarrow.string())]
    schema = pyarrow.schema(fields)
    store, table = lancedb.connect(os.path.join(shard, "vector")), None
    for first in range(0, VECTORS, WRITER_BATCH):
        batch = range(first, min(first + WRITER_BATCH, VECTORS))
        flat = pyarrow.array(vectors[batch.start * DIMENSION : batch.stop * DIMENSION])
        columns = [pyarrow.array([str(row) for row in batch]), pyarrow.FixedSizeListArray.from_arrays(flat, DIMENSION),
                   pyarrow.array([json.dumps({"row": row}) for row in batch])]
        data = pyarrow.table(columns, schema=schema)
        if table:
            table.add(data)
        else:
            table = store.create_table("vector_index", data=data, schema=schema)
    snapshot.publish()
    indexed = os.path.join(folder, "indexed")
    shutil.copytree(os.path.join(shard, "vector"), indexed)
    index = lancedb.index.HnswSq(distance_type="cosine", num_partitions=1, m=LANCE_M, ef_construction=LANCE_EF_CONSTRUCTION)
    lancedb.connect(indexed).open_table("vector_index").create_index("vector", config=index)


PARTS = {"kv": make_kv, "open": make_open, "py": make_py, "vectors": make_vectors,
         "vectors-20k": lambda folder: make_vectors(folder, 20_000, (1,)), "build": make_build,
         "slatedb-0.12": lambda folder: make_slatedb(folder, "wal"),
         "slatedb-0.13": lambda folder: make_slatedb(folder, "compacted"), "lance": make_lance}


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
