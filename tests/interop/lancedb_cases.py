"""The ways in which LanceDB writes the vectors of a shard."""

import math

import numpy

from lancedb_dataset import Row

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
    dataset.append(source.rows(150, lambda number: {"text": source.numbers.bytes(400).hex()},
                               lambda number: source.numbers.bytes(200).hex()))


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
