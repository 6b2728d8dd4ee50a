#!/usr/bin/env python3
"""Ask the package shardyfusion of this Python, whichever it is, about snapshots on an S3 server, and print its answers.

    python_parity_asks.py SNAPSHOTS NAME...

SNAPSHOTS is the folder that has a record of each (case.json, expected.jsonl, queries.jsonl); the snapshots themselves are at
s3://fixtures/peer/NAME. Uses what both packages offer, and nothing else. Prints a JSON line an answer:
{"case", "reader", "ask", "answer" | "error": [names of its classes, the message last]}; python_parity.py compares those.
"""

import asyncio
import base64
import dataclasses
import datetime
import enum
import inspect
import json
import os
import pathlib
import struct
import sys
import tempfile

import numpy

OPTIONS = {"endpoint_url": os.environ.get("AWS_ENDPOINT_URL"), "region_name": os.environ.get("AWS_REGION", "us-east-1"),
           "addressing_style": "path"}


def plain(value):
    """Something that JSON holds: two answers are the same when this is."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, (datetime.datetime, datetime.timedelta)):
        return str(value)
    if dataclasses.is_dataclass(value) or hasattr(type(value), "model_fields"):
        names = value.__dataclass_fields__ if dataclasses.is_dataclass(value) else type(value).model_fields
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return [[plain(key), plain(entry)] for key, entry in value.items()]
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


def error_of(problem):
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return [kind.__name__ for kind in type(problem).__mro__[:-1]] + [str(problem)[:200]]


class Asking:
    """Puts questions to one reader of one snapshot and prints what comes back, errors too."""

    def __init__(self, case, reader_name):
        self.case, self.reader_name = case, reader_name

    async def ask(self, name, call):
        line = {"case": self.case, "reader": self.reader_name, "ask": name}
        try:
            answer = call()
            line["answer"] = plain(await answer if inspect.isawaitable(answer) else answer)
        except Exception as problem:  # what a package raises is its answer
            line["error"] = error_of(problem)
        print(json.dumps(line), flush=True)


def records(folder, name, file):
    path = folder / name / file
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


def key_of(record):
    ((kind, key),) = record["key"].items()
    return base64.b64decode(key) if kind == "bytes" else key


def stored(key, encoding):
    if isinstance(key, int):
        return struct.pack(">Q" if encoding == "u64be" else ">I", key)
    return key.encode() if isinstance(key, str) else key


async def ask_keys(asking, reader, keys):
    for number, key in enumerate(keys):
        await asking.ask(f"get {number}", lambda key=key: reader.get(key))
    await asking.ask("route_key", lambda: [reader.route_key(key) for key in keys])
    await asking.ask("multi_get", lambda: reader.multi_get(keys + keys[:3]))
    await asking.ask("multi_get of a tuple", lambda: reader.multi_get(tuple(keys[:5])))
    await asking.ask("multi_get of nothing", lambda: reader.multi_get([]))
    await asking.ask("shard_for_key", lambda: reader.shard_for_key(keys[0]))
    await asking.ask("shards_for_keys", lambda: reader.shards_for_keys(keys[:40] + keys[:3]))
    await asking.ask("shards_for_keys of nothing", lambda: reader.shards_for_keys([]))


async def ask_one_shard(asking, reader, keys, encoding):
    stored_keys = [stored(key, encoding) for key in keys[:5]]

    async def settled(answer):
        return await answer if inspect.isawaitable(answer) else answer

    async def by_handle():
        handle = reader.reader_for_key(keys[0])
        found = [await settled(handle.get(stored_keys[0])), await settled(handle.multi_get(stored_keys[:1] * 2))]
        handle.close()
        handle.close()
        return found

    async def by_handles():
        handles = reader.readers_for_keys(keys[:5])
        found = {key: await settled(handles[key].get(stored_key)) for key, stored_key in zip(keys, stored_keys)}
        for handle in handles.values():
            handle.close()
        return found

    async def after_close():
        handle = reader.reader_for_key(keys[0])
        handle.close()
        return await settled(handle.get(stored_keys[0]))

    await asking.ask("reader_for_key", by_handle)
    await asking.ask("readers_for_keys", by_handles)
    await asking.ask("get of a closed handle", after_close)


async def ask_inspection(asking, reader):
    def health(**threshold):
        told = reader.health(**threshold)
        return [told.status, told.manifest_ref, told.num_shards, told.is_closed, told.manifest_age >= datetime.timedelta(0)]

    await asking.ask("snapshot_info", reader.snapshot_info)
    await asking.ask("shard_details", reader.shard_details)
    await asking.ask("key_encoding", lambda: reader.key_encoding)
    await asking.ask("health", health)
    await asking.ask("health within a century", lambda: health(staleness_threshold=datetime.timedelta(days=36525)))
    await asking.ask("refresh", reader.refresh)


async def ask_wrong_keys(asking, reader):
    wrong = {"text": "text", "-1": -1, "7": 7, "2**32": 2**32, "2**63": 2**63, "2**64": 2**64, "3 bytes": b"123", "4 bytes": b"1234",
             "8 bytes": b"12345678", "None": None, "1.5": 1.5}
    for name, key in wrong.items():
        await asking.ask(f"wrong get {name}", lambda key=key: reader.get(key))
        await asking.ask(f"wrong route_key {name}", lambda key=key: reader.route_key(key))
    await asking.ask("wrong multi_get", lambda: reader.multi_get([None]))


def hits(response):
    found = [[hit.id, hit.score, hit.payload, hit.vector] for hit in response.results]
    return {"hits": found, "num_shards_queried": response.num_shards_queried, "latency": response.latency_ms >= 0}


async def settled_hits(answer):
    answer = await answer if inspect.isawaitable(answer) else answer
    return [hits(response) for response in answer] if isinstance(answer, list) else hits(answer)


async def ask_searches(asking, reader, queries, about):
    await asking.ask("vector_meta", lambda: reader.vector_meta)

    def search(*arguments, **more):
        return settled_hits(reader.search(*arguments, **more))

    vectors = [numpy.frombuffer(base64.b64decode(query["query"]), dtype="<f4") for query in queries]
    for number, (query, vector) in enumerate(zip(queries, vectors)):
        chosen = {"shard_ids": query["shard_ids"]} if query.get("shard_ids") is not None else {}
        await asking.ask(f"search {number}", lambda: search(vector, query["top_k"], **chosen))
    ordinary = [vector for vector in vectors if vector.any()][:6]
    await asking.ask("search, ten by default", lambda: search(ordinary[0]))
    await asking.ask("search, float64", lambda: search(ordinary[0].astype("<f8"), top_k=3))
    await asking.ask("batch_search", lambda: settled_hits(reader.batch_search(numpy.stack(ordinary), 5)))
    await asking.ask("batch_search of nothing", lambda: settled_hits(reader.batch_search(numpy.empty((0, about["dim"]), "<f4"))))
    await asking.ask("wrong search, dimension", lambda: search(numpy.ones(about["dim"] + 1, "<f4")))
    await asking.ask("wrong search, top_k 0", lambda: search(ordinary[0], 0))
    await asking.ask("wrong search, top_k -1", lambda: search(ordinary[0], -1))
    await asking.ask("wrong search, top_k 5000", lambda: search(ordinary[0], 5000))
    await asking.ask("wrong search, shard past the last", lambda: search(ordinary[0], shard_ids=[about["num_dbs"]]))
    await asking.ask("wrong search, shard -1", lambda: search(ordinary[0], shard_ids=[-1]))
    await asking.ask("wrong search, shard twice", lambda: search(ordinary[0], 3, shard_ids=[0, 0]))
    await asking.ask("search of no shards", lambda: search(ordinary[0], shard_ids=[]))
    await asking.ask("wrong search, NaN", lambda: search(numpy.full(about["dim"], numpy.nan, "<f4")))
    await asking.ask("wrong search, zero", lambda: search(numpy.zeros(about["dim"], "<f4")))


async def ask_closed(asking, reader, key):
    await asking.ask("close", reader.close)
    await asking.ask("close again", reader.close)
    for name, call in {"get": lambda: reader.get(key), "multi_get": lambda: reader.multi_get([key]), "refresh": lambda: reader.refresh(),
                       "snapshot_info": lambda: reader.snapshot_info(), "shard_details": lambda: reader.shard_details(),
                       "route_key": lambda: reader.route_key(key), "key_encoding": lambda: reader.key_encoding}.items():
        await asking.ask(f"closed {name}", call)
    await asking.ask("closed health", lambda: [(told := reader.health()).status, told.is_closed])
    if hasattr(reader, "search"):
        await asking.ask("closed search", lambda: settled_hits(reader.search(numpy.ones(2, "<f4"))))


class Opening:
    """What a reader of a snapshot is made with."""

    def __init__(self, about, folder):
        self.about = about
        self.arguments = {"s3_prefix": about["s3_prefix"], "local_root": str(folder / "cache"), "s3_connection_options": OPTIONS}
        if about["kind"] == "kv-only" and about["kv_backend"] == "sqlite":
            from shardyfusion import sqlite_adapter
            self.factories = {"async": sqlite_adapter.AsyncAdaptiveSqliteReaderFactory, "sync": sqlite_adapter.AdaptiveSqliteReaderFactory}
        else:
            self.factories = {}

    def arguments_of(self, kind):
        chosen = self.factories.get(kind)
        return self.arguments | ({"reader_factory": chosen(s3_connection_options=OPTIONS)} if chosen else {})

    def classes(self):
        if self.about["kind"] == "kv-only":
            from shardyfusion.reader import AsyncShardedReader, ShardedReader
            return {"async": AsyncShardedReader, "sync": ShardedReader}
        from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader
        from shardyfusion.reader.unified_reader import UnifiedShardedReader
        return {"async": AsyncUnifiedShardedReader, "sync": UnifiedShardedReader}


async def ask_reader(asking, reader, snapshots, about):
    keys = [key_of(record) for record in records(snapshots, about["name"], "expected.jsonl") if record["key"] not in EMPTY]
    await ask_inspection(asking, reader)
    await ask_keys(asking, reader, keys)
    await ask_one_shard(asking, reader, keys, about["key_encoding"])
    if about["kind"] != "kv-only":
        await ask_searches(asking, reader, records(snapshots, about["name"], "queries.jsonl"), about)
    await ask_wrong_keys(asking, reader)
    await ask_closed(asking, reader, keys[0])


EMPTY = ({"str": ""}, {"bytes": ""})


async def ask_case(snapshots, name, folder):
    about = json.loads((snapshots / name / "case.json").read_text(encoding="utf-8"))
    opening = Opening(about, folder)
    for kind, reader_class in opening.classes().items():
        asking = Asking(name, kind)
        if kind == "async":
            never_opened = reader_class(**opening.arguments_of(kind))
            await asking.ask("get before open", lambda: never_opened.get("key"))
            await asking.ask("health before open", lambda: never_opened.health().status)
        opened = []

        async def opens(kind=kind, reader_class=reader_class, opened=opened):
            arguments = opening.arguments_of(kind)
            opened.append(await reader_class.open(**arguments) if kind == "async" else reader_class(**arguments))
            return type(opened[0]).__name__

        await asking.ask("open", opens)
        if opened:
            await ask_reader(asking, opened[0], snapshots, about)


def main():
    import shardyfusion
    snapshots = pathlib.Path(sys.argv[1])
    print(json.dumps({"accelerated": bool(getattr(shardyfusion, "__accelerated__", False)), "from": shardyfusion.__file__}), flush=True)
    for name in sys.argv[2:]:
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(ask_case(snapshots, name, pathlib.Path(folder)))
        print(json.dumps({"case": name, "complete": True}), flush=True)


main()
