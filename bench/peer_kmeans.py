#!/usr/bin/env python3
"""The peer of the kmeans benchmarks: scikit-learn's KMeans (algorithm lloyd, one start, tolerance 0).

    peer_kmeans.py NAME DATA

NAME is `packages` (20,000 x 384 embeddings of texts, normalised; read from SHF_SHARED, ../shared otherwise) or `clusters`
(100,000 x 384, around 300 points, spread as wide as these are). Reads requests from standard input, answers each with one
line:

    describe                    version
    make CLUSTERS 0             writes DATA/kmeans/NAME.rows and NAME.initial, which both sides take: number of rows, or 0
    lloyd ROUNDS CLUSTERS       nanoseconds, inertia and rounds from the initial centroids
    own SEED CLUSTERS           the same from centroids of k-means++, 20 rounds at most
"""

import os
import sys
import time

# peer_process.c sets them to 1; here both sides have all cores that this process may use.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = str(len(os.sched_getaffinity(0)))

import numpy as np  # noqa: E402
import sklearn  # noqa: E402
from sklearn.cluster import KMeans  # noqa: E402

DIMENSION = 384
ROUNDS = 20


def make_packages():
    path = os.path.join(os.environ.get("SHF_SHARED", "../shared"), "fixtures", "packages20k", "vectors.npy")
    if not os.path.exists(path):
        return np.empty((0, DIMENSION), np.float32)
    rows = np.load(path).astype(np.float32)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)


def make_clusters():
    random = np.random.default_rng(1)
    points = random.standard_normal((300, DIMENSION), np.float32)
    return points[random.integers(0, 300, 100_000)] + random.standard_normal((100_000, DIMENSION), np.float32)


def make(name, data, clusters):
    rows = {"packages": make_packages, "clusters": make_clusters}[name]()
    if len(rows) == 0:
        return rows, rows
    initial = rows[np.random.default_rng(2).choice(len(rows), clusters, replace=False)]
    os.makedirs(os.path.join(data, "kmeans"), exist_ok=True)
    rows.tofile(os.path.join(data, "kmeans", name + ".rows"))
    initial.tofile(os.path.join(data, "kmeans", name + ".initial"))
    return rows, initial


def train(rows, **options):
    begin = time.perf_counter_ns()
    model = KMeans(algorithm="lloyd", n_init=1, tol=0, **options).fit(rows)
    nanoseconds = time.perf_counter_ns() - begin
    # Its own figure is a float32; this is that of the same centroids as ours is computed.
    inertia = 0.0
    for begin in range(0, len(rows), 4096):
        block = rows[begin:begin + 4096].astype(np.float64)
        inertia += ((block - model.cluster_centers_[model.labels_[begin:begin + 4096]].astype(np.float64)) ** 2).sum()
    return f"{nanoseconds} {float(inertia)!r} {model.n_iter_}"


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    rows = initial = None
    for line in sys.stdin:
        verb, first, second = line.split()
        if verb == "describe":
            answer = "scikit-learn " + sklearn.__version__
        elif verb == "make":
            rows, initial = make(sys.argv[1], sys.argv[2], int(first))
            answer = str(len(rows))
        elif verb == "lloyd":
            answer = train(rows, n_clusters=int(second), init=initial, max_iter=int(first))
        else:
            answer = train(rows, n_clusters=int(second), init="k-means++", random_state=int(first), max_iter=ROUNDS)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
