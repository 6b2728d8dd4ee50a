#!/usr/bin/env python3
"""Write composite snapshots with the real LanceDB, a shard for each way of writing, and read them with shardy.

    lancedb_writes.py SHARDY               keys in SQLite; needs the packages lancedb, numpy and xxhash
    lancedb_writes.py SHARDY --slatedb     keys in SlateDB; needs the package slatedb too

For dimensions of 8, 64 and 384 and each metric: every row of every shard is a hit of searches for all rows, with its id, its
payload and its distance within 1e-6 + 1e-5 * |d| of one in float64 and of LanceDB's own; every key; a search over all
shards. LanceDB's own reader finds what was written, too. What a version cannot write is named as skipped.
Prints "N passed, N failed" last.
"""

import os

for name in ("LANCEDB_LOG", "LANCE_LOG", "RUST_LOG"):  # before the package starts
    os.environ.setdefault(name, "error")

import asyncio
import json
import math
import pathlib
import sqlite3
import sys
import tempfile
import warnings

import lancedb
import numpy

from building import expect
from lancedb_cases import CASES, Source, identical_vectors
from lancedb_dataset import CannotWrite, Dataset, distances
from snapshot import Count, Program, Snapshot, close, vector_meta

DIMENSIONS = (8, 64, 384)
METRICS = ("cosine", "l2", "dot_product")
KEYS_A_SHARD = 12
LIKE = 1  # rows of a shard


# ---- keys ----

def write_sqlite(folder, rows):
    database = sqlite3.connect(folder / "shard.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=OFF")
    database.execute("CREATE TABLE kv (k BLOB PRIMARY KEY, v BLOB NOT NULL) WITHOUT ROWID")
    database.execute("BEGIN")
    database.executemany("INSERT OR REPLACE INTO kv VALUES (?, ?)", rows.items())
    database.execute("COMMIT")
    database.close()
    return (folder / "shard.db").stat().st_size


def write_slatedb(folder, rows):
    from slatedb_shard import Database

    async def write():
        async with Database(folder) as database:
            await database.write(rows)
            await database.flush()

    asyncio.run(write())
    return 0


def keys_of_shards(snapshot, shards):
    """Some keys that route to each."""
    keys, number = {shard: [] for shard in shards}, 0
    while any(len(some_keys) < KEYS_A_SHARD for some_keys in keys.values()):
        key = f"key-{number}-é".encode()
        keys.get(snapshot.route(key), []).append(key)
        number += 1
    return {shard: some_keys[:KEYS_A_SHARD] for shard, some_keys in keys.items()}


# ---- what it must answer ----

def score_of(hit):
    return math.nan if hit["score"] is None else hit["score"]


def last_nan(score):
    return math.isnan(score), score


def equal(score, exact):
    return close(score, exact) or (math.isnan(score) and math.isnan(exact))


def by_row(hits):
    """(id, payload as text) -> the scores, ascending. hits: (id, payload, score)."""
    rows = {}
    for identity, payload, score in hits:
        rows.setdefault((identity, json.dumps(payload, sort_keys=True)), []).append(score)
    return {row: sorted(scores, key=last_nan) for row, scores in rows.items()}


def check_hits(what, hits, rows, scores):
    expect(len(hits) == len(rows), f"{what}: {len(hits)} hits for {len(rows)} rows")
    got = by_row((hit["id"], hit["payload"], score_of(hit)) for hit in hits)
    wanted = by_row((row.id, row.payload, float(score)) for row, score in zip(rows, scores))
    for row, exact in wanted.items():
        expect(row in got, f"{what}: no hit with {row[0][:40]!r} and {row[1][:100]}")
        expect(len(got[row]) == len(exact), f"{what}: {row[0][:40]!r} comes {len(got[row])} times")
        for one_score, one_exact in zip(got[row], exact):
            expect(equal(one_score, one_exact), f"{what}: {row[0][:40]!r} is {one_exact} away, not {one_score}")
    ordered = [last_nan(score_of(hit)) for hit in hits if hit["score"] is not None]
    expect(ordered == sorted(ordered), f"{what}: the hits are out of order")
    expect(all(hit["score"] is None for hit in hits[len(ordered):]), f"{what}: undefined distances are not last")


def check_own_distances(what, dataset, query, hits):
    """Against LanceDB's, which has no hits for undefined ones; not where ids repeat, for then its hits cannot be told apart."""
    ids = [hit["id"] for hit in hits]
    own = dataset.exact(query, len(ids)) if ids and len(set(ids)) == len(ids) else None
    for hit in hits if own is not None else []:
        if hit["score"] is not None:
            there = own.get(hit["id"])
            expect(there is not None and equal(hit["score"], there),
                   f"{what}: {hit['id'][:40]!r} is {there} away for LanceDB, {hit['score']} here")


def check_like(program, datasets):
    """The stored vector of a row as the query: of the first row that has the id."""
    rows = sum((dataset.rows for dataset in datasets), [])
    first = {row.id: row for row in reversed(rows)}
    chosen = {row.id for dataset in datasets for row in dataset.rows[-LIKE:]}
    for identity in sorted(chosen):
        row = first[identity]
        if identity.strip() and "\0" not in identity and row.vector.any():
            hits = program.run(["search", "--like", identity, "--top-k", "30"], "")[0]["results"]
            exact = distances(datasets[0].metric, row.vector, rows)
            exact = sorted((score for score in exact if not math.isnan(score)))[:30]
            got = [hit["score"] for hit in hits]
            expect(len(got) == len(exact) and all(map(equal, got, exact)), f"like {identity[:40]!r}: other distances")


def check_shard(program, dataset, case, shard, source, keys):
    if case.made:
        expect(any(dataset.path.glob(case.made)), f"there is no {case.made}: not what this is there for")
    dataset.check_contents()
    program.check_values({**keys, **{f"absent-{number}".encode(): None for number in range(3)}})
    queries = [source.vector(), source.vector() * numpy.float32(3)]
    queries += [row.vector for row in dataset.rows[-1:] if row.vector.any()]
    answers = program.search([(query.tobytes(), len(dataset.rows) + 5, [shard]) for query in queries])
    for number, (query, hits) in enumerate(zip(queries, answers)):
        what = f"query {number}"
        check_hits(what, hits, dataset.rows, distances(dataset.metric, query, dataset.rows))
        check_own_distances(what, dataset, query, hits)
    if case.write is identical_vectors:
        expect([hit["id"] for hit in answers[0]] == [row.id for row in dataset.rows], "ties are not in the order of the rows")
    top = program.search([(query.tobytes(), 7, [shard]) for query in queries])
    expect(top == [hits[:7] for hits in answers], "the nearest seven are not the first of all")


def check_all_shards(program, datasets, source):
    rows = sum((dataset.rows for dataset in datasets), [])
    query = source.vector()
    hits = program.search([(query.tobytes(), len(rows), None)])[0]
    check_hits("all shards", hits, rows, distances(datasets[0].metric, query, rows))
    check_like(program, datasets)


# ---- a snapshot ----

def write_shard(snapshot, shard, case, dataset, source, keys, write_keys):
    """Nothing of it stays when it cannot be written."""
    try:
        case.write(dataset, source)
    except CannotWrite as error:
        return error
    size = write_keys(snapshot.folder(shard), keys)
    snapshot.add(shard, max(len(keys), len(dataset.rows)), size)
    return None


def check_snapshot(count, shardy, temporary, dimension, metric, kv_backend):
    write_keys = write_slatedb if kv_backend == "slatedb" else write_sqlite
    cases = {shard: case for shard, case in enumerate(CASES) if case.is_for(dimension, metric)}
    snapshot = Snapshot(temporary / "snapshot", len(CASES) + 1, "utf8", vector_meta("lancedb", kv_backend, dimension, metric))
    values = {shard: {key: b"value of " + key * (number * 3) for number, key in enumerate(keys)}
              for shard, keys in keys_of_shards(snapshot, cases).items()}
    datasets, problems = {}, {}
    for shard, case in cases.items():
        dataset = Dataset(snapshot.folder(shard), dimension, metric)
        problems[shard] = write_shard(snapshot, shard, case, dataset, Source(shard, dimension), values[shard], write_keys)
        datasets[shard] = dataset
    snapshot.publish()
    program = Program(shardy, snapshot.root, temporary / "cache")
    source = Source(len(CASES), dimension)
    for shard, case in cases.items():
        name = f"{metric} {dimension}, {case.name}"
        if problems[shard]:
            count.skip(name, problems[shard])
            continue
        count.check(name, check_shard, program, datasets[shard], case, shard, source, values[shard])
    there = [datasets[shard] for shard in cases if not problems[shard]]
    count.check(f"{metric} {dimension}, all shards", check_all_shards, program, there, source)


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[2:] not in ([], ["--slatedb"]):
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    count = Count()
    print("lancedb", lancedb.__version__)
    kv_backend = "slatedb" if sys.argv[2:] else "sqlite"
    combinations = [(dimension, metric) for dimension in DIMENSIONS for metric in METRICS]
    for dimension, metric in combinations[:1] if sys.argv[2:] else combinations:
        with tempfile.TemporaryDirectory() as name:
            check_snapshot(count, sys.argv[1], pathlib.Path(name), dimension, metric, kv_backend)
    code = count.end()
    sys.stderr.flush()
    os._exit(code)  # the oldest version's threads make an ordinary end crash


main()
