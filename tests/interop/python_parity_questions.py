"""The questions of python_parity_asks.py to a reader that is open, and answers as JSON. Both packages of Python are asked them."""

import base64
import dataclasses
import datetime
import enum
import inspect
import json
import struct

import numpy


class Told(dict):
    """Something with names, not an answer of a package by keys."""


def plain(value):
    """Something that JSON holds: two answers are the same when this is. Order counts, that of a dict too."""
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode()}
    if isinstance(value, (datetime.datetime, datetime.timedelta)):
        return str(value)
    if dataclasses.is_dataclass(value) or hasattr(type(value), "model_fields"):
        names = value.__dataclass_fields__ if dataclasses.is_dataclass(value) else type(value).model_fields
        return plain(Told((name, getattr(value, name)) for name in names))
    if isinstance(value, Told):
        return {name: plain(entry) for name, entry in value.items()}
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


def stored(key, encoding):
    if isinstance(key, int):
        return struct.pack(">Q" if encoding == "u64be" else ">I", key)
    return key.encode() if isinstance(key, str) else key


async def ask_keys(asking, reader, keys):
    for number, key in enumerate(keys):
        await asking.ask(f"get {number}", lambda key=key: reader.get(key))
    await asking.ask("get with a routing context", lambda: reader.get(keys[0], routing_context={"region": "eu"}))
    await asking.ask("multi_get with a routing context", lambda: reader.multi_get(keys[:2], routing_context={"region": "eu"}))
    await asking.ask("route_key", lambda: [reader.route_key(key) for key in keys])
    await asking.ask("multi_get", lambda: reader.multi_get(keys + keys[:3]))
    await asking.ask("multi_get of a tuple", lambda: reader.multi_get(tuple(keys[:5])))
    await asking.ask("multi_get of nothing", lambda: reader.multi_get([]))
    await asking.ask("shard_for_key", lambda: reader.shard_for_key(keys[0]))
    await asking.ask("shards_for_keys", lambda: reader.shards_for_keys(keys[:40] + keys[:3]))
    await asking.ask("shards_for_keys of nothing", lambda: reader.shards_for_keys([]))


async def ask_by_contexts(asking, reader, keyed):
    """Lookups with the routing context of each row, where it has one."""
    together = {}
    for number, (key, context) in enumerate(keyed):
        more = {} if context is None else {"routing_context": context}
        await asking.ask(f"get {number} by its context", lambda: reader.get(key, **more))
        await asking.ask(f"route_key {number} by its context", lambda: reader.route_key(key, **more))
        together.setdefault(json.dumps(context), []).append(key)
    for number, (context, keys) in enumerate(together.items()):
        more = {} if context == "null" else {"routing_context": json.loads(context)}
        await asking.ask(f"multi_get {number} by one context", lambda: reader.multi_get(keys, **more))


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
    wrong = {
        "text": "text",
        "-1": -1,
        "7": 7,
        "2**32": 2**32,
        "2**63": 2**63,
        "2**64": 2**64,
        "3 bytes": b"123",
        "4 bytes": b"1234",
        "8 bytes": b"12345678",
        "None": None,
        "1.5": 1.5,
        "True": True,
        "bytearray": bytearray(b"12345678"),
        "numpy.int64": numpy.int64(7),
        "empty text": "",
        "empty bytes": b"",
        "lone surrogate": "\ud800",
    }
    for name, key in wrong.items():
        await asking.ask(f"wrong get {name}", lambda key=key: reader.get(key))
        await asking.ask(f"wrong route_key {name}", lambda key=key: reader.route_key(key))
    await asking.ask("wrong multi_get None", lambda: reader.multi_get([None]))
    await asking.ask("wrong multi_get, no keys", lambda: reader.multi_get(None))
    await asking.ask("wrong multi_get, one text", lambda: reader.multi_get("text"))


def hits(response):
    found = [[hit.id, hit.score, hit.payload, hit.vector] for hit in response.results]
    return Told(hits=found, num_shards_queried=response.num_shards_queried, latency=response.latency_ms >= 0)


async def settled_hits(answer):
    answer = await answer if inspect.isawaitable(answer) else answer
    return [hits(response) for response in answer] if isinstance(answer, list) else hits(answer)


async def ask_searches(asking, reader, queries, about):
    await asking.ask("vector_meta", lambda: reader.vector_meta)

    def search(*arguments, **more):
        return settled_hits(reader.search(*arguments, **more))

    vectors = [numpy.frombuffer(base64.b64decode(query["query"]), dtype="<f4") for query in queries]
    for number, (query, vector) in enumerate(zip(queries, vectors)):
        chosen = {name: query[name] for name in ("shard_ids", "routing_context") if query.get(name) is not None}
        await asking.ask(f"search {number}", lambda: search(vector, query["top_k"], **chosen))
    ordinary = [vector for vector in vectors if vector.any()][:6]
    await asking.ask("search, ten by default", lambda: search(ordinary[0]))
    await asking.ask("search, float64", lambda: search(ordinary[0].astype("<f8"), top_k=3))
    strided = numpy.zeros(2 * about["dim"], "<f4")
    strided[::2] = ordinary[0]
    await asking.ask("search, strided", lambda: search(strided[::2], 3))
    await asking.ask("search, list", lambda: search(ordinary[0].tolist(), 3))
    await asking.ask("search, numpy.int64 of top_k", lambda: search(ordinary[0], numpy.int64(3)))
    await asking.ask("search, numpy.int64 of a shard", lambda: search(ordinary[0], 3, shard_ids=[numpy.int64(0)]))
    await asking.ask("search, tuple of shards", lambda: search(ordinary[0], 3, shard_ids=(0,)))
    await asking.ask("search, routing context", lambda: search(ordinary[0], 3, routing_context={"region": "eu"}))
    await asking.ask("search, row of a matrix", lambda: search(ordinary[0].reshape(1, -1), 3))
    await asking.ask("wrong search, None", lambda: search(None, 3))
    await asking.ask("wrong search, text", lambda: search("text", 3))
    await asking.ask("wrong batch_search, one vector", lambda: settled_hits(reader.batch_search(ordinary[0], 3)))
    await asking.ask(
        "batch_search, list", lambda: settled_hits(reader.batch_search([vector.tolist() for vector in ordinary[:2]], 5))
    )
    await asking.ask("batch_search", lambda: settled_hits(reader.batch_search(numpy.stack(ordinary), 5)))
    await asking.ask(
        "batch_search of nothing", lambda: settled_hits(reader.batch_search(numpy.empty((0, about["dim"]), "<f4")))
    )
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
    for name, call in {
        "get": lambda: reader.get(key),
        "multi_get": lambda: reader.multi_get([key]),
        "refresh": lambda: reader.refresh(),
        "snapshot_info": lambda: reader.snapshot_info(),
        "shard_details": lambda: reader.shard_details(),
        "route_key": lambda: reader.route_key(key),
        "key_encoding": lambda: reader.key_encoding,
    }.items():
        await asking.ask(f"closed {name}", call)
    await asking.ask("closed health", lambda: [(told := reader.health()).status, told.is_closed])
    if hasattr(reader, "search"):
        await asking.ask("closed search", lambda: settled_hits(reader.search(numpy.ones(2, "<f4"))))
