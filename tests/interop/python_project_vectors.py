"""Snapshots of vectors alone, both ways: what `shardy build --backend vector` writes, the Python project reads; what the project's
vector.write_sharded writes, `shardy` reads. Part of python_project_reads.py.

Every search asks for as many hits as there are rows, so the hits tell which shards were visited.
"""

import asyncio
import base64
import importlib.util
import json
import os
import pathlib
import tempfile

import building
from building import expect

REGIONS = ("eu", "us", "日本", "")
ROWS = 420


class VectorCase:
    """arrays: which file of centroids or hyperplanes both sides get. flags: of shardy build. theirs: of VectorShardingConfig."""

    def __init__(self, name, strategy, metric="cosine", dimension=12, shards=6, ids="text", probes=(1, 2, 3, 6), arrays=None,
                 flags=(), theirs=None, kind="<f4"):
        self.name, self.strategy, self.metric, self.dimension, self.shards = name, strategy, metric, dimension, shards
        self.ids, self.probes, self.arrays, self.flags, self.kind = ids, probes, arrays, list(flags), kind
        self.theirs = theirs or {}


REGION = {"cel_expr": "region", "cel_columns": {"region": "string"}}
TIERS = {"cel_expr": "size(region) + tier", "cel_columns": {"region": "string", "tier": "int"}}
CASES = [
    VectorCase("cluster, trained, cosine", "cluster", flags=["--num-probes", "3"],
               theirs={"train_centroids": True, "num_probes": 3}),
    VectorCase("cluster, trained, l2", "cluster", "l2", 5, ids="int", theirs={"train_centroids": True}),
    VectorCase("cluster, one shard", "cluster", shards=1, probes=(1, 2), theirs={"train_centroids": True}),
    VectorCase("cluster, given, cosine", "cluster", arrays="centroids"),
    VectorCase("cluster, given, l2, float64", "cluster", "l2", 7, arrays="centroids", ids="int", kind="<f8"),
    VectorCase("cluster, given, float16", "cluster", arrays="centroids", kind="<f2"),
    VectorCase("lsh, drawn, cosine", "lsh", shards=5, probes=(1, 2, 4, 9), flags=["--hash-bits", "6", "--num-probes", "2"],
               theirs={"num_hash_bits": 6, "num_probes": 2}),
    VectorCase("lsh, drawn, l2", "lsh", "l2", shards=3, ids="int", probes=(1, 2, 3)),
    VectorCase("lsh, given", "lsh", shards=4, arrays="hyperplanes", probes=(1, 2, 4)),
    VectorCase("explicit, cosine", "explicit", shards=5, ids="int"),
    VectorCase("explicit, l2", "explicit", "l2", shards=5),
    VectorCase("cel, direct", "cel", "l2", shards=7, theirs=TIERS,
               flags=["--cel-expr", TIERS["cel_expr"], "--cel-column", "region:string", "--cel-column", "tier:int"]),
    VectorCase("cel, categorical", "cel", shards=4, theirs=REGION | {"routing_values": list(REGIONS)},
               flags=["--cel-expr", "region", "--cel-column", "region:string", "--routing-values", json.dumps(REGIONS)]),
]


def is_there():
    return all(importlib.util.find_spec(name) for name in ("shardyfusion.vector", "sqlite_vec", "numpy"))


class World:
    """Rows, queries and arrays of a case, from its name."""

    def __init__(self, case):
        import numpy
        source = numpy.random.default_rng(sum(case.name.encode()))
        middles = source.normal(size=(9, case.dimension))
        chosen = source.integers(0, 9, ROWS)
        self.vectors = (middles[chosen] + 0.4 * source.normal(size=(ROWS, case.dimension))).astype(numpy.float32)
        self.ids = [number * 7 - 900 if case.ids == "int" else f"id {number} ü" for number in range(ROWS)]
        self.shard_ids = [int(number) for number in source.integers(0, max(1, case.shards - 1), ROWS)]  # the last has none
        self.contexts = [{"region": REGIONS[number % 3], "tier": number % 4} for number in range(ROWS)]
        queries = numpy.concatenate([self.vectors[::30], source.normal(size=(12, case.dimension))])
        self.queries = queries.astype(numpy.float32)
        shape = (case.shards if case.arrays == "centroids" else 7, case.dimension)
        self.array = source.normal(size=shape).astype(case.kind) if case.arrays else None

    def payload(self, number):
        return {"n": number, "text": f"päyload {number}"} if number % 3 else None

    def asks(self, case):
        """(index of the query, its keywords for the project, its members for shardy)"""
        for index in range(len(self.queries)):
            if case.strategy == "explicit":
                for ids in ([index % case.shards], [1, 0], list(range(case.shards)), []):
                    yield index, {"shard_ids": ids}, {"shard_ids": ids}
            elif case.strategy == "cel":
                context = {name: self.contexts[index][name] for name in case.theirs["cel_columns"]}
                yield index, {"routing_context": context}, {"routing_context": context}
            else:
                yield index, {}, {}
                for probes in case.probes:
                    yield index, {"num_probes": probes}, {"num_probes": probes}


# ---- writing, either way ----

def write_ours(shardy, case, world, folder, url):
    lines = folder / "rows.jsonl"
    with open(lines, "w", encoding="utf-8") as file:
        for number, row_id in enumerate(world.ids):
            row = {"id": row_id, "vector": [float(item) for item in world.vectors[number]]}
            if case.strategy == "explicit":
                row["shard_id"] = world.shard_ids[number]
            if case.strategy == "cel":
                row["routing_context"] = world.contexts[number]
            if world.payload(number):
                row["payload"] = world.payload(number)
            print(json.dumps(row), file=file)
    command = [shardy, "build", str(lines), "--backend", "vector", "--vector-sharding", case.strategy, "--metric", case.metric,
               "--num-dbs", str(case.shards), "--output", url, "--local-root", str(folder / "work"), *case.flags]
    if case.arrays:
        array = folder / "array.npy"
        building.write_npy(array, world.array.tolist(), case.dimension, case.kind)
        command += [f"--{case.arrays}", str(array)]
    return json.loads(building.call(command))


def write_theirs(case, world, folder, url, options):
    from shardyfusion import VectorSpec
    from shardyfusion.config import WriterOutputConfig, WriterStorageConfig
    from shardyfusion.sqlite_vec_adapter import SqliteVecFactory
    from shardyfusion.vector import config, types
    from shardyfusion.vector.writer import write_sharded
    records = (types.VectorRecord(
        id=row_id, vector=world.vectors[number], payload=world.payload(number),
        shard_id=world.shard_ids[number] if case.strategy == "explicit" else None,
        routing_context=world.contexts[number] if case.strategy == "cel" else None) for number, row_id in enumerate(world.ids))
    sharding = dict(case.theirs)
    if case.arrays:
        sharding[case.arrays] = world.array
    if case.arrays == "hyperplanes":
        sharding["num_hash_bits"] = len(world.array)
    write_sharded(records, config.VectorShardedWriteConfig(
        index_config=config.VectorIndexConfig(dim=case.dimension, metric=types.DistanceMetric(case.metric)),
        sharding=config.VectorShardingConfig(num_dbs=case.shards, strategy=types.VectorShardingStrategy(case.strategy), **sharding),
        storage=WriterStorageConfig(s3_prefix=url, s3_connection_options=options),
        output=WriterOutputConfig(local_root=str(folder / "theirs")),
        adapter_factory=SqliteVecFactory(vector_spec=VectorSpec(dim=case.dimension, metric=case.metric),
                                         s3_connection_options=options)))


# ---- reading, both ways ----

def ask_shardy(shardy, case, world, folder, url):
    questions = "".join(
        json.dumps({"vector_base64": base64.b64encode(world.queries[index].tobytes()).decode(), "top_k": ROWS} | members) + "\n"
        for index, _, members in world.asks(case))
    file = folder / "queries.jsonl"
    file.write_text(questions, encoding="utf-8")
    answers = building.call([shardy, "-u", url, "--local-root", str(folder / "ours"), "search", "--queries", str(file),
                             "--output-format", "jsonl"])
    return [json.loads(line) for line in answers.splitlines()]


def same(what, wanted, got):
    """The project's answer and shardy's: the same shards visited, the same hits in the same order but for ties."""
    expect(got.get("error") is None, f"{what}: {got.get('error')}")
    expect(wanted.num_shards_queried == got["num_shards_queried"],
           f"{what}: {got['num_shards_queried']} shards, the project visits {wanted.num_shards_queried}")
    expect(len(wanted.results) == len(got["results"]), f"{what}: {len(got['results'])} hits, not {len(wanted.results)}")
    theirs = {hit.id: hit for hit in wanted.results}
    ours = {hit["id"]: hit for hit in got["results"]}
    expect(theirs.keys() == ours.keys(), f"{what}: hits of other shards: {sorted(theirs.keys() ^ ours.keys(), key=str)[:5]}")
    for place, hit in enumerate(wanted.results):
        ours_here = got["results"][place]
        expect(building.close(hit.score, ours_here["score"]), f"{what}: hit {place} is at {ours_here['score']}, not {hit.score}")
        mine = ours[hit.id]
        expect(building.close(hit.score, mine["score"]), f"{what}: {hit.id} is at {mine['score']}, not {hit.score}")
        expect((hit.payload or None) == (mine["payload"] or None), f"{what}: {hit.id} has the payload {mine['payload']}")


def check_placement(case, world, reader, counts):
    """Each row lies where the project looks for its vector first."""
    expect(sum(counts) == ROWS, f"{sum(counts)} rows")
    if case.strategy == "explicit":
        found = world.shard_ids
    elif case.strategy == "cel":
        found = [reader.route_vector(world.vectors[n], routing_context=world.contexts[n])[0] for n in range(ROWS)]
    else:
        found = [reader.route_vector(vector, num_probes=1)[0] for vector in world.vectors]
    expect(counts == [found.count(shard) for shard in range(case.shards)], f"rows of the shards: {counts}")
    info = reader.snapshot_info()
    expect((info.total_vectors, info.num_dbs, info.dim) == (ROWS, case.shards, case.dimension), f"snapshot_info: {info}")
    expect((info.metric.value, info.sharding.value) == (case.metric, case.strategy), f"snapshot_info: {info}")


async def check_async(case, world, url, folder, options, answers):
    from shardyfusion.sqlite_vec_adapter import AsyncSqliteVecReaderFactory
    from shardyfusion.vector import AsyncShardedVectorReader
    async with await AsyncShardedVectorReader.open(
        s3_prefix=url, local_root=str(folder), s3_connection_options=options,
        reader_factory=AsyncSqliteVecReaderFactory(s3_connection_options=options)
    ) as reader:
        for (index, keywords, _), got in zip(world.asks(case), answers, strict=True):
            wanted = await reader.search(world.queries[index], ROWS, **keywords)
            same(f"async, query {index} {keywords}", wanted, got)


def check_reads(shardy, case, world, url, folder, options):
    from shardyfusion.sqlite_vec_adapter import SqliteVecReaderFactory
    from shardyfusion.vector import ShardedVectorReader
    answers = ask_shardy(shardy, case, world, folder, url)
    reader = ShardedVectorReader(s3_prefix=url, local_root=str(folder / "sync"), s3_connection_options=options,
                                 reader_factory=SqliteVecReaderFactory(s3_connection_options=options))
    try:
        check_placement(case, world, reader, [shard.vector_count for shard in reader.shard_details()])
        for (index, keywords, _), got in zip(world.asks(case), answers, strict=True):
            same(f"query {index} {keywords}", reader.search(world.queries[index], ROWS, **keywords), got)
    finally:
        reader.close()
    asyncio.run(check_async(case, world, url, folder / "async", options, answers))


def counts_of(shardy, url, folder):
    shards = json.loads(building.call([shardy, "-u", url, "--local-root", str(folder), "shards", "--output-format", "jsonl"]))
    return [shard["row_count"] for shard in shards["shards"]]


def check(shardy, case, place):
    options = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": os.environ["AWS_REGION"], "addressing_style": "path"}
    world = World(case)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        for side in ("one", "two"):
            (folder / side).mkdir()
        summary = write_ours(shardy, case, world, folder, f"{place}/ours")
        expect(summary["vector_sharding"] == case.strategy, f"the summary says {summary['vector_sharding']}")
        check_reads(shardy, case, world, f"{place}/ours", folder / "one", options)
        write_theirs(case, world, folder, f"{place}/theirs", options)
        check_reads(shardy, case, world, f"{place}/theirs", folder / "two", options)
        if case.arrays or case.strategy in ("explicit", "cel"):
            both = [counts_of(shardy, f"{place}/{side}", folder / "counts") for side in ("ours", "theirs")]
            expect(both[0] == both[1], f"the project puts other rows into the shards: {both}")


def checks(shardy, bucket):
    return [(f"vectors alone: {case.name}", lambda case=case, number=number: check(shardy, case, f"s3://{bucket}/alone/{number}"))
            for number, case in enumerate(CASES)
            if case.strategy != "cel" or importlib.util.find_spec("cel_expr_python")]
