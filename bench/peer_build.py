#!/usr/bin/env python3
"""The peer of build_vs_reference_like: fills 16 shards with sqlite3 and the real sqlite-vec; times itself, on request.

    peer_build.py sqlite-vec DATA

Statements, pragmas and batches are those of the Python project's writer. Reads requests from standard input, answers each
with one line:

    describe             versions
    round FIRST COUNT    nanoseconds of inserting COUNT rows (all; FIRST is 0) and committing, summed over the shards
    rows FIRST COUNT     rows in kv, vec_index, vec_payloads and vec_id_map of what the last round left behind
"""

import gc
import json
import os
import shutil
import sqlite3
import sys
import time

import sqlite_vec
from make_data import BUILD_VALUE_SIZE, DIMENSION
from snapshot import load_xxh3

SHARDS, BATCH = 16, 1000
PRAGMAS = ("page_size = 4096", "journal_mode = OFF", "synchronous = OFF", "locking_mode = EXCLUSIVE", "temp_store = MEMORY")
SCHEMA = ("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID",
          f"CREATE VIRTUAL TABLE vec_index USING vec0(embedding float[{DIMENSION}] distance_metric=cosine)",
          "CREATE TABLE vec_payloads (rowid INTEGER PRIMARY KEY, payload TEXT NOT NULL)",
          "CREATE TABLE vec_id_map (internal_id INTEGER PRIMARY KEY, original_id TEXT NOT NULL)")
STATEMENTS = ("INSERT OR REPLACE INTO kv (k, v) VALUES (?, ?)",
              "INSERT INTO vec_index (rowid, embedding) VALUES (?, ?)",
              "INSERT INTO vec_payloads (rowid, payload) VALUES (?, ?)",
              "INSERT INTO vec_id_map (internal_id, original_id) VALUES (?, ?)")


def read(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def prepare(data):
    """For each shard its batches, for each batch the parameters of the four statements: nothing is left to convert."""
    keys = read(data, "build/keys.txt").decode().splitlines()
    payloads = read(data, "build/payloads.txt").decode().splitlines()
    values, vectors = read(data, "build/values.bin"), read(data, "vectors/vectors.bin")
    route = load_xxh3()
    shards = [[] for _ in range(SHARDS)]
    counts = [0] * SHARDS
    vector_size = DIMENSION * 4
    for row, (key, payload) in enumerate(zip(keys, payloads)):
        stored = key.encode()
        shard = route(stored, len(stored)) % SHARDS
        rowid = counts[shard]
        counts[shard] += 1
        if rowid % BATCH == 0:
            shards[shard].append(([], [], [], []))
        batch = shards[shard][-1]
        batch[0].append((stored, values[row * BUILD_VALUE_SIZE : (row + 1) * BUILD_VALUE_SIZE]))
        batch[1].append((rowid, vectors[row * vector_size : (row + 1) * vector_size]))
        batch[2].append((rowid, payload))
        batch[3].append((rowid, json.dumps({"v": key, "t": "str"})))
    return shards


def open_shard(path):
    database = sqlite3.connect(path, isolation_level=None)
    for pragma in PRAGMAS:
        database.execute("PRAGMA " + pragma)
    database.enable_load_extension(True)
    sqlite_vec.load(database)
    for statement in SCHEMA:
        database.execute(statement)
    return database


def fill(database, batches):
    """Nanoseconds from BEGIN to COMMIT."""
    begin = time.perf_counter_ns()
    database.execute("BEGIN")
    for batch in batches:
        for statement, parameters in zip(STATEMENTS, batch):
            database.executemany(statement, parameters)
    database.execute("COMMIT")
    return time.perf_counter_ns() - begin


class Peer:
    def __init__(self, data):
        self.folder = os.path.join(data, "build-peer")
        self.shards = prepare(data)
        gc.collect()
        gc.freeze()  # what is prepared is not looked through while the clock runs

    def path(self, shard):
        return os.path.join(self.folder, f"{shard:05d}.db")

    def describe(self):
        version = sqlite3.connect(":memory:")
        version.enable_load_extension(True)
        sqlite_vec.load(version)
        return f"sqlite {sqlite3.sqlite_version}, sqlite-vec {version.execute('SELECT vec_version()').fetchone()[0]}"

    def round(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        os.makedirs(self.folder)
        total = 0
        for shard, batches in enumerate(self.shards):
            database = open_shard(self.path(shard))
            total += fill(database, batches)
            database.close()
        return str(total)

    def rows(self):
        totals = [0, 0, 0, 0]
        for shard in range(SHARDS):
            database = sqlite3.connect(self.path(shard))
            database.enable_load_extension(True)
            sqlite_vec.load(database)
            for index, table in enumerate(("kv", "vec_index", "vec_payloads", "vec_id_map")):
                totals[index] += database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            database.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        return " ".join(str(total) for total in totals)


def main():
    if len(sys.argv) != 3 or sys.argv[1] != "sqlite-vec":
        sys.exit(__doc__)
    peer = Peer(sys.argv[2])
    for line in sys.stdin:
        verb = line.split()[0]
        print({"describe": peer.describe, "round": peer.round, "rows": peer.rows}[verb](), flush=True)


if __name__ == "__main__":
    main()
