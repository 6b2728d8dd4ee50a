"""The questions of python_parity_asks.py to readers of vectors alone, and about expressions. Both packages are asked them."""

import base64
import datetime
import json

import numpy
from python_parity_questions import plain, settled_hits


def vector_of(query):
    return numpy.frombuffer(base64.b64decode(query["query"]), dtype="<f4")


async def ask_vector_inspection(asking, reader, about):
    def health(**threshold):
        told = reader.health(**threshold)
        return [told.status, told.manifest_ref, told.num_shards, told.is_closed, told.manifest_age_seconds >= 0]

    await asking.ask("snapshot_info", reader.snapshot_info)
    await asking.ask("shard_details", reader.shard_details)
    for shard in (-1, 0, about["num_dbs"] - 1, about["num_dbs"], 2**40):
        await asking.ask(f"shard_for_id {shard}", lambda: reader.shard_for_id(shard))
    await asking.ask("health", health)
    await asking.ask("health within a century", lambda: health(staleness_threshold=datetime.timedelta(days=36525)))
    await asking.ask("health within a microsecond", lambda: health(staleness_threshold=datetime.timedelta(microseconds=1)))
    await asking.ask("refresh", reader.refresh)


async def ask_routes(asking, reader, queries):
    for number, query in enumerate(queries):
        if query.get("shard_ids") is not None:
            continue
        chosen = {name: query[name] for name in ("num_probes", "routing_context") if name in query}
        await asking.ask(f"route_vector {number}", lambda: reader.route_vector(vector_of(query), **chosen))
        for probes in (1, 2, 3, 100):
            more = chosen | {"num_probes": probes}
            await asking.ask(f"route_vector {number}, {probes} probes", lambda: reader.route_vector(vector_of(query), **more))


async def ask_vector_searches(asking, reader, queries, about):
    def search(*arguments, **more):
        return settled_hits(reader.search(*arguments, **more))

    names = ("shard_ids", "num_probes", "routing_context")
    for number, query in enumerate(queries):
        chosen = {name: query[name] for name in names if query.get(name) is not None}
        await asking.ask(f"search {number}", lambda: search(vector_of(query), query["top_k"], **chosen))
    vector = vector_of(queries[0])
    for name, given in (("float64", vector.astype("<f8")), ("list", vector.tolist())):
        await asking.ask(f"search, {name}", lambda: search(given, 3, shard_ids=[0]))
    await asking.ask("search, ten by default", lambda: search(vector, shard_ids=[0]))
    await asking.ask("search of no shards", lambda: search(vector, shard_ids=[]))
    await asking.ask("search, shards win", lambda: search(vector, 3, shard_ids=[0], num_probes=1, routing_context={"x": 1}))
    stacked = numpy.stack([vector_of(query) for query in queries[:4]])
    await asking.ask("batch_search", lambda: settled_hits(reader.batch_search(stacked, 5, shard_ids=[0])))
    await asking.ask("batch_search by itself", lambda: settled_hits(reader.batch_search(stacked, 5)))
    await asking.ask("batch_search of nothing", lambda: settled_hits(reader.batch_search(stacked[:0], 5, shard_ids=[0])))
    await asking.ask("wrong batch_search, argument", lambda: settled_hits(reader.batch_search(stacked, 5, shards=[0])))
    wrong = {
        "dimension": ((numpy.ones(about["dim"] + 1, "<f4"),), {"shard_ids": [0]}),
        "dimension, by itself": ((numpy.ones(about["dim"] + 1, "<f4"),), {}),
        "top_k 0": ((vector, 0), {"shard_ids": [0]}),
        "shard past the last": ((vector,), {"shard_ids": [about["num_dbs"]]}),
        "shard -1": ((vector,), {"shard_ids": [-1]}),
        "shard twice": ((vector, 3), {"shard_ids": [0, 0]}),
        "probes 0": ((vector,), {"num_probes": 0}),
        "probes -1": ((vector,), {"num_probes": -1}),
        "NaN": ((numpy.full(about["dim"], numpy.nan, "<f4"),), {"shard_ids": [0]}),
        "zero": ((numpy.zeros(about["dim"], "<f4"),), {"shard_ids": [0]}),
        "token": ((vector,), {"routing_context": {"region": "no such region"}}),
        "column": ((vector,), {"routing_context": {"tier": 1}}),
    }
    for name, (arguments, more) in wrong.items():
        await asking.ask(f"wrong search, {name}", lambda: search(*arguments, **more))


async def ask_vectors_closed(asking, reader, about):
    await asking.ask("close", reader.close)
    await asking.ask("close again", reader.close)
    zeros = numpy.zeros(about["dim"], "<f4")
    for name, call in {
        "search": lambda: settled_hits(reader.search(zeros)),
        "batch_search": lambda: settled_hits(reader.batch_search(zeros[None, :])),
        "route_vector": lambda: reader.route_vector(zeros),
        "refresh": lambda: reader.refresh(),
        "snapshot_info": lambda: reader.snapshot_info(),
        "shard_details": lambda: reader.shard_details(),
        "shard_for_id": lambda: reader.shard_for_id(0),
        "health": lambda: reader.health(),
    }.items():
        await asking.ask(f"closed {name}", call)


async def ask_vector_reader(asking, reader, queries, about):
    await ask_vector_inspection(asking, reader, about)
    await ask_routes(asking, reader, queries)
    await ask_vector_searches(asking, reader, queries, about)
    await ask_vectors_closed(asking, reader, about)


# ---- expressions


def host_value(described):
    ((kind, value),) = described.items()
    if kind in ("int", "uint"):
        return int(value)
    if kind in ("float", "double"):
        return float(value)
    return bytes.fromhex(value) if kind == "bytes" else value


async def ask_expressions(asking, path):
    """All that is recorded in routing.json: what each expression gives, and which shard that is."""
    from shardyfusion import cel

    def evaluated(case):
        context = {name: host_value(value) for name, value in case["context"].items()}
        return plain(cel.compile_cel(case["expr"], case["columns"]).evaluate(context))

    def routed(case):
        context = {name: host_value(value) for name, value in case["context"].items()}
        values = case.get("routing_values")
        tokens = None if values is None else [host_value(value) for value in values]
        return cel.route_cel(cel.compile_cel(case["expr"], case["columns"]), context, tokens)

    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        await asking.ask(f"evaluate {case['id']}", lambda: evaluated(case))
        await asking.ask(f"route {case['id']}", lambda: routed(case))
    compiled = cel.compile_cel("a + b", {"b": "int", "a": "int"})
    await asking.ask("columns", lambda: [dict(compiled.columns), list(compiled.columns_list)])
    await asking.ask("wrong type", lambda: cel.compile_cel("a", {"a": "integer"}))


async def ask_frames(asking):
    import pandas
    import pyarrow
    from shardyfusion import cel

    compiled = cel.compile_cel("a + b", {"b": "int", "a": "int"})
    frame = pandas.DataFrame({"a": [1, 2], "b": [3, 4], "region": ["eu", "ap"], "share": [0.5, 1.0]})
    table = pyarrow.Table.from_pandas(frame)
    await asking.ask("rows of pandas", lambda: cel.pandas_rows_to_contexts(frame, {"region": "string", "a": "int"}))
    await asking.ask("table", lambda: cel.evaluate_cel_arrow_batch(compiled, table))
    await asking.ask("shards of a table", lambda: cel.route_cel_batch(compiled, table, [6, 4]))
    for name, columns in {"fits": {"a": "int"}, "other type": {"a": "string"}, "absent": {"x": "int"}}.items():
        await asking.ask(f"schema, {name}", lambda: cel.validate_cel_columns(table.schema, columns))
