#!/usr/bin/env python3
"""The peer of the slatedb benchmarks: SlateDB's own reader of each shard; times itself, on request, in turn with ours.

    peer_slatedb.py slatedb-0.12|slatedb-0.13 DATA

Readers are built with their defaults, as the Python project builds them, and awaited on the event loop itself: the project's
calls without async come through another thread, which costs them more. It reads a copy of the snapshot, for every opening
writes into it. Reads requests from standard input, answers each with one line:

    describe             version
    answers FIRST COUNT  the values of these lookups in hexadecimal digits, - for an absent one
    round FIRST COUNT    median nanoseconds of a get, one lookup at a time
    open FIRST COUNT     nanoseconds of opening all shards, together, and one get in each (FIRST and COUNT say nothing)
"""

import asyncio
import os
import shutil
import sys
import time
from importlib import metadata

import slatedb.uniffi as slatedb
from make_data import SLATEDB_SHARDS
from snapshot import load_xxh3, shard_path

KEY_SIZE = 16


def read_keys(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        keys = file.read()
    return [keys[at : at + KEY_SIZE] for at in range(0, len(keys), KEY_SIZE)]


def files_below(folder):
    return {os.path.join(path, name) for path, _, names in os.walk(folder) for name in names}


class Peer:
    def __init__(self, data, part):
        original = os.path.join(data, part)
        self.folder = os.path.join(data, part + "-peer")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(original, self.folder)
        self.urls = ["file://" + os.path.abspath(os.path.join(self.folder, shard_path(shard)))
                     for shard in range(SLATEDB_SHARDS)]
        self.lookups, self.first = read_keys(original, "lookups.bin"), read_keys(original, "first.bin")
        self.hash = load_xxh3()
        self.files = files_below(self.folder)
        self.readers = None

    async def build(self):
        builders = [slatedb.DbReaderBuilder("", slatedb.ObjectStore.resolve(url)) for url in self.urls]
        return await asyncio.gather(*(builder.build() for builder in builders))

    async def shut(self, readers):
        for reader in readers:
            await reader.shutdown()
        for path in files_below(self.folder) - self.files:
            os.remove(path)  # the manifests that opening added

    async def ready(self):
        if not self.readers:
            self.readers = await self.build()
        return self.readers

    def get(self, key):
        return self.readers[self.hash(key, len(key)) % SLATEDB_SHARDS].get(key)

    async def answers(self, first, count):
        await self.ready()
        values = [await self.get(key) for key in self.lookups[first : first + count]]
        return " ".join("-" if value is None else bytes(value).hex() for value in values)

    async def round(self, first, count):
        readers = await self.ready()
        # Routing is not timed.
        wanted = [(readers[self.hash(key, KEY_SIZE) % SLATEDB_SHARDS], key) for key in self.lookups[first : first + count]]
        times = []
        for reader, key in wanted:
            begin = time.perf_counter_ns()
            await reader.get(key)
            times.append(time.perf_counter_ns() - begin)
        return str(sorted(times)[len(times) // 2])

    async def open(self, _first, _count):
        begin = time.perf_counter_ns()
        readers = await self.build()
        values = [await reader.get(key) for reader, key in zip(readers, self.first)]
        time_taken = time.perf_counter_ns() - begin
        await self.shut(readers)
        return "-1" if None in values else str(time_taken)

    async def describe(self, _first, _count):
        return "slatedb " + metadata.version("slatedb")

    async def serve(self):
        for line in sys.stdin:
            verb, first, count = line.split()
            answer = {"describe": self.describe, "answers": self.answers, "round": self.round, "open": self.open}[verb]
            print(await answer(int(first), int(count)), flush=True)
        if self.readers:
            await self.shut(self.readers)
        shutil.rmtree(self.folder)


def main():
    if len(sys.argv) != 3 or sys.argv[1] not in ("slatedb-0.12", "slatedb-0.13"):
        sys.exit(__doc__)
    if not metadata.version("slatedb").startswith(sys.argv[1].removeprefix("slatedb-") + "."):
        sys.exit("this is slatedb " + metadata.version("slatedb"))
    asyncio.run(Peer(sys.argv[2], sys.argv[1]).serve())


if __name__ == "__main__":
    main()
