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
from lancedb_dataset import CannotWrite, Dataset, Row, distances
from snapshot import Count, Program, Snapshot, close, vector_meta

DIMENSIONS = (8, 64, 384)
METRICS = ("cosine", "l2", "dot_product")
KEYS_A_SHARD = 12
WORDS = ("kernel", "größe", "library", "sound", "漢字", "graphics", "network", "editor", "and", "the", "of", "🦆")


class Source:
    """Rows. Vectors of about length 1, so that float32 sums are good to some 1e-7."""

    def __init__(self, seed, dimension):
        self.numbers = numpy.random.default_rng(seed)
        self.dimension, self.count = dimension, 0

    def vector(self):
        return (self.numbers.standard_normal(self.dimension) / math.sqrt(self.dimension)).astype("<f4")

    def words(self, count):
        return " ".join(WORDS[number] for number in self.numbers.integers(len(WORDS), size=count))

    def rows(self, count, payload=lambda number: None, identity="id-{:05d}".format):
        first, self.count = self.count, self.count + count
        return [Row(identity(number), self.vector(), payload(number)) for number in range(first, first + count)]


def some(number):
    return {"n": number, "text": f"päyload {number} \\ \" \x01"} if number % 3 else None


def each(number):
    return {"n": number, "deep": {"list": [1, -2.5, True, None, {"größe": [[]]}]}}


# ---- ways of writing ----

def no_vectors(dataset, source):
    pass


def one_row(dataset, source):
    dataset.append(source.rows(1, each))


def one_row_without_payload(dataset, source):
    dataset.append(source.rows(1))


def one_batch(dataset, source):
    dataset.append(source.rows(50, some))


def three_appends(payload):
    def write(dataset, source):
        for count in (70, 1, 129):
            dataset.append(source.rows(count, payload))
    return write


def appends_of_each_kind(dataset, source):
    for payload in (None, each, some, lambda number: {}):
        dataset.append(source.rows(40, payload or (lambda number: None)))


def thirty_appends(dataset, source):
    for _ in range(30):
        dataset.append(source.rows(3, some))


def few_payloads(dataset, source):
    dataset.append(source.rows(600, lambda number: {"kind": WORDS[number % 3]}))
    dataset.append(source.rows(600, lambda number: {"kind": WORDS[number % 5]} if number % 5 else None))
    dataset.append(source.rows(300, lambda number: {"only": "one"}))


def texts(dataset, source):
    """Ids, too, are long enough to be stored apart."""
    dataset.append(source.rows(200, lambda number: {"text": source.words(80)}, lambda number: f"{number} " + source.words(50)))


def texts_and_nulls(dataset, source):
    dataset.append(source.rows(300, lambda number: {"text": source.words(60)} if number % 4 else None))


def incompressible_texts(dataset, source):
    dataset.append(source.rows(150, lambda number: {"text": source.numbers.bytes(400).hex()}, lambda number: source.numbers.bytes(200).hex()))


def huge_payloads(dataset, source):
    dataset.append(source.rows(12, lambda number: {"text": source.words(7000 + 500 * number)}))
    dataset.append(source.rows(6, lambda number: {"text": source.numbers.bytes(30_000).hex()} if number % 2 else None))


def payloads_of_all_sizes(dataset, source):
    dataset.append(source.rows(90, lambda number: {"text": source.words(2 ** (number % 12))}))


def many_rows(dataset, source):
    dataset.append(source.rows(1500, some))


def many_rows_mostly_null(dataset, source):
    dataset.append(source.rows(2500, lambda number: {"n": number} if number % 900 == 1 else None))


def several_pages(dataset, source):
    dataset.append(source.rows(9000, each))


def odd_ids(dataset, source):
    ids = ["", " ", "0", "-7", "9223372036854775807", "ключ", "🦆", "a\0b", "'", '"', "x" * 5000]
    dataset.append([Row(identity, source.vector(), {"id": identity}) for identity in ids])


def repeated_ids(dataset, source):
    dataset.append(source.rows(60, some, lambda number: f"id-{number % 7}"))


def zeros(dataset, source):
    rows = source.rows(40, some)
    for row in rows[::9]:
        row.vector = numpy.zeros_like(row.vector)
    dataset.append(rows)


def identical_vectors(dataset, source):
    rows = source.rows(300, some)
    for row in rows:
        row.vector = rows[0].vector
    dataset.append(rows[:200])
    dataset.append(rows[200:])


def few_deleted(dataset, source):
    dataset.append(source.rows(100, some))
    dataset.append(source.rows(100, each))
    gone = [f"id-{number:05d}" for number in (0, 7, 63, 99, 150, 199)]
    for ids in (gone[:3], gone[3:]):
        dataset.delete("id IN ({})".format(",".join(f"'{identity}'" for identity in ids)), set(ids).__contains__)


def append_deleted(dataset, source):
    for _ in range(3):
        dataset.append(source.rows(40, some))
    dataset.delete("id >= 'id-00040' AND id < 'id-00080'", lambda identity: "id-00040" <= identity < "id-00080")
    dataset.append(source.rows(10, some))


def all_deleted(dataset, source):
    dataset.append(source.rows(40, some))
    dataset.delete("id >= ''", lambda identity: True)


def many_deleted(dataset, source):
    dataset.append(source.rows(7000, some))
    dataset.delete("id LIKE '%1' OR id < 'id-05900'", lambda identity: identity.endswith("1") or identity < "id-05900")


def updated(dataset, source):
    dataset.append(source.rows(60, some))
    for number in (3, 30, 59):
        dataset.update(f"id-{number:05d}", {"updated": number})


def indexed(quantization):
    def write(dataset, source):
        dataset.append(source.rows(600, some))
        dataset.index(quantization, partitions=2)
    return write


def indexed_and_more(dataset, source):
    dataset.append(source.rows(400, some))
    dataset.index(None)
    dataset.index(None)
    dataset.append(source.rows(30, each))
    dataset.delete("id LIKE '%3'", lambda identity: identity.endswith("3"))


def optimized(dataset, source):
    few_deleted(dataset, source)
    dataset.append(source.rows(5, each))
    dataset.optimize()


def optimized_and_more(dataset, source):
    thirty_appends(dataset, source)
    dataset.optimize()
    dataset.append(source.rows(5, each))
    dataset.delete("id LIKE '%3'", lambda identity: identity.endswith("3"))


class Case:
    """made: a pattern below the dataset of which there must be files, lest the case tests something else.
    only: the one dimension and metric to write it with."""

    def __init__(self, name, write, made=None, only=None):
        self.name, self.write, self.made, self.only = name, write, made, only

    def is_for(self, dimension, metric):
        return self.only in (None, (dimension, metric))


ROARING, ARROW, INDEX = "_deletions/*.bin", "_deletions/*.arrow", "_indices/*/*.idx"
CASES = [
    Case("no vectors", no_vectors),
    Case("one row", one_row),
    Case("one row without payload", one_row_without_payload),
    Case("one batch", one_batch),
    Case("three appends, all with payload", three_appends(each)),
    Case("three appends, none with payload", three_appends(lambda number: None)),
    Case("three appends, some with payload", three_appends(some)),
    Case("appends of each kind", appends_of_each_kind),
    Case("thirty appends", thirty_appends),
    Case("few payloads", few_payloads),
    Case("texts", texts),
    Case("texts and nulls", texts_and_nulls),
    Case("incompressible texts", incompressible_texts),
    Case("huge payloads", huge_payloads),
    Case("payloads of all sizes", payloads_of_all_sizes),
    Case("many rows", many_rows),
    Case("many rows, mostly without payload", many_rows_mostly_null, only=(8, "l2")),
    Case("several pages", several_pages, only=(384, "l2")),
    Case("odd ids", odd_ids),
    Case("repeated ids", repeated_ids),
    Case("zeros", zeros),
    Case("identical vectors", identical_vectors),
    Case("few deleted", few_deleted, ARROW),
    Case("an append deleted", append_deleted),
    Case("all deleted", all_deleted),
    Case("many deleted", many_deleted, ROARING, only=(8, "cosine")),
    Case("updated", updated, ARROW),
    Case("indexed", indexed(None), INDEX),
    Case("indexed, fp16", indexed("fp16"), INDEX),
    Case("indexed twice, more rows, some deleted", indexed_and_more, INDEX),
    Case("optimized", optimized),
    Case("optimized, more rows, some deleted", optimized_and_more, ARROW),
]


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

def hit_of(identity, score, payload):
    """In an order that does not depend on the last bits: a NaN is null in a hit."""
    return identity, json.dumps(payload, sort_keys=True), score


def check_hits(what, hits, rows, scores):
    expect(len(hits) == len(rows), f"{what}: {len(hits)} hits for {len(rows)} rows")
    got = sorted((hit_of(hit["id"], math.nan if hit["score"] is None else hit["score"], hit["payload"]) for hit in hits), key=str)
    wanted = sorted((hit_of(row.id, float(score), row.payload) for row, score in zip(rows, scores)), key=str)
    by_row, wanted_by_row = {}, {}
    for each_hit, each_wanted in zip(got, wanted):
        by_row.setdefault(each_hit[:2], []).append(each_hit[2])
        wanted_by_row.setdefault(each_wanted[:2], []).append(each_wanted[2])
    expect(by_row.keys() == wanted_by_row.keys(), f"{what}: other ids or payloads, as "
           f"{str(next(iter(by_row.keys() - wanted_by_row.keys()), None))[:200]} for "
           f"{str(next(iter(wanted_by_row.keys() - by_row.keys()), None))[:200]}")
    for row, found in by_row.items():
        expect(len(found) == len(wanted_by_row[row]), f"{what}: {row[0][:40]!r} comes {len(found)} times")
        for score, exact in zip(sorted(found, key=last_nan), sorted(wanted_by_row[row], key=last_nan)):
            expect(equal(score, exact), f"{what}: {row[0][:40]!r} is {exact} away, not {score}")


def last_nan(score):
    return math.isnan(score), score


def equal(score, exact):
    return close(score, exact) or (math.isnan(score) and math.isnan(exact))


def check_order(what, hits):
    scores = [math.nan if hit["score"] is None else hit["score"] for hit in hits]
    expect(scores == sorted(scores, key=last_nan) or any(map(math.isnan, scores)), f"{what}: the hits are out of order")
    expect(all(map(math.isnan, scores[sum(not math.isnan(score) for score in scores):])), f"{what}: undefined distances are not last")


def check_own_distances(what, dataset, query, hits):
    """Where ids repeat, LanceDB's answer is not told apart by them."""
    ids = [hit["id"] for hit in hits]
    own = dataset.exact(query, len(ids)) if len(set(ids)) == len(ids) > 0 else None
    if own is None:
        return
    for hit in hits:
        if hit["score"] is not None and own.get(hit["id"]) is not None:
            expect(equal(hit["score"], own[hit["id"]]), f"{what}: {hit['id'][:40]!r} is {own[hit['id']]} away for LanceDB, not {hit['score']}")
    missing = [hit["id"] for hit in hits if hit["score"] is not None and own.get(hit["id"]) is None]
    expect(not missing, f"{what}: LanceDB does not find {missing[:3]}")


def check_shard(program, dataset, case, shard, source, keys):
    if case.made:
        expect(any(dataset.path.glob(case.made)), f"there is no {case.made}: not what this is there for")
    dataset.check_contents()
    program.check_values({**keys, **{f"absent-{number}".encode(): None for number in range(3)}})
    queries = [source.vector(), source.vector() * numpy.float32(3)] + [row.vector for row in dataset.rows[-1:] if row.vector.any()]
    answers = program.search([(query.tobytes(), len(dataset.rows) + 5, [shard]) for query in queries])
    for number, (query, hits) in enumerate(zip(queries, answers)):
        what = f"query {number}"
        check_hits(what, hits, dataset.rows, distances(dataset.metric, query, dataset.rows))
        check_order(what, hits)
        if dataset.rows:
            check_own_distances(what, dataset, query, hits)
    if case.write is identical_vectors:
        expect([hit["id"] for hit in answers[0]] == [row.id for row in dataset.rows], "equal distances are not in the order of the rows")
    top = program.search([(query.tobytes(), 7, [shard]) for query in queries])
    expect(top == [hits[:7] for hits in answers], "the nearest seven are not the first of all")


def check_all_shards(program, datasets, source):
    rows = sum((dataset.rows for dataset in datasets), [])
    query = source.vector()
    hits = program.search([(query.tobytes(), len(rows), None)])[0]
    check_hits("all shards", hits, rows, distances(datasets[0].metric, query, rows))
    check_order("all shards", hits)


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
