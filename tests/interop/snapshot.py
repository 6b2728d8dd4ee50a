"""A snapshot on disk, around shards that somebody else's package writes: manifest and _CURRENT. And `shardy` over it."""

import base64
import datetime
import json
import pathlib
import sqlite3
import subprocess

import xxhash

from building import Wrong, expect

MANIFEST_DDL = """
CREATE TABLE build_meta (run_id TEXT NOT NULL, created_at TEXT NOT NULL, num_dbs INTEGER NOT NULL, s3_prefix TEXT NOT NULL,
  key_col TEXT NOT NULL, sharding TEXT NOT NULL, db_path_template TEXT NOT NULL, shard_prefix TEXT NOT NULL,
  format_version INTEGER NOT NULL, key_encoding TEXT NOT NULL, custom TEXT NOT NULL DEFAULT '{}');
CREATE TABLE shards (db_id INTEGER NOT NULL PRIMARY KEY, db_url TEXT, attempt INTEGER NOT NULL, row_count INTEGER NOT NULL,
  db_bytes INTEGER NOT NULL, min_key TEXT, max_key TEXT, checkpoint_id TEXT, writer_info TEXT NOT NULL DEFAULT '{}');
"""
SHARDING = {"cel_columns": None, "cel_expr": None, "hash_algorithm": "xxh3_64", "routing_values": None, "strategy": "hash"}
RUN = "interop"
PREFIX = "s3://elsewhere/snapshot"


def vector_meta(backend, kv_backend, dimension, metric):
    return {"vector": {"backend": backend, "dim": dimension, "index_type": "hnsw", "kv_backend": kv_backend,
                       "metric": metric, "quantization": None, "unified": True}}


class Snapshot:
    """Make a folder, write the shard into it, add it; publish at the end."""

    def __init__(self, root, shards, key_encoding, custom):
        self.root, self.shards, self.key_encoding, self.custom = pathlib.Path(root), shards, key_encoding, custom
        self.rows = []

    def route(self, key):
        return xxhash.xxh3_64_intdigest(key) % self.shards

    def name(self, shard):
        return f"shards/run_id={RUN}/db={shard:05d}/attempt=00"

    def folder(self, shard):
        folder = self.root / self.name(shard)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def add(self, shard, row_count, size=0):
        """size: 0 where it is not known, as for SlateDB."""
        self.rows.append((shard, f"{PREFIX}/{self.name(shard)}", row_count, size, f"{shard:032x}"))

    def publish(self):
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        name = f"manifests/{now}_run_id={RUN}"
        (self.root / name).mkdir(parents=True)
        manifest = sqlite3.connect(self.root / name / "manifest", isolation_level=None)
        manifest.executescript(MANIFEST_DDL)
        manifest.execute("INSERT INTO build_meta VALUES (?,?,?,?,?,?,?,?,?,?,?)",
                         (RUN, now, self.shards, PREFIX, "_key", json.dumps(SHARDING), "db={db_id:05d}", "shards", 4,
                          self.key_encoding, json.dumps(self.custom)))
        manifest.executemany("INSERT INTO shards VALUES (?,?,0,?,?,NULL,NULL,?,'{}')", self.rows)
        manifest.close()
        pointer = {"format_version": 1, "manifest_content_type": "application/x-sqlite3",
                   "manifest_ref": f"{PREFIX}/{name}/manifest", "run_id": RUN, "updated_at": now}
        (self.root / "_CURRENT").write_text(json.dumps(pointer, separators=(",", ":"), sort_keys=True))


class Program:
    """`shardy` over one snapshot."""

    def __init__(self, shardy, root, cache):
        self.command = [str(pathlib.Path(shardy).resolve()), "-u", str(root), "--local-root", str(cache),
                        "--output-format", "jsonl", "--value-encoding", "base64"]

    def run(self, arguments, text):
        """A result a line."""
        done = subprocess.run(self.command + arguments, input=text, capture_output=True, text=True, timeout=300)
        if done.returncode:
            problems = [line for line in done.stdout.splitlines() if '"error"' in line] or [done.stdout[-300:]]
            raise Wrong(f"shardy {arguments[0]} ended with {done.returncode}: {(done.stderr.strip() or problems[0])[:500]}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def check_values(self, wanted):
        """wanted: key (bytes) -> value, or None where it must be absent. All equal, to the bit."""
        lines = [base64.b64encode(key).decode() + "\n" for key in wanted]
        answers = self.run(["multiget", "-", "--flat", "--key-format", "base64"], "".join(lines))
        expect(len(answers) == len(wanted), f"{len(answers)} answers for {len(wanted)} keys")
        for (key, value), answer in zip(wanted.items(), answers):
            expect("error" not in answer, f"key {key[:40]!r}: {answer.get('error')}")
            got = base64.b64decode(answer["value"]) if answer["found"] else None
            expect(got == value, f"key {key[:40]!r}: {of(got)} was read, {of(value)} written")

    def search(self, queries):
        """queries: (vector as little-endian float32, top_k, shard ids or None for all)."""
        lines = []
        for vector, top_k, shards in queries:
            line = {"vector_base64": base64.b64encode(vector).decode(), "top_k": top_k}
            lines.append(json.dumps(line if shards is None else {**line, "shard_ids": shards}) + "\n")
        answers = self.run(["search", "--queries", "-"], "".join(lines))
        expect(len(answers) == len(queries), f"{len(answers)} answers for {len(queries)} queries")
        return [answer["results"] for answer in answers]


def of(value):
    return "nothing" if value is None else f"{len(value)} bytes {value[:20]!r}"


def close(a, b):
    return abs(a - b) <= 1e-6 + 1e-5 * abs(b)


class Count:
    """Passed and failed, with a line for each failure; and what could not be written, which is neither."""

    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, function, *arguments):
        try:
            function(*arguments)
        except (Wrong, ValueError, OSError, sqlite3.Error, subprocess.SubprocessError) as problem:
            self.failed += 1
            print(f"{name}: {problem}")
        else:
            self.passed += 1

    def skip(self, name, why):
        print(f"{name}: skipped: {str(why).splitlines()[0][:200]}")

    def end(self):
        """The last line, and the exit code."""
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        return 1 if self.failed or not self.passed else 0
