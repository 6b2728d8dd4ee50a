"""A SlateDB database in a folder, written with the calls of the Python project; and what a look into its files tells."""

import importlib.metadata
import inspect
import json
import struct

from slatedb import uniffi

from building import expect

VERSION = tuple(int(part) for part in importlib.metadata.version("slatedb").split(".")[:2])
EMPTY_WAL_MOST = 150  # bytes; the marker that each opening leaves is smaller, a row needs more
# From 0.16 on no write waits for the store.
UNAWAITED = {"await_durable": False} if "await_durable" in inspect.signature(uniffi.WriteOptions).parameters else {}


class CannotWrite(Exception):
    """This version of the package has no way to write that."""


def place(folder):
    """Path and store, as the builders take them. From 0.14 on the path is not taken off the URL."""
    if VERSION < (0, 14):
        return "", uniffi.ObjectStore.resolve(f"file://{folder}")
    return str(folder).lstrip("/"), uniffi.ObjectStore.resolve("file:///")


class FirstByte(getattr(uniffi, "PrefixExtractor", object)):
    """The prefix of a key, for segments and filters."""

    def name(self):
        return "first-byte"

    def prefix_len(self, target):
        return 1


class Database:
    """Remembers in rows what must be in it: the value of each key, None for what was deleted.
    segmented: each first byte of a key has files of its own. filters: names of what is written for each file."""

    def __init__(self, folder, settings=(), block_size=None, segmented=False, filters=()):
        self.folder, self.settings, self.block_size = folder, dict(settings), block_size
        self.segmented, self.filters = segmented, filters
        self.rows = {}

    def builder(self):
        builder = uniffi.DbBuilder(*place(self.folder))
        settings = uniffi.Settings.default()
        for name, value in self.settings.items():
            settings.set(name, json.dumps(value))
        builder.with_settings(settings)
        if self.block_size:
            builder.with_sst_block_size(getattr(uniffi.SstBlockSize, self.block_size))
        if (self.segmented or self.filters) and not hasattr(builder, "with_segment_extractor"):
            raise CannotWrite("this version has neither segments nor a choice of filters")
        if self.segmented:
            builder.with_segment_extractor(FirstByte())
        if self.filters:
            builder.with_filter_policies([self.filter(name) for name in self.filters])
        return builder

    def filter(self, name):
        if name == "keys":
            return uniffi.FilterPolicy.bloom(10)
        options = uniffi.BloomFilterOptions(bits_per_key=10, whole_key_filtering=name == "keys and prefixes")
        return uniffi.FilterPolicy.bloom_with_options(options, FirstByte())

    async def __aenter__(self):
        self.database = await self.builder().build()
        return self

    async def __aexit__(self, *exception):
        await self.database.shutdown()

    async def write(self, puts, deletes=()):
        """One batch."""
        batch = uniffi.WriteBatch()
        for key, value in puts.items():
            batch.put(key, value)
        for key in deletes:
            batch.delete(key)
        await self.database.write(batch)
        self.rows.update(puts)
        self.rows.update(dict.fromkeys(deletes))

    async def put_unawaited(self, key, value, ttl=None):
        ttl = uniffi.Ttl.DEFAULT() if ttl is None else ttl
        await self.database.put_with_options(key, value, uniffi.PutOptions(ttl=ttl), uniffi.WriteOptions(**UNAWAITED))

    async def flush(self):
        """What the Python project does after its last batch."""
        await self.database.flush_with_options(uniffi.FlushOptions(flush_type=uniffi.FlushType.WAL))

    async def flush_to_l0(self):
        await self.database.flush_with_options(uniffi.FlushOptions(flush_type=uniffi.FlushType.MEM_TABLE))


async def read(folder, keys, segmented=False):
    """What the package's own reader finds. It adds manifests to the folder."""
    builder = uniffi.DbReaderBuilder(*place(folder))
    if segmented:
        builder.with_segment_extractor(FirstByte())
    reader = await builder.build()
    try:
        return {key: await reader.get(key) for key in keys}
    finally:
        await reader.shutdown()


class Table:
    """A FlatBuffers table."""

    def __init__(self, data, at):
        self.data, self.at = data, at
        self.slots = at - struct.unpack_from("<i", data, at)[0]

    def place(self, slot):
        length = struct.unpack_from("<H", self.data, self.slots)[0]
        offset = struct.unpack_from("<H", self.data, self.slots + 4 + 2 * slot)[0] if 4 + 2 * slot < length else 0
        return self.at + offset if offset else None

    def number(self, slot, kind):
        place = self.place(slot)
        return 0 if place is None else struct.unpack_from(kind, self.data, place)[0]

    def follow(self, place):
        return place + struct.unpack_from("<I", self.data, place)[0]

    def table(self, slot):
        return Table(self.data, self.follow(self.place(slot)))

    def tables(self, slot):
        if self.place(slot) is None:
            return []
        start = self.follow(self.place(slot))
        count = struct.unpack_from("<I", self.data, start)[0]
        return [Table(self.data, self.follow(start + 4 + 4 * i)) for i in range(count)]


class Layout:
    """What a database consists of, by its newest manifest: l0 and run files, WAL files still to be replayed."""

    def __init__(self, folder):
        data = max((folder / "manifest").glob("*.manifest")).read_bytes()
        self.version = struct.unpack_from(">H", data)[0]
        expect(self.version in (1, 2), f"a manifest of version {self.version}, which this script does not read")
        manifest = Table(data[2:], struct.unpack_from("<I", data, 2)[0])
        if self.version == 1:
            l0, runs, segments = manifest.tables(8), manifest.tables(9), []
            infos = [file.table(1) for file in l0 + sum((run.tables(1) for run in runs), [])]
        else:
            l0, runs, segments = manifest.tables(9), manifest.tables(10), manifest.tables(16)
            l0 += sum((segment.tables(2) for segment in segments), [])
            runs += sum((segment.tables(3) for segment in segments), [])
            infos = [file.table(1) for file in manifest.tables(8)]
        self.l0, self.runs, self.segments = len(l0), len(runs), len(segments)
        self.filters = sum(info.number(4, "<Q") > 0 for info in infos)
        self.codecs = {info.number(5, "<b") for info in infos}
        replayed = manifest.number(5, "<Q")
        self.wal = sum(int(file.stem) > replayed and file.stat().st_size > EMPTY_WAL_MOST
                       for file in (folder / "wal").glob("*.sst"))

    def __str__(self):
        return f"manifest {self.version}, {self.segments} segments, {self.l0} L0, {self.runs} runs, {self.wal} WAL, {self.filters} filters, codecs {sorted(self.codecs)}"
