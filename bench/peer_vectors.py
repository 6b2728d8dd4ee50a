#!/usr/bin/env python3
"""A peer of the search benchmarks in a process of its own; times itself, on request, in turn with ours.

    peer_vectors.py sqlite-vec|faiss|lancedb|lancedb-index DATA
    peer_vectors.py sqlite-vec:PART DATA              of another part of the data than vectors

Reads requests from standard input, answers each with one line:

    describe             name, version, instruction set
    answers FIRST COUNT  ids of the top ten of each query, all in one line
    round FIRST COUNT    median nanoseconds of a search, one query at a time
    batch FIRST COUNT    nanoseconds of one call with all of them
    memory               bytes of anonymous memory more than before the data was opened, peak bytes in all
"""

import os
import sys
import time

from make_data import LANCE_EF_CONSTRUCTION, LANCE_M
from snapshot import shard_path

DIMENSION, TOP_K = 384, 10
LANCE_EF, LANCE_REFINE_FACTOR = 2000, 3


def memory_of(field):
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
    return 0


class SqliteVec:
    def __init__(self, folder):
        import sqlite3
        import sqlite_vec

        self.before = memory_of("RssAnon")
        shard = os.path.join(folder, "shards-1", "shards", "run_id=" + "b" * 32, "db=00000", "attempt=00", "shard.db")
        self.database = sqlite3.connect(f"file:{shard}?mode=ro&immutable=1", uri=True)
        self.database.enable_load_extension(True)
        sqlite_vec.load(self.database)
        self.database.execute("PRAGMA mmap_size = 1073741824")
        # One shard: its rowids are the ids, counted from 0 in the order of writing.
        self.statement = "SELECT rowid FROM vec_index WHERE embedding MATCH ? AND k = 10"

    def describe(self):
        version, flags = self.database.execute("SELECT vec_version(), vec_debug()").fetchone()
        found = [line.split(":", 1)[1].strip() for line in flags.splitlines() if line.startswith("Build flags:")]
        return f"sqlite-vec {version} from PyPI, built with {found[0] if found and found[0] else 'no vector instructions'}"

    def search(self, query):
        return [row[0] for row in self.database.execute(self.statement, (query,))]

    def prepare(self, queries):
        return [query.tobytes() for query in queries]

    def batch(self, queries):
        return [self.search(query) for query in queries]


class Faiss:
    def __init__(self, folder):
        import faiss
        import numpy

        faiss.omp_set_num_threads(1)
        self.faiss = faiss
        self.before = memory_of("RssAnon")
        vectors = numpy.fromfile(os.path.join(folder, "vectors.bin"), dtype=numpy.float32).reshape(-1, DIMENSION)
        faiss.normalize_L2(vectors)
        self.index = faiss.IndexFlatIP(DIMENSION)
        self.index.add(vectors)

    def describe(self):
        return f"faiss {self.faiss.__version__} from PyPI ({self.faiss.get_compile_options().strip()})"

    def search(self, query):
        return self.index.search(query, TOP_K)[1][0]

    def prepare(self, queries):
        queries = queries.copy()
        self.faiss.normalize_L2(queries)
        self.together = queries
        return [queries[i : i + 1] for i in range(len(queries))]

    def batch(self, queries):
        # By default it hands only larger batches to BLAS, which is several times faster from 4 queries on.
        default = self.faiss.cvar.distance_compute_blas_threshold
        self.faiss.cvar.distance_compute_blas_threshold = 20
        found = self.index.search(self.together, TOP_K)[1]
        self.faiss.cvar.distance_compute_blas_threshold = default
        return found


class LanceDb:
    """The dataset of the shard itself, without an index: every row is looked at."""

    store = os.path.join("snapshot", shard_path(0), "vector")

    def __init__(self, folder):
        import lancedb

        self.before = memory_of("RssAnon")
        self.version = lancedb.__version__
        self.table = lancedb.connect(os.path.join(os.path.dirname(folder), "lance", self.store)).open_table("vector_index")

    def describe(self):
        return f"lancedb {self.version} from PyPI, no index, ids alone"

    def query(self, query):
        return self.table.search(query).bypass_vector_index()

    def search(self, query):
        found = self.query(query).distance_type("cosine").limit(TOP_K).select(["id", "_distance"]).to_arrow()
        return found["id"].to_pylist()

    def prepare(self, queries):
        return list(queries)

    def batch(self, queries):
        return [self.search(query) for query in queries]


class LanceDbIndex(LanceDb):
    """A copy with an index; what is asked of it reaches the recall that the runner wants."""

    store = "indexed"

    def describe(self):
        return (f"lancedb {self.version} from PyPI, IVF_HNSW_SQ of 1 partition, m {LANCE_M}, "
                f"ef_construction {LANCE_EF_CONSTRUCTION}, ef {LANCE_EF}, refine_factor {LANCE_REFINE_FACTOR}, ids alone")

    def query(self, query):
        return self.table.search(query).nprobes(1).ef(LANCE_EF).refine_factor(LANCE_REFINE_FACTOR)


PEERS = {"sqlite-vec": SqliteVec, "faiss": Faiss, "lancedb": LanceDb, "lancedb-index": LanceDbIndex}


def timed_round(peer, queries):
    times = []
    for query in queries:
        begin = time.perf_counter_ns()
        peer.search(query)
        times.append(time.perf_counter_ns() - begin)
    return sorted(times)[len(times) // 2]


def timed_batch(peer, queries):
    begin = time.perf_counter_ns()
    peer.batch(queries)
    return time.perf_counter_ns() - begin


def answer(peer, all_queries, verb, arguments):
    if verb == "describe":
        return peer.describe()
    if verb == "memory":
        return f"{memory_of('RssAnon') - peer.before} {memory_of('VmHWM')}"
    first, count = int(arguments[0]), int(arguments[1])
    queries = peer.prepare(all_queries[first : first + count])
    if verb == "answers":
        return " ".join(str(key) for query in queries for key in peer.search(query))
    return str(timed_round(peer, queries) if verb == "round" else timed_batch(peer, queries))


def main():
    name, _, part = sys.argv[1].partition(":") if len(sys.argv) == 3 else ("", "", "")
    if name not in PEERS:
        sys.exit(__doc__)
    import numpy

    folder = os.path.join(sys.argv[2], part or "vectors")
    queries = numpy.fromfile(os.path.join(folder, "queries.bin"), dtype=numpy.float32).reshape(-1, DIMENSION)
    peer = PEERS[name](folder)
    for line in sys.stdin:
        verb, *arguments = line.split()
        print(answer(peer, queries, verb, arguments), flush=True)


if __name__ == "__main__":
    main()
