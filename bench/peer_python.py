#!/usr/bin/env python3
"""The sides of the py_ benchmarks that are Python: our package, and sqlite3 as a program of asyncio has it without us. Each
times itself, on request, in turn with the others and with the C calls.

    peer_python.py lookups|PART/SNAPSHOT DATA      (vectors/shards-1: searches in that one)

The snapshot's rows are in one file for sqlite3, which takes routing off it: immutable, mapped, and Python keeps the
statement prepared. Reads requests from standard input, answers each with one line:

    describe              versions
    check FIRST COUNT     "same" when all forms of lookup agree on these
    answers FIRST COUNT   ids of the top ten of each query, all in one line
    VERB FIRST COUNT      median nanoseconds of an operation; what is far below a microsecond is timed by the batch, and the
                          median is that of the batches
"""

import asyncio
import os
import platform
import sqlite3
import sys
import time

from make_data import DIMENSION, PY_SHARDS, TOP_K
from snapshot import shard_path

KEY_SIZE, KEYS_A_CALL = 16, 100
SELECT = "SELECT v FROM kv WHERE k = ?"
SELECT_MANY = f"SELECT k, v FROM kv WHERE k IN ({','.join('?' * KEYS_A_CALL)})"


async def median_time(run, items, batch):
    times = []
    for at in range(0, len(items), batch):
        chunk = items[at : at + batch]
        begin = time.perf_counter_ns()
        await run(chunk)
        times.append((time.perf_counter_ns() - begin) / len(chunk))
    return sorted(times)[len(times) // 2]


def connect(path):
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True, check_same_thread=False)
    database.execute("PRAGMA mmap_size = 1073741824")
    return database


class Sqlite:
    """What is called in a thread."""

    def __init__(self, path):
        self.database = connect(path)

    def get(self, key):
        row = self.database.execute(SELECT, (key,)).fetchone()
        return None if row is None else row[0]

    def get_each(self, keys):
        return {key: self.get(key) for key in keys}

    def get_many(self, keys):
        found = dict.fromkeys(keys)
        found.update(self.database.execute(SELECT_MANY, keys))
        return found


def open_shards(folder, keys):
    """A connection a shard and a get in each, as a reader of ours is opened and asked."""
    databases = [connect(os.path.join(folder, shard_path(shard), "shard.db")) for shard in range(PY_SHARDS)]
    for database, key in zip(databases, keys):
        database.execute(SELECT, (key,)).fetchone()
    for database in databases:
        database.close()


class Lookups:
    def __init__(self, data, _name):
        self.folder, self.cache = os.path.join(data, "py"), os.path.join(data, "cache-py")
        with open(os.path.join(self.folder, "lookups.bin"), "rb") as file:
            keys = file.read()
        self.keys = [keys[at : at + KEY_SIZE] for at in range(0, len(keys), KEY_SIZE)]
        self.sqlite = Sqlite(os.path.join(self.folder, "all.db"))

    async def open(self):
        from shardyfusion.reader.async_reader import AsyncShardedReader
        from shardyfusion.reader.reader import ShardedReader

        self.arguments = {"s3_prefix": self.folder, "local_root": self.cache}
        self.reader_class = AsyncShardedReader
        self.reader = await AsyncShardedReader.open(**self.arguments)
        self.plain_reader = ShardedReader(**self.arguments)

    async def close(self):
        await self.reader.close()
        self.plain_reader.close()

    async def describe(self, _first, _count):
        return f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"

    async def check(self, first, count):
        keys = self.keys[first : first + count]
        right = self.sqlite.get_each(keys)
        same = None not in right.values()
        same = same and right == {key: await self.reader.get(key) for key in keys}
        same = same and right == {key: self.plain_reader.get(key) for key in keys}
        for at in range(0, count - KEYS_A_CALL + 1, KEYS_A_CALL):
            hundred = keys[at : at + KEYS_A_CALL]
            same = same and await self.reader.multi_get(hundred) == self.sqlite.get_many(hundred)
        return "same" if same else "different"

    # -- a key a call

    async def run_get(self, keys):
        get = self.reader.get
        for key in keys:
            await get(key)

    async def run_plain_get(self, keys):
        get = self.plain_reader.get
        for key in keys:
            get(key)

    async def run_thread_get(self, keys):
        for key in keys:
            await asyncio.to_thread(self.sqlite.get, key)

    async def run_sqlite_get(self, keys):
        get = self.sqlite.get
        for key in keys:
            get(key)

    # -- a hundred keys a call

    async def run_multi_get(self, calls):
        for keys in calls:
            await self.reader.multi_get(keys)

    async def run_thread_each(self, calls):
        for keys in calls:
            await asyncio.to_thread(self.sqlite.get_each, keys)

    async def run_thread_select(self, calls):
        for keys in calls:
            await asyncio.to_thread(self.sqlite.get_many, keys)

    # -- openings

    async def run_open(self, calls):
        for keys in calls:
            reader = await self.reader_class.open(**self.arguments)
            for key in keys[:PY_SHARDS]:
                await reader.get(key)
            await reader.close()

    async def run_thread_open(self, calls):
        for keys in calls:
            await asyncio.to_thread(open_shards, self.folder, keys)

    async def measure(self, verb, first, count):
        """The verbs of a hundred keys give nanoseconds a key, those of openings nanoseconds an opening."""
        keys = self.keys[first : first + count]
        single = {"get": 50, "plain_get": 50, "thread_get": 1, "sqlite_get": 50}
        if verb in single:
            return await median_time(getattr(self, "run_" + verb), keys, single[verb])
        calls = [keys[at : at + KEYS_A_CALL] for at in range(0, count, KEYS_A_CALL)]
        taken = await median_time(getattr(self, "run_" + verb), calls, 1)
        return taken if verb.endswith("open") else taken / KEYS_A_CALL


class Searches:
    def __init__(self, data, name):
        import numpy

        self.arguments = {"s3_prefix": os.path.join(data, name), "local_root": os.path.join(data, "cache-py")}
        queries = os.path.join(data, os.path.dirname(name), "queries.bin")
        self.queries = list(numpy.fromfile(queries, dtype=numpy.float32).reshape(-1, DIMENSION))

    async def open(self):
        from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader

        self.reader = await AsyncUnifiedShardedReader.open(**self.arguments)

    async def close(self):
        await self.reader.close()

    async def describe(self, _first, _count):
        return f"Python {platform.python_version()}"

    async def answers(self, first, count):
        found = [await self.reader.search(query, TOP_K) for query in self.queries[first : first + count]]
        return " ".join(str(hit.id) for response in found for hit in response.results)

    async def run_search(self, queries):
        for query in queries:
            await self.reader.search(query, TOP_K)

    async def measure(self, verb, first, count):
        return await median_time(getattr(self, "run_" + verb), self.queries[first : first + count], 1)


async def serve(sides):
    await sides.open()
    for line in sys.stdin:
        verb, first, count = line.split()
        named = getattr(sides, verb) if verb in ("describe", "check", "answers") else None
        numbers = int(first), int(count)
        print(await (named(*numbers) if named else sides.measure(verb, *numbers)), flush=True)
    await sides.close()


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    from shardyfusion._runtime import configure_runtime

    configure_runtime(worker_threads=len(os.sched_getaffinity(0)))
    name, data = sys.argv[1], sys.argv[2]
    asyncio.run(serve((Lookups if name == "lookups" else Searches)(data, name)))


if __name__ == "__main__":
    main()
