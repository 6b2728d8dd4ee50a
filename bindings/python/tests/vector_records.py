"""Vectors for snapshots of them alone, and what a search among them must find."""

from __future__ import annotations

import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy

from shardyfusion.manifest import BuildResult
from shardyfusion.vector import (
    DistanceMetric,
    VectorIndexConfig,
    VectorRecord,
    VectorShardedWriteConfig,
    VectorShardingConfig,
    VectorShardingStrategy,
    write_sharded,
)

DIM = 8


def vectors(count: int, seed: int = 1) -> Any:
    """An array of `count` vectors around six centres, so that clusters and hash codes differ."""
    random = numpy.random.default_rng(seed)
    centres = random.standard_normal((6, DIM)) * 3
    return (centres[numpy.arange(count) % 6] + random.standard_normal((count, DIM))).astype(numpy.float32)


def records(count: int = 600, seed: int = 1) -> list[VectorRecord]:
    """Records with ids of text; every third has a payload. Those that shardings look at are all set."""
    return [
        VectorRecord(
            id=f"v{number:04}",
            vector=vector,
            payload={"number": number} if number % 3 == 0 else None,
            shard_id=number % 3,
            routing_context={"region": ("eu", "us", "ap")[number % 3]},
        )
        for number, vector in enumerate(vectors(count, seed))
    ]


SHARDINGS: dict[str, dict[str, Any]] = {
    "trained": {"strategy": VectorShardingStrategy.CLUSTER, "num_dbs": 4, "train_centroids": True, "num_probes": 2},
    "centroids": {"strategy": VectorShardingStrategy.CLUSTER, "centroids": vectors(5)},
    "lsh": {"strategy": VectorShardingStrategy.LSH, "num_dbs": 5, "num_hash_bits": 6, "num_probes": 3},
    "hyperplanes": {"strategy": VectorShardingStrategy.LSH, "num_dbs": 3, "hyperplanes": vectors(4, seed=7)},
    "explicit": {"strategy": VectorShardingStrategy.EXPLICIT, "num_dbs": 3},
    "cel": {
        "strategy": VectorShardingStrategy.CEL,
        "cel_expr": "region",
        "cel_columns": {"region": "string"},
        "routing_values": ["eu", "us", "ap"],
    },
    "cel-direct": {
        "strategy": VectorShardingStrategy.CEL,
        "num_dbs": 2,
        "cel_expr": 'region == "eu" ? 0 : 1',
        "cel_columns": {"region": "string"},
    },
}


def config(url: object, sharding: str | dict[str, Any], metric: str = "l2", **more: Any) -> VectorShardedWriteConfig:
    """The configuration of a snapshot at `url`, which may be a path of a folder."""
    return VectorShardedWriteConfig(
        index_config=VectorIndexConfig(dim=DIM, metric=DistanceMetric(metric)),
        sharding=VectorShardingConfig(**(SHARDINGS[sharding] if isinstance(sharding, str) else sharding)),
        s3_prefix=f"file://{url}" if isinstance(url, pathlib.Path) else str(url),
        **more,
    )


def write(
    url: object, sharding: str | dict[str, Any], rows: Iterable[VectorRecord] | None = None, **more: Any
) -> BuildResult:
    """Writes `rows` (those of `records`) to `url`."""
    return write_sharded(records() if rows is None else rows, config(url, sharding, **more))


def nearest(rows: Sequence[VectorRecord], query: Any, count: int, metric: str = "l2") -> list[str]:
    """The ids of those nearest to a query, exactly."""
    stored = numpy.stack([numpy.asarray(row.vector) for row in rows]).astype(numpy.float64)
    asked = numpy.asarray(query, dtype=numpy.float64)
    if metric == "l2":
        distances = ((stored - asked) ** 2).sum(axis=1)
    else:
        distances = 1 - stored @ asked / (numpy.linalg.norm(stored, axis=1) * numpy.linalg.norm(asked))
    return [str(rows[int(place)].id) for place in numpy.argsort(distances, kind="stable")[:count]]
