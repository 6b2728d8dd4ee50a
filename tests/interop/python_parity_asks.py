#!/usr/bin/env python3
"""Ask the package shardyfusion of this Python, whichever it is, about snapshots on an S3 server, and print its answers.

    python_parity_asks.py SNAPSHOTS NAME...

SNAPSHOTS is the folder that has a record of each (case.json, expected.jsonl, queries.jsonl); the snapshots themselves are at
s3://fixtures/peer/NAME. Uses what both packages offer, and nothing else. Prints a JSON line an answer:
{"case", "reader", "ask", "answer" | "error": [names of its classes, the message last]}; python_parity.py compares those.
"""

import asyncio
import base64
import inspect
import json
import os
import pathlib
import sys
import tempfile

from python_parity_questions import (
    Asking,
    ask_by_contexts,
    ask_closed,
    ask_inspection,
    ask_keys,
    ask_one_shard,
    ask_searches,
    ask_wrong_keys,
)
from python_parity_vectors import ask_expressions, ask_frames, ask_vector_reader

OPTIONS = {
    "endpoint_url": os.environ.get("AWS_ENDPOINT_URL"),
    "region_name": os.environ.get("AWS_REGION", "us-east-1"),
    "addressing_style": "path",
}


def key_of(record):
    ((kind, key),) = record["key"].items()
    return base64.b64decode(key) if kind == "bytes" else key


def records(folder, name, file):
    path = folder / name / file
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []


class Opening:
    """What a reader of a snapshot is made with."""

    def __init__(self, about, folder):
        self.about = about
        self.arguments = {
            "s3_prefix": about["s3_prefix"],
            "local_root": str(folder / "cache"),
            "s3_connection_options": OPTIONS,
        }
        if about["kind"] == "kv-only" and about["kv_backend"] == "sqlite":
            from shardyfusion import sqlite_adapter

            self.factories = {
                "async": sqlite_adapter.AsyncAdaptiveSqliteReaderFactory,
                "sync": sqlite_adapter.AdaptiveSqliteReaderFactory,
            }
        elif about["kind"] == "vector-only" and about["backend"] == "sqlite-vec":
            from shardyfusion import sqlite_vec_adapter

            self.factories = {
                "async": sqlite_vec_adapter.AsyncSqliteVecReaderFactory,
                "sync": sqlite_vec_adapter.SqliteVecReaderFactory,
            }
        else:
            self.factories = {}

    def arguments_of(self, kind):
        chosen = self.factories.get("async" if kind == "async" else "sync")
        return self.arguments | ({"reader_factory": chosen(s3_connection_options=OPTIONS)} if chosen else {})

    def classes(self):
        if self.about["kind"] == "kv-only":
            from shardyfusion.reader import AsyncShardedReader, ConcurrentShardedReader, ShardedReader

            return {"async": AsyncShardedReader, "sync": ShardedReader, "concurrent": ConcurrentShardedReader}
        return self.vector_classes() if self.about["kind"] == "vector-only" else self.unified_classes()

    def vector_classes(self):
        from shardyfusion.vector import AsyncShardedVectorReader, ShardedVectorReader

        return {"async": AsyncShardedVectorReader, "sync": ShardedVectorReader}

    def unified_classes(self):
        from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader
        from shardyfusion.reader.unified_reader import UnifiedShardedReader

        return {"async": AsyncUnifiedShardedReader, "sync": UnifiedShardedReader}


async def ask_reader(asking, reader, snapshots, about):
    if about["kind"] == "vector-only":
        await ask_vector_reader(asking, reader, records(snapshots, about["name"], "queries.jsonl"), about)
        return
    keys = [key_of(record) for record in records(snapshots, about["name"], "expected.jsonl") if record["key"] not in EMPTY]
    await ask_inspection(asking, reader)
    await ask_keys(asking, reader, keys)
    await ask_one_shard(asking, reader, keys, about["key_encoding"])
    if about["name"].startswith("cel-"):
        keyed = [(key_of(record), record) for record in records(snapshots, about["name"], "expected.jsonl")]
        await ask_by_contexts(asking, reader, [(key, record.get("routing_context")) for key, record in keyed])
    if about["kind"] != "kv-only":
        await ask_searches(asking, reader, records(snapshots, about["name"], "queries.jsonl"), about)
    await ask_wrong_keys(asking, reader)
    await ask_closed(asking, reader, keys[0])


EXPRESSIONS, FRAMES = "expressions", "frames"
EMPTY = ({"str": ""}, {"bytes": ""})


async def ask_opening(asking, opening, kind, reader_class):
    workers = "max_concurrency" if kind == "async" else "max_workers"
    prefix = opening.about["s3_prefix"]
    mistakes = {
        "prefix without a bucket": {"s3_prefix": "s3://"},
        "prefix of another kind": {"s3_prefix": "http://127.0.0.1/items"},
        "no prefix": {"s3_prefix": ""},
        "nothing there": {"s3_prefix": prefix + "-nothing"},
        f"{kind} workers 0": {workers: 0},
        f"{kind} workers -1": {workers: -1},
        "pointer of another name": {"current_pointer_key": "_NOTHING"},
    }
    if opening.about["kind"] == "vector-only":
        del mistakes["pointer of another name"]

    async def opens(changed):
        arguments = opening.arguments_of(kind) | changed
        reader = await reader_class.open(**arguments) if kind == "async" else reader_class(**arguments)
        closed = reader.close()
        return inspect.isawaitable(closed) and await closed is None

    for name, changed in mistakes.items():
        await asking.ask(f"wrong open, {name}", lambda changed=changed: opens(changed))
    if opening.about["kind"] == "kv-only":
        reader_class = opening.unified_classes()["async" if kind == "async" else "sync"]
        await asking.ask("wrong open, vectors of keys alone", lambda: opens({}))
        reader_class = opening.vector_classes()["async" if kind == "async" else "sync"]
        await asking.ask("wrong open, nothing but vectors of keys alone", lambda: opens({"reader_factory": None}))


async def ask_case(snapshots, name, folder):
    about = json.loads((snapshots / name / "case.json").read_text(encoding="utf-8"))
    opening = Opening(about, folder)
    for kind, reader_class in opening.classes().items():
        asking = Asking(name, kind)
        if kind == "async":
            never_opened = reader_class(**opening.arguments_of(kind))
            if about["kind"] != "vector-only":
                await asking.ask("get before open", lambda: never_opened.get("key"))
            await asking.ask("health before open", lambda: never_opened.health().status)
        if "open_error" not in about:
            await ask_opening(asking, opening, kind, reader_class)
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
    print(
        json.dumps({"accelerated": bool(getattr(shardyfusion, "__accelerated__", False)), "from": shardyfusion.__file__}),
        flush=True,
    )
    for name in sys.argv[2:]:
        if name == EXPRESSIONS:
            recorded = snapshots.parent / "cel" / "routing.json"
            asyncio.run(ask_expressions(Asking(name, "none"), recorded))
            continue
        if name == FRAMES:
            asyncio.run(ask_frames(Asking(name, "none")))
            continue
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(ask_case(snapshots, name, pathlib.Path(folder)))
        print(json.dumps({"case": name, "complete": True}), flush=True)


if __name__ == "__main__":
    main()
