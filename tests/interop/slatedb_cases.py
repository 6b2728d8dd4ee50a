"""The ways in which SlateDB writes a shard, and what its files must then consist of."""

import asyncio
import json
import random

from slatedb import uniffi

from slatedb_shard import VERSION, Layout

SHUTDOWN_FLUSHES = VERSION >= (0, 13)  # 0.12 leaves what is in memory to the WAL
QUICK = {"flush_interval": "5ms", "compactor_options.poll_interval": "3600s"}  # not compacted, however long it takes
SMALL = {**QUICK, "l0_sst_size_bytes": 65536}
COMPACTION_SECONDS = 120
EXPIRY_MS = 4000


def compacting(codec=None):
    """Small runs, soon. From 0.15 on a part of it is the worker's."""
    options = json.loads(uniffi.Settings.default().to_json_string())["compactor_options"]
    worker = "compactor_options.worker." if "worker" in options else "compactor_options."
    settings = {**SMALL, "l0_max_ssts": 4, "compression_codec": codec, "compactor_options.poll_interval": "50ms",
                "compactor_options.scheduler_options": {"min_compaction_sources": "2", "max_compaction_sources": "8"},
                worker + "max_sst_size": 65536}
    if "worker" in options:
        settings.update({worker + "compactions_poll_interval": "50ms", worker + "compression_codec": codec,
                         "compactor_options.commit_compacted_interval": "50ms"})
    return settings


class Keys:
    """Keys that route to one shard."""

    def __init__(self, snapshot, shard):
        self.snapshot, self.shard = snapshot, shard
        self.source = random.Random(shard)
        self.made = set()

    def wanted(self, key):
        return self.snapshot.route(key) == self.shard and key not in self.made

    def one(self, length=None, prefix=b""):
        while True:
            key = prefix + self.source.randbytes(length or self.source.randrange(4, 40))
            if self.wanted(key):
                self.made.add(key)
                return key

    def some(self, count):
        return [self.one() for _ in range(count)]

    def each_of_one_byte(self):
        keys = [bytes([number]) for number in range(256) if self.wanted(bytes([number]))]
        self.made.update(keys)
        return keys

    def rows(self, count, size=100):
        return {key: self.source.randbytes(size) for key in self.some(count)}


# ---- ways of writing: each gets an open database and keys ----

async def batches(database, keys):
    for _ in range(5):
        await database.write(keys.rows(200))
    await database.flush()


async def batches_of_large_rows(database, keys):
    for _ in range(12):
        await database.write(keys.rows(40, 1000))
    await database.flush()


async def many_flushes(database, keys):
    for number in range(40):
        await database.write(keys.rows(5))
        await (database.flush_to_l0() if number % 8 == 7 else database.flush())


async def overwrites_and_deletes(database, keys):
    known = []
    for number in range(6):
        known += keys.some(150)
        chosen = keys.source.sample(known, len(known) * 2 // 3)
        puts = {key: b"round %d " % number + keys.source.randbytes(30) for key in chosen[::2]}
        await database.write(puts, chosen[1::2])
        if number < 5:
            await database.flush_to_l0()
    await database.write({}, keys.some(20))  # that never were
    await database.flush()


async def one_key_thousands_of_times(database, keys):
    """With a snapshot held, so that the versions stay: they cross blocks."""
    first, hot, last = sorted(keys.some(3))
    await database.write({first: b"before", last: b"after"})
    held = await database.database.snapshot()
    for number in range(600):
        await database.put_unawaited(hot, b"%05d" % number * 8)
    database.rows[hot] = b"00599" * 8
    await database.flush_to_l0()
    await database.write(keys.rows(3))
    del held


async def compacted(database, keys):
    known = []
    for number in range(60):
        known += keys.some(40)
        chosen = keys.source.sample(known, min(len(known), 80))
        await database.write({key: keys.source.randbytes(900) for key in chosen[10:]}, chosen[:10])
        await database.flush_to_l0()
        if number > 8 and Layout(database.folder).runs > 1:
            break
    await runs_appear(database)
    await database.write(keys.rows(20))
    await database.flush_to_l0()
    await database.write(keys.rows(5))
    await database.flush()


async def runs_appear(database):
    """The compactor tells nobody when it is done."""
    for _ in range(COMPACTION_SECONDS * 10):
        if Layout(database.folder).runs:
            return
        await asyncio.sleep(0.1)


async def with_codec(database, keys):
    """Values that compress and values that do not, in L0 with a filter, and in the WAL."""
    rows = {key: (b"again and again " * 20 if number % 2 else keys.source.randbytes(200))
            for number, key in enumerate(keys.some(1500))}
    await database.write(rows)
    await database.flush_to_l0()
    await database.write(keys.rows(50, 300), list(rows)[::7])
    await database.flush()


async def filtered(database, keys):
    await database.write(keys.rows(5000, 20))
    await database.flush_to_l0()


async def ends_of_values(database, keys):
    for flush in (database.flush_to_l0, database.flush):
        sizes = (0, 1, 127, 128, 4095, 4096, 16384, 70_000, 1 << 20)
        await database.write({keys.one(): keys.source.randbytes(size) for size in sizes})
        await flush()


async def ends_of_keys(database, keys):
    for length in (65535, 30_000, 300):
        await database.write({keys.one(length): b"%d" % length})
    stem = keys.one(8)
    await database.write({keys.one(4, stem * n): b"prefixes %d" % n for n in range(40)})
    await database.write({keys.one(2, b"\0" * n): b"zeros" for n in range(20)})
    await database.write({keys.one(2, b"\xff" * n): b"highest" for n in range(20)})
    await database.write(dict.fromkeys(keys.each_of_one_byte(), b"one byte"))
    await database.flush_to_l0()
    await database.write({keys.one(65535): b"in the WAL"})
    await database.flush()


async def nothing(database, keys):
    await database.flush()


async def all_deleted(database, keys):
    rows = keys.rows(300)
    await database.write(rows)
    await database.flush_to_l0()
    await database.write({}, list(rows))
    await database.flush()


async def expired(database, keys):
    """SlateDB's readers do not look at the time. What has expired when it goes to L0 is a tombstone there."""
    expire_after = getattr(uniffi.Ttl, "EXPIRE_AFTER_TICKS", None) or uniffi.Ttl.EXPIRE_AFTER_MILLIS

    async def put(rows, milliseconds):
        for key, value in rows.items():
            await database.put_unawaited(key, value, expire_after(milliseconds))

    gone = keys.rows(20)
    await put(gone, 1)
    await asyncio.sleep(0.1)
    await database.write(keys.rows(1))  # SlateDB's clock is that of the last row
    await database.flush_to_l0()
    database.rows.update(dict.fromkeys(gone))
    for flush in (database.flush_to_l0, database.flush):
        rows = keys.rows(20)
        await put(rows, EXPIRY_MS)
        database.rows.update(rows)
        await flush()
    await asyncio.sleep(EXPIRY_MS / 1000)


async def in_segments(database, keys):
    """As overwrites and deletes, with rows of each segment in L0 and in the WAL, and of one in the WAL alone."""
    known = []
    for number in range(4):
        known += [keys.one(prefix=first) for first in (b"a", b"b", b"\0", b"\xff") for _ in range(40)]
        chosen = keys.source.sample(known, len(known) * 2 // 3)
        await database.write({key: b"round %d" % number for key in chosen[::2]}, chosen[1::2])
        await database.flush_to_l0()
    await database.write({keys.one(prefix=first): b"last" for first in (b"a", b"b", b"w")}, chosen[:9])
    await database.flush()


async def in_segments_compacted(database, keys):
    for _ in range(3):
        await in_segments(database, keys)
    await runs_appear(database)


class Case:
    """layout: what must hold of it. sessions: how often it is opened and written. clean: shut down before it is read.
    read_first: SlateDB's own reader opens the very files that shardy reads, and leaves its manifests there.
    optional: a package may be built without what it needs."""

    def __init__(self, name, write, layout, settings=(), block_size=None, sessions=1, clean=True, read_first=False,
                 optional=False, segmented=False, filters=()):
        self.name, self.write, self.layout, self.settings, self.block_size = name, write, layout, settings, block_size
        self.sessions, self.clean, self.read_first, self.optional = sessions, clean, read_first, optional
        self.segmented, self.filters = segmented, filters


def flushed_at_the_end(layout):
    return layout.l0 >= 1 and layout.wal == 0 if SHUTDOWN_FLUSHES else layout.l0 == 0 and layout.wal >= 1


def l0_and_wal(layout):
    return layout.l0 >= 1 and (SHUTDOWN_FLUSHES or layout.wal >= 1)


def codec(name, number):
    return Case(f"codec {name}", with_codec,
                lambda layout: l0_and_wal(layout) and layout.codecs == {number} and layout.filters >= 1,
                {**QUICK, "compression_codec": name}, optional=True)


def unclean_codec(name, number):
    return Case(f"codec {name}, not shut down", with_codec,
                lambda layout: layout.l0 == 1 and layout.wal >= 1 and layout.codecs == {number},
                {**QUICK, "compression_codec": name}, clean=False, optional=True)


CODECS = (("Snappy", 1), ("Zlib", 2), ("Lz4", 3), ("Zstd", 4))
CASES = [
    Case("default settings", batches, flushed_at_the_end),
    Case("default settings, opened three times", batches, flushed_at_the_end, sessions=3),
    Case("default settings, not shut down", batches, lambda layout: layout.l0 == 0 and layout.wal >= 1, clean=False),
    Case("default settings, read by SlateDB first", batches, flushed_at_the_end, read_first=True),
    Case("small L0", batches_of_large_rows, lambda layout: layout.l0 >= 3 and l0_and_wal(layout), SMALL),
    Case("small L0, not shut down", batches_of_large_rows, lambda layout: layout.l0 >= 3 and layout.wal >= 1,
         SMALL, clean=False),
    Case("many flushes", many_flushes, lambda layout: layout.l0 >= 5, QUICK),
    Case("many flushes, not shut down", many_flushes, lambda layout: layout.l0 >= 5, QUICK, clean=False),
    Case("overwrites and deletes", overwrites_and_deletes, lambda layout: layout.l0 >= 5 and l0_and_wal(layout), QUICK),
    Case("overwrites and deletes, not shut down", overwrites_and_deletes, lambda layout: layout.l0 == 5 and layout.wal >= 1,
         QUICK, clean=False),
    Case("one key thousands of times", one_key_thousands_of_times, l0_and_wal, QUICK, "BLOCK1_KIB"),
    Case("compacted", compacted, lambda layout: layout.runs >= 1, compacting()),
    Case("compacted, zstd, opened twice", compacted, lambda layout: layout.runs >= 1 and layout.codecs == {4},
         compacting("Zstd"), sessions=2, optional=True),
    *(codec(*each) for each in CODECS),
    *(unclean_codec(*each) for each in CODECS),
    Case("filter", filtered, lambda layout: layout.l0 == 1 and layout.filters == 1, QUICK),
    Case("filter of any number of keys", batches, lambda layout: layout.filters == layout.l0, {**QUICK, "min_filter_keys": 1}),
    Case("no filter", filtered, lambda layout: layout.l0 == 1 and layout.filters == 0, {**QUICK, "min_filter_keys": 1 << 20}),
    Case("blocks of 1 KiB", filtered, lambda layout: layout.l0 == 1, QUICK, "BLOCK1_KIB"),
    Case("blocks of 16 KiB", overwrites_and_deletes, lambda layout: layout.l0 >= 5, QUICK, "BLOCK16_KIB"),
    Case("blocks of 64 KiB", filtered, lambda layout: layout.l0 == 1, QUICK, "BLOCK64_KIB"),
    Case("filter of prefixes", filtered, lambda layout: layout.filters == 1, QUICK, filters=["prefixes"]),
    Case("filter of keys and prefixes", filtered, lambda layout: layout.filters == 1, QUICK, filters=["keys and prefixes"]),
    Case("two filters", filtered, lambda layout: layout.filters == 1, QUICK, filters=["prefixes", "keys"]),
    Case("segments", in_segments, lambda layout: layout.segments >= 4, QUICK, segmented=True),
    Case("segments, not shut down", in_segments, lambda layout: layout.segments == 4 and layout.wal >= 1, QUICK, clean=False,
         segmented=True),
    Case("segments, compacted", in_segments_compacted, lambda layout: layout.segments >= 4 and layout.runs >= 1, compacting(),
         segmented=True),
    Case("values", ends_of_values, l0_and_wal, QUICK),
    Case("values, zlib, not shut down", ends_of_values, lambda layout: layout.l0 == 1 and layout.wal >= 1,
         {**QUICK, "compression_codec": "Zlib"}, clean=False),
    Case("keys", ends_of_keys, l0_and_wal, QUICK),
    Case("no rows", nothing, lambda layout: layout.l0 == 0 and layout.wal == 0),
    Case("all deleted", all_deleted, l0_and_wal, QUICK),
    Case("expired", expired, l0_and_wal, QUICK),
    Case("expired, not shut down", expired, lambda layout: layout.l0 == 2 and layout.wal >= 1, QUICK, clean=False),
]
