"""Snapshots that `shardy build` shards by CEL expressions, read with the Python project. Part of python_project_reads.py.

The project routes each row itself, finds it, and would infer the same routing values. Needs its extra for CEL.
"""

import asyncio
import importlib.util
import json
import os
import pathlib
import random
import tempfile

import building
from building import expect

REGIONS = ("us-west", "eu", "", "ap \"quoted\"", "日本", "ü", "\U0001f986", "Z", "a")


class CelCase:
    """columns: name -> type. keys: int, text or bytes. given: routing values, "infer", or None where results are shards."""

    def __init__(self, name, expression, columns, keys="text", encoding="utf8", given=None, shards=None, dimension=0):
        self.name, self.expression, self.columns, self.keys, self.encoding = name, expression, columns, keys, encoding
        self.given, self.shards, self.dimension = given, shards, dimension


CASES = [
    CelCase("integer keys", "key % 4", {"key": "int"}, "int", "u64be"),
    CelCase("integer keys, hashed", "shard_hash(key) % 5u", {"key": "uint"}, "int", "u64be", shards=5),
    CelCase("small integer keys", "key < 20000 ? 0 : key < 40000 ? 1 : 2", {"key": "int"}, "int", "u32be"),
    CelCase("text keys, hashed", "shard_hash(key) % 3u", {"key": "string"}),
    CelCase("bytes keys, hashed", "shard_hash(key) % 3u", {"key": "bytes"}, "bytes", "raw", shards=3),
    CelCase("regions, given", "region", {"region": "string"}, given=list(reversed(REGIONS)) + ["unused"]),
    CelCase("regions, inferred", "region", {"region": "string"}, given="infer"),
    CelCase("regions and tiers, inferred", 'region + ":" + string(tier)', {"region": "string", "tier": "int"}, given="infer"),
    CelCase("tiers, inferred", "tier * -3", {"region": "string", "tier": "int"}, "int", "u64be", given="infer"),
    CelCase("fractions and truths", "(gold ? 2 : 0) + (score < 0.25 ? 0 : 1)", {"gold": "bool", "score": "double"}),
    CelCase("unified", "region", {"region": "string"}, given="infer", dimension=6),
]


def is_there():
    return importlib.util.find_spec("cel_expr_python") is not None


def make_rows(case):
    source = random.Random(case.name)
    rows = []
    for number in range(400):
        row = {"key": number * 157 if case.keys == "int" else f"k{number}é", "value": f"value {number}"}
        if case.keys == "bytes":
            row["key"] = bytes(source.randrange(256) for _ in range(1 + number % 9)) + number.to_bytes(2, "little")
        if set(case.columns) != {"key"}:
            row["routing_context"] = {"region": source.choice(REGIONS), "tier": source.randrange(-2, 12),
                                      "gold": source.random() < 0.5, "score": round(source.random(), 3)}
        if case.dimension:
            row["vector"] = [source.uniform(-1, 1) for _ in range(case.dimension)]
        rows.append(row)
    return rows


def build(shardy, case, rows, folder, url):
    lines = folder / "rows.jsonl"
    with open(lines, "w", encoding="utf-8") as file:
        for row in rows:
            print(json.dumps(row | ({"key": row["key"].hex()} if case.keys == "bytes" else {})), file=file)
    command = [shardy, "build", str(lines), "--output", url, "--cel-expr", case.expression, "--key-encoding", case.encoding,
               "--local-root", str(folder / "work")]
    for name, kind in case.columns.items():
        command += ["--cel-column", f"{name}:{kind}"]
    command += ["--key-format", "hex"] if case.keys == "bytes" else []
    command += ["--num-dbs", str(case.shards)] if case.shards else []
    if case.given == "infer":
        command.append("--infer-routing-values")
    elif case.given:
        command += ["--routing-values", json.dumps(case.given)]
    return json.loads(building.call(command))


def check_manifest(case, rows, build_meta):
    """What the project would have written."""
    from shardyfusion._writer_core import build_categorical_routing_values
    from shardyfusion.cel import compile_cel
    sharding = build_meta.sharding
    expect(sharding.strategy.value == "cel" and sharding.cel_expr == case.expression, f"sharding: {sharding}")
    expect(sharding.cel_columns == case.columns, f"columns: {sharding.cel_columns}")
    wanted = case.given
    if case.given == "infer":
        compiled = compile_cel(case.expression, case.columns)
        wanted = build_categorical_routing_values(
            compiled.evaluate({name: row["routing_context"][name] for name in case.columns}) for row in rows)
    expect(sharding.routing_values == wanted, f"routing values: {sharding.routing_values}, not {wanted}")


def manifest_of(url, options):
    from shardyfusion.manifest_store import S3ManifestStore
    from shardyfusion.storage import ObstoreBackend, create_s3_store
    bucket = url.split("/")[2]
    store = S3ManifestStore(ObstoreBackend(create_s3_store(bucket, connection_options=options)), url)
    return store.load_manifest(store.load_current().ref).required_build


def check_rows(reader, rows, summary):
    counts = [0] * summary["num_dbs"]
    for row in rows:
        context = row.get("routing_context")
        counts[reader.route_key(row["key"], routing_context=context)] += 1
        expect(reader.get(row["key"], routing_context=context) == row["value"].encode(), f"key {row['key']!r}: another value")
    expect(counts == [shard["row_count"] for shard in summary["shards"]], f"rows of the shards: {counts}")


async def check_search(url, options, rows, folder):
    import numpy
    from shardyfusion import AsyncUnifiedShardedReader
    async with await AsyncUnifiedShardedReader.open(
        s3_prefix=url, local_root=str(folder / "vectors"), s3_connection_options=options
    ) as reader:
        for row in rows[:20]:
            context = row["routing_context"]
            beside = [other["key"] for other in rows if other["routing_context"]["region"] == context["region"]]
            answer = await reader.search(numpy.array(row["vector"], dtype=numpy.float32), 400, routing_context=context)
            expect(answer.results[0].id == row["key"], f"{row['key']}: {answer.results[0]} is nearer")
            expect(sorted(hit.id for hit in answer.results) == sorted(beside), f"{row['key']}: other rows than its shard's")


def check(shardy, case, place):
    from shardyfusion import ShardedReader
    from shardyfusion.sqlite_adapter import SqliteReaderFactory
    options = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": os.environ["AWS_REGION"], "addressing_style": "path"}
    rows = make_rows(case)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        summary = build(shardy, case, rows, folder, place)
        check_manifest(case, rows, manifest_of(place, options))
        if case.dimension:
            asyncio.run(check_search(place, options, rows, folder))
            return
        reader = ShardedReader(s3_prefix=place, local_root=str(folder / "reader"), s3_connection_options=options,
                               reader_factory=SqliteReaderFactory(s3_connection_options=options))
        try:
            check_rows(reader, rows, summary)
        finally:
            reader.close()


def checks(shardy, bucket):
    return [(f"by an expression: {case.name}",
             lambda case=case, number=number: check(shardy, case, f"s3://{bucket}/expressions/{number}"))
            for number, case in enumerate(CASES)]
