"""A SlateDB database in a folder, written with the calls of the Python project; and what a look into its files tells."""

import json
import struct

from slatedb import uniffi

from building import expect

EMPTY_WAL_MOST = 150  # bytes; the marker that each opening leaves is smaller, a row needs more


class Database:
    """Remembers in rows what must be in it: the value of each key, None for what was deleted."""

    def __init__(self, folder, settings=(), block_size=None):
        self.folder, self.settings, self.block_size = folder, dict(settings), block_size
        self.rows = {}

    async def __aenter__(self):
        builder = uniffi.DbBuilder("", uniffi.ObjectStore.resolve(f"file://{self.folder}"))
        settings = uniffi.Settings.default()
        for name, value in self.settings.items():
            settings.set(name, json.dumps(value))
        builder.with_settings(settings)
        if self.block_size:
            builder.with_sst_block_size(getattr(uniffi.SstBlockSize, self.block_size))
        self.database = await builder.build()
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

    async def flush(self):
        """What the Python project does after its last batch."""
        await self.database.flush_with_options(uniffi.FlushOptions(flush_type=uniffi.FlushType.WAL))

    async def flush_to_l0(self):
        await self.database.flush_with_options(uniffi.FlushOptions(flush_type=uniffi.FlushType.MEM_TABLE))


async def read(folder, keys):
    """What the package's own reader finds. It adds manifests to the folder."""
    reader = await uniffi.DbReaderBuilder("", uniffi.ObjectStore.resolve(f"file://{folder}")).build()
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
        version = struct.unpack_from(">H", data)[0]
        expect(version == 1, f"a manifest of version {version}, which this script does not read")
        manifest = Table(data[2:], struct.unpack_from("<I", data, 2)[0])
        replayed = manifest.number(5, "<Q")
        l0 = manifest.tables(8)
        runs = [run.tables(1) for run in manifest.tables(9)]
        infos = [file.table(1) for file in l0 + sum(runs, [])]
        self.l0, self.runs = len(l0), len(runs)
        self.filters = sum(info.number(4, "<Q") > 0 for info in infos)
        self.codecs = {info.number(5, "<b") for info in infos}
        self.wal = sum(int(file.stem) > replayed and file.stat().st_size > EMPTY_WAL_MOST
                       for file in (folder / "wal").glob("*.sst"))

    def __str__(self):
        return f"{self.l0} L0, {self.runs} runs, {self.wal} WAL, {self.filters} filters, codecs {sorted(self.codecs)}"
