"""A Lance dataset beside the keys of a composite shard, written with the calls of the Python project; and its exact answers."""

import json

import lancedb
import numpy
import pyarrow
from lancedb.index import HnswPq, HnswSq

from building import expect

DISTANCE_TYPES = {"cosine": "cosine", "l2": "l2", "dot_product": "dot"}
BATCH_OF_LISTS = 2000  # larger ones go in as an Arrow table: lists of Python numbers take long


class CannotWrite(Exception):
    """This version of the package has no way to write that."""


class Row:
    __slots__ = ("id", "vector", "payload")

    def __init__(self, identity, vector, payload):
        self.id, self.vector, self.payload = identity, vector, payload

    def text(self):
        return None if self.payload is None else json.dumps(self.payload)


class Dataset:
    """Remembers in rows what must be in it."""

    def __init__(self, folder, dimension, metric):
        self.folder, self.dimension, self.metric = folder / "vector", dimension, metric
        self.path = self.folder / "vector_index.lance"
        self.schema = pyarrow.schema([pyarrow.field("id", pyarrow.string()),
                                      pyarrow.field("vector", pyarrow.list_(pyarrow.float32(), dimension)),
                                      pyarrow.field("payload", pyarrow.string())])
        self.table, self.rows = None, []

    def append(self, rows):
        data = [{"id": row.id, "vector": row.vector.tolist(), "payload": row.text()} for row in rows]
        if len(rows) > BATCH_OF_LISTS:
            data = pyarrow.Table.from_pylist(data, schema=self.schema)
        if self.table is None:
            self.table = lancedb.connect(str(self.folder)).create_table("vector_index", data=data, schema=self.schema)
        else:
            self.table.add(data)
        self.rows += rows

    def delete(self, condition, is_gone):
        self.table.delete(condition)
        self.rows = [row for row in self.rows if not is_gone(row.id)]

    def update(self, identity, payload):
        self.table.update(where=f"id = '{identity}'", values={"payload": json.dumps(payload)})
        for row in self.rows:
            row.payload = payload if row.id == identity else row.payload

    def index(self, quantization, partitions=1):
        """As the Python project calls it, and where that call does not fit, as older versions want it."""
        kind = DISTANCE_TYPES[self.metric]
        try:
            sizes = {"distance_type": kind, "m": 20, "ef_construction": 300, "num_partitions": partitions}
            config = HnswSq(**sizes) if quantization == "fp16" else HnswPq(**sizes, num_sub_vectors=1)
            self.table.create_index("vector", config=config)
        except TypeError:
            name = "IVF_HNSW_SQ" if quantization == "fp16" else "IVF_HNSW_PQ"
            self.table.create_index(metric=kind, num_partitions=partitions, num_sub_vectors=1, index_type=name)

    def optimize(self):
        try:
            self.table.optimize()
        except RuntimeError as error:
            raise CannotWrite(error) from error

    def contents(self):
        """What the package itself reads in it."""
        table = lancedb.connect(str(self.folder)).open_table("vector_index").to_arrow()
        vectors = table["vector"].combine_chunks().flatten().to_numpy().astype("<f4").reshape(len(table), self.dimension)
        return sorted(zip(table["id"].to_pylist(), map(bytes, vectors), table["payload"].to_pylist()), key=str)

    def check_contents(self):
        if self.table is None:
            return
        wanted = sorted(((row.id, row.vector.tobytes(), row.text()) for row in self.rows), key=str)
        expect(self.contents() == wanted, "LanceDB's own reader has something else than what was written")

    def exact(self, query, top_k):
        """The distances that LanceDB itself computes, by id; without an index, or past it. None: it cannot go past it."""
        search = self.table.search(query)
        if hasattr(search, "bypass_vector_index"):
            search = search.bypass_vector_index()
        elif (self.path / "_indices").exists():
            return None
        set_metric = getattr(search, "distance_type", None) or search.metric
        found = set_metric(DISTANCE_TYPES[self.metric]).limit(top_k).to_arrow()
        return dict(zip(found["id"].to_pylist(), found["_distance"].to_pylist()))


def distances(metric, query, rows):
    """In float64, in LanceDB's units: l2 is the square. A row of zeros under cosine has none: NaN."""
    vectors = numpy.array([row.vector for row in rows], dtype=numpy.float64).reshape(len(rows), len(query))
    query = query.astype(numpy.float64)
    if metric == "l2":
        return ((vectors - query) ** 2).sum(axis=1)
    dots = vectors @ query
    if metric == "dot_product":
        return 1 - dots
    with numpy.errstate(invalid="ignore"):
        return 1 - dots / (numpy.sqrt((vectors ** 2).sum(axis=1)) * numpy.sqrt((query ** 2).sum()))
