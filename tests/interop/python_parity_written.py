#!/usr/bin/env python3
"""Write snapshots of vectors alone with our Python package, and search them with the Python project.

    python_parity_written.py OUR_PYTHON WITH_S3_SERVER

The project is taken from this Python, or from the one that SHF_PYTHON_PROJECT names; strategies by an expression need its extra for
CEL. Each strategy and metric: every seventh vector is looked for where the project says that it is, and in all shards against an
exact order. Prints "N passed, N failed" (snapshots) last; without the project or a server, one line that says so, and ends with 77.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

from building import expect
from python_parity import SKIPPED, project_python, skip

ROWS, DIM, REGIONS = 600, 8, ("eu", "us", "ap")
SHARDINGS = {
    "trained": {"strategy": "cluster", "num_dbs": 4, "train_centroids": True, "num_probes": 2},
    "centroids": {"strategy": "cluster", "num_dbs": 5},
    "lsh": {"strategy": "lsh", "num_dbs": 5, "num_hash_bits": 6},
    "hyperplanes": {"strategy": "lsh", "num_dbs": 3},
    "explicit": {"strategy": "explicit", "num_dbs": 3},
    "cel": {"strategy": "cel", "cel_expr": "region", "cel_columns": {"region": "string"}, "routing_values": list(REGIONS)},
}
PLACES = [(name, metric) for name in SHARDINGS for metric in ("l2", "cosine")]


def vectors():
    import numpy

    random = numpy.random.default_rng(1)
    centres = random.standard_normal((6, DIM)) * 3
    return (centres[numpy.arange(ROWS) % 6] + random.standard_normal((ROWS, DIM))).astype(numpy.float32)


def url_of(name, metric):
    return f"s3://written/{name}-{metric}"


def write():
    from shardyfusion.vector import (
        DistanceMetric,
        VectorIndexConfig,
        VectorRecord,
        VectorShardedWriteConfig,
        VectorShardingConfig,
        VectorShardingStrategy,
        write_sharded,
    )

    made = vectors()
    tables = {"centroids": {"centroids": made[:5]}, "hyperplanes": {"hyperplanes": made[5:9]}}
    rows = [
        VectorRecord(f"v{at}", vector, {"at": at} if at % 3 == 0 else None, at % 3, {"region": REGIONS[at % 3]})
        for at, vector in enumerate(made)
    ]
    for name, metric in PLACES:
        sharding = SHARDINGS[name] | tables.get(name, {})
        sharding["strategy"] = VectorShardingStrategy(sharding["strategy"])
        config = VectorShardedWriteConfig(
            index_config=VectorIndexConfig(dim=DIM, metric=DistanceMetric(metric)),
            sharding=VectorShardingConfig(**sharding),
            s3_prefix=url_of(name, metric),
        )
        write_sharded(iter(rows), config)


def exact(made, query, metric):
    import numpy

    stored, asked = made.astype("f8"), query.astype("f8")
    if metric == "l2":
        distances = ((stored - asked) ** 2).sum(axis=1)
    else:
        distances = 1 - stored @ asked / (numpy.linalg.norm(stored, axis=1) * numpy.linalg.norm(asked))
    return [f"v{at}" for at in numpy.argsort(distances)[:5]]


def check(name, metric, folder):
    from shardyfusion.sqlite_vec_adapter import SqliteVecReaderFactory
    from shardyfusion.vector import ShardedVectorReader

    options = {"endpoint_url": os.environ["AWS_ENDPOINT_URL"], "region_name": os.environ["AWS_REGION"], "addressing_style": "path"}
    made = vectors()
    with ShardedVectorReader(
        s3_prefix=url_of(name, metric),
        local_root=folder,
        reader_factory=SqliteVecReaderFactory(s3_connection_options=options),
        s3_connection_options=options,
    ) as reader:
        info = reader.snapshot_info()
        told = (info.total_vectors, info.dim, info.metric.value, info.sharding.value)
        expect(told == (ROWS, DIM, metric, SHARDINGS[name]["strategy"]), f"snapshot_info: {info}")
        for at in range(0, ROWS, 7):
            chosen = {"explicit": {"shard_ids": [at % 3]}, "cel": {"routing_context": {"region": REGIONS[at % 3]}}}
            hit = reader.search(made[at], 1, **chosen.get(name, {"num_probes": 1})).results[0]
            expect(hit.id == f"v{at}" and (at % 3 or hit.payload == {"at": at}), f"v{at}: {hit} is found in its place")
            found = [hit.id for hit in reader.search(made[at], 5, shard_ids=list(range(info.num_dbs))).results]
            expect(found == exact(made, made[at], metric), f"v{at}: its neighbours are {found}")


def read():
    failed = 0
    there = importlib.util.find_spec("cel_expr_python") is not None
    for name, metric in PLACES:
        if name == "cel" and not there:
            print(f"{name}, {metric}: not compared: the Python project has no cel_expr_python")
            continue
        try:
            with tempfile.TemporaryDirectory() as folder:
                check(name, metric, folder)
        except Exception as problem:  # whatever the project raises is a finding
            failed += 1
            print(f"{name}, {metric}: {type(problem).__name__}: {problem}")
    print(f"{len(PLACES) - failed} passed, {failed} failed")
    return 1 if failed else 0


def inside(our_python, project):
    environment = os.environ | {"AWS_ALLOW_HTTP": "true", "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([our_python, __file__, "--write"], env=environment | {"PYTHONPATH": ""}, check=True, timeout=600)
    return subprocess.run([project, __file__, "--read"], env=environment, timeout=600).returncode


def main():
    if sys.argv[1:] == ["--write"]:
        return write()
    if sys.argv[1:] == ["--read"]:
        sys.exit(read())
    if sys.argv[1:2] == ["--inside"]:
        sys.exit(inside(*sys.argv[2:]))
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    project = project_python()
    server = str(pathlib.Path(sys.argv[2]).resolve())
    with tempfile.TemporaryDirectory() as empty:
        command = [server, empty, "written", "-", "--", sys.executable, __file__, "--inside", sys.argv[1], project]
        code = subprocess.run(command, timeout=1800).returncode
    if code == SKIPPED:
        skip("there is no S3 server (SHF_VERSITYGW)")
    sys.exit(code)


if __name__ == "__main__":
    main()
