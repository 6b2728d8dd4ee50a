"""Snapshots laid out as the Python project publishes them: shards, then the manifest, then _CURRENT."""

import ctypes
import json
import os
import sqlite3

RUN_ID = "b" * 32
WRITTEN_AT = "2026-01-01T00:00:00.000000Z"

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


def shard_path(shard):
    return f"shards/run_id={RUN_ID}/db={shard:05d}/attempt=00"


def to_json(value):
    return json.dumps(value, sort_keys=True)


class Snapshot:
    """Writes shards, then the manifest, then _CURRENT, below a folder that is renamed into place at the end."""

    def __init__(self, folder, shards, key_encoding, custom):
        self.url = "s3://bench/" + os.path.basename(folder).removesuffix(".partial")
        self.folder, self.shards, self.key_encoding, self.custom = folder, shards, key_encoding, custom
        self.rows = []
        self.hash = load_xxh3()

    def route(self, canonical_key):
        return self.hash(canonical_key, len(canonical_key)) % self.shards

    def add_shard(self, shard, row_count=0):
        """The folder of a shard, made, and a row for it."""
        path = shard_path(shard)
        os.makedirs(os.path.join(self.folder, path))
        self.rows.append([shard, f"{self.url}/{path}", 0, row_count, 0, None, None, f"{shard:032x}", to_json(WRITER_INFO)])
        return os.path.join(self.folder, path)

    def create_shard(self, shard):
        """A SQLite shard, with a table for keys and values."""
        database = sqlite3.connect(os.path.join(self.add_shard(shard), "shard.db"), isolation_level=None)
        database.execute("PRAGMA page_size = 4096")
        database.execute("PRAGMA journal_mode = OFF")
        database.execute("PRAGMA synchronous = OFF")
        database.execute("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
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
