#!/usr/bin/env python3
"""Write a key-value snapshot with the real SlateDB, a shard for each way of writing, and read it with shardy.

    slatedb_writes.py SHARDY        needs the packages slatedb and xxhash

Every key of every shard, deleted and absent ones too, to the bit; SlateDB's own reader finds the same; and each shard consists
of what its way of writing is there for (WAL, L0, sorted runs, filters, codecs). What a version of the package cannot
write is named as skipped. Prints "N passed, N failed" last.
"""

import asyncio
import importlib.metadata
import pathlib
import shutil
import sys
import tempfile

from slatedb import uniffi

from building import expect
from slatedb_cases import CASES, Keys
from slatedb_shard import CannotWrite, Database, Layout, read
from snapshot import Count, Program, Snapshot

ABSENT = 500  # keys of a shard


async def write(case, keys, folder):
    """The rows, after the last session or, where it is not to be shut down, from a copy of the files before."""
    database = Database(folder, case.settings, case.block_size, case.segmented, case.filters)
    for _ in range(case.sessions):
        async with database:
            await case.write(database, keys)
            if not case.clean:
                shutil.copytree(folder, folder.with_name("copy"))
    if not case.clean:
        shutil.rmtree(folder)
        folder.with_name("copy").rename(folder)
    return database.rows


async def written(case, keys, folder):
    """The rows, or the error that the package had with something optional."""
    try:
        return await write(case, keys, folder)
    except (CannotWrite, uniffi.Error, uniffi.InternalError) as error:
        if not case.optional and not isinstance(error, CannotWrite):
            raise
        shutil.rmtree(folder)
        return error


async def write_all(snapshot):
    tasks = [written(case, Keys(snapshot, shard), snapshot.folder(shard)) for shard, case in enumerate(CASES)]
    return await asyncio.gather(*tasks)


def check_own_reader(case, folder, wanted, copy):
    if not case.read_first:
        folder = shutil.copytree(folder, copy)
    found = asyncio.run(read(folder, wanted, case.segmented))
    for key, value in wanted.items():
        expect(found[key] == value, f"SlateDB's own reader has something else for key {key[:40]!r}")


def check(program, case, folder, wanted, copy):
    layout = Layout(folder)
    expect(case.layout(layout), f"not what this is there for: {layout}")
    check_own_reader(case, folder, wanted, copy)
    program.check_values(wanted)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    count = Count()
    print("slatedb", importlib.metadata.version("slatedb"))
    with tempfile.TemporaryDirectory() as name:
        temporary = pathlib.Path(name)
        snapshot = Snapshot(temporary / "snapshot", len(CASES) + 1, "raw", {})  # nothing in the last one
        results = asyncio.run(write_all(snapshot))
        for shard, rows in enumerate(results):
            if not isinstance(rows, Exception):
                snapshot.add(shard, len(rows))
        snapshot.publish()
        program = Program(sys.argv[1], snapshot.root, temporary / "cache")
        for shard, (case, rows) in enumerate(zip(CASES, results)):
            if isinstance(rows, Exception):
                count.skip(case.name, rows)
                continue
            absent = Keys(snapshot, shard)
            absent.made.update(rows)
            absent.source.seed(case.name)
            wanted = {**rows, **dict.fromkeys(absent.some(ABSENT))}
            count.check(case.name, check, program, case, snapshot.folder(shard), wanted, temporary / f"copy-{shard}")
        unused = Keys(snapshot, len(CASES)).some(20)
        count.check("a shard that is not there", program.check_values, dict.fromkeys(unused))
    sys.exit(count.end())


main()
