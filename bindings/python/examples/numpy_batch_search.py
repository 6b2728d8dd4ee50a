"""Searches a whole numpy array of queries at once: a stored row is read once for all of them.

SNAPSHOT=s3://bucket/prefix python numpy_batch_search.py QUERIES.npy [COUNT]
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np

from shardyfusion import UnifiedShardedReader


def main() -> None:
    """Prints the nearest row of each query, and what a query cost alone and in the batch."""
    queries = np.load(sys.argv[1])[: int(sys.argv[2]) if len(sys.argv) > 2 else 100].astype(np.float32)
    prefix, cache = os.environ["SNAPSHOT"], os.environ.get("CACHE", "/var/tmp/snapshot-cache")
    with UnifiedShardedReader(s3_prefix=prefix, local_root=cache) as reader:
        meta = reader.vector_meta
        print(f"{reader.snapshot_info().row_count} rows of {meta.dim} floats, {meta.metric.value}, {meta.backend}")
        reader.search(queries[0], top_k=5)

        began = time.perf_counter()
        alone = [reader.search(query, top_k=5) for query in queries]
        between = time.perf_counter()
        together = reader.batch_search(queries, top_k=5)  # any float32 or float64 array, strided ones too
        ended = time.perf_counter()

        for one, many in zip(alone, together, strict=True):
            assert [hit.id for hit in one.results] == [hit.id for hit in many.results]
        for number, response in enumerate(together[:5]):
            hits = ", ".join(f"{hit.id} {hit.score:.3f}" for hit in response.results[:3])
            print(f"  query {number}: {hits}")
        count = len(queries)
        print(f"{1e6 * (between - began) / count:.0f} microseconds a query one by one, ", end="")
        print(f"{1e6 * (ended - between) / count:.0f} in a batch of {count}")


if __name__ == "__main__":
    main()
