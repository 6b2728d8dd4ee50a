"""What is written is read back: by this package's readers, by the program shardy, from files and from S3."""

from __future__ import annotations

import array
import json
import pathlib
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from typing import Any

import numpy
import pytest
from readers import Opener, environment_of_programs, manifest_of

from shardyfusion import (
    HashShardedWriteConfig,
    KeyEncoding,
    PythonRecordInput,
    ValueSpec,
    VectorSpec,
    WriterManifestConfig,
    WriterOutputConfig,
)
from shardyfusion.manifest import BuildResult
from shardyfusion.manifest_store import parse_manifest_payload
from shardyfusion.metrics import MetricEvent
from shardyfusion.sqlite_adapter import SqliteFactory
from shardyfusion.sqlite_vec_adapter import SqliteVecFactory
from shardyfusion.writer.python import write_hash_sharded

PAIRS: PythonRecordInput[tuple[Any, Any]] = PythonRecordInput(lambda pair: pair[0], lambda pair: pair[1])
KEYS: dict[str, list[Any]] = {
    "u64be": [0, 1, 7, 2**32, 2**63 - 1],
    "u32be": [0, 1, 2**32 - 1],
    "utf8": ["", "a", "\u65e5\u672c", "x" * 3000, b"bytes of text"],
    "raw": [b"", b"\0\xff", b"\xe6\x97", "text", b"x" * 3000],
}


@pytest.fixture(params=["files", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: pathlib.Path) -> str:
    """URL of a prefix with nothing below it."""
    if request.param == "files":
        return f"file://{tmp_path / 'snapshot'}"
    bucket: str = request.getfixturevalue("s3_bucket")
    return f"{bucket}/{uuid.uuid4().hex}"


def write(place: object, rows: Any, **config: Any) -> BuildResult:
    """Writes pairs of key and value."""
    config = {"num_dbs": 3, **config} if "max_keys_per_shard" not in config else config
    url = f"file://{place}" if isinstance(place, pathlib.Path) else str(place)
    return write_hash_sharded(rows, HashShardedWriteConfig(s3_prefix=url, **config), PAIRS)


@pytest.mark.parametrize("encoding", KEYS)
def test_keys_of_every_encoding(place: str, encoding: str, open_reader: Opener) -> None:
    rows = [(key, f"value {number}".encode() * number) for number, key in enumerate(KEYS[encoding])]
    result = write(place, iter(rows), key_encoding=KeyEncoding(encoding))
    reader = open_reader(place, unified=False)
    assert reader.key_encoding == encoding
    assert reader.multi_get([key for key, _ in rows]) == dict(rows)
    assert reader.get(5 if encoding.startswith("u") and encoding != "utf8" else "absent") is None
    info = reader.snapshot_info()
    assert (info.run_id, info.num_dbs, info.manifest_ref) == (result.run_id, 3, result.manifest_ref)
    assert sum(winner.row_count for winner in result.winners) == len(rows) == result.stats.rows_written


def test_the_result(place: str, open_reader: Opener) -> None:
    result = write(place, ((number, b"v") for number in range(1000)), num_dbs=4)
    assert result.manifest_ref.startswith(f"{place}/manifests/")
    assert result.run_record_ref is not None and f"_run_id={result.run_id}_" in result.run_record_ref
    stats = result.stats
    assert (stats.num_attempt_results, stats.num_winners, stats.rows_written) == (4, 4, 1000)
    durations = stats.durations
    assert durations.sharding_ms == 0
    assert durations.write_ms + durations.manifest_ms == durations.total_ms
    details = {detail.db_id: detail for detail in open_reader(place, unified=False).shard_details()}
    assert [winner.db_id for winner in result.winners] == [0, 1, 2, 3]
    for winner in result.winners:
        detail = details[winner.db_id]
        assert (detail.row_count, detail.min_key, detail.max_key, detail.db_url) == (
            winner.row_count,
            winner.min_key,
            winner.max_key,
            winner.db_url,
        )
        assert winner.db_url == f"{place}/shards/run_id={result.run_id}/db={winner.db_id:05d}/attempt=00"
        assert winner.db_bytes > 0 and winner.checkpoint_id and winner.writer_info.attempt == 0


def test_the_manifest(tmp_path: pathlib.Path) -> None:
    custom: dict[str, Any] = {"source": "test", "nested": {"list": [1, 2.5, None, "\u00e4"]}}
    result = write(
        tmp_path,
        [("a", b"1"), ("b", b"2")],
        num_dbs=64,
        key_encoding=KeyEncoding.UTF8,
        manifest=WriterManifestConfig(custom_manifest_fields=custom),
        output=WriterOutputConfig(run_id="run-1"),
    )
    manifest = parse_manifest_payload(manifest_of(tmp_path).read_bytes())
    assert result.run_id == manifest.required_build.run_id == "run-1"
    assert manifest.required_build.num_dbs == 64
    assert manifest.required_build.key_col == "_key"
    assert manifest.required_build.s3_prefix == f"file://{tmp_path}"
    # Of the empty ones nothing is said; of the others the same as in the result.
    assert [shard.model_dump(exclude={"writer_info"}) for shard in manifest.shards] == [
        winner.model_dump(exclude={"writer_info"}) for winner in result.winners
    ]
    assert len(result.winners) <= 2 and result.stats.num_attempt_results == 64
    assert {name: manifest.custom[name] for name in custom} == custom
    assert manifest.custom["sqlite_sidecar"]["page_size"] == "auto"


def test_the_program_reads_it(tmp_path: pathlib.Path, shardy: str) -> None:
    write(tmp_path, [(f"key {number}", f"value {number}".encode()) for number in range(500)], key_encoding="utf8")
    command = [shardy, "-u", str(tmp_path), "--local-root", str(tmp_path / "cache"), "get", "--raw", "key 77"]
    ran = subprocess.run(command, check=True, capture_output=True, env=environment_of_programs())
    assert ran.stdout == b"value 77"


def test_values_of_other_kinds(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    values = [bytearray(b"one"), memoryview(b"two"), array.array("B", b"three"), b""]
    write(tmp_path, enumerate(values))
    assert open_reader(tmp_path, unified=False).multi_get([0, 1, 2, 3]) == dict(enumerate(map(bytes, values)))


def test_a_value_spec_and_keys_of_numpy(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    rows: list[Any] = [{"id": numpy.int64(number), "name": f"n{number}"} for number in range(5)]
    config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}", num_dbs=2)
    spec = ValueSpec.json_cols(["name"])
    write_hash_sharded(rows, config, PythonRecordInput(lambda row: row["id"], spec.encode))
    assert json.loads(open_reader(tmp_path, unified=False).get(3)) == {"name": "n3"}


def test_shards_by_their_rows(tmp_path: pathlib.Path) -> None:
    # Of a generator, too: rows are counted as they come.
    result = write(tmp_path, ((number, b"") for number in range(101)), max_keys_per_shard=25)
    assert result.stats.num_attempt_results == 5
    assert write(tmp_path, [], max_keys_per_shard=25).winners == []


def test_of_repeated_keys_the_last_counts(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    result = write(tmp_path, ((number % 10, str(number).encode()) for number in range(25_000)), batch_size=7)
    assert result.stats.rows_written == 10
    assert open_reader(tmp_path, unified=False).get(3) == b"24993"


def test_a_run_after_another_is_served(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    write(tmp_path, [(1, b"old")])
    reader = open_reader(tmp_path, unified=False)
    assert reader.get(1) == b"old"
    write(tmp_path, [(1, b"new")])
    assert reader.refresh() is True
    assert reader.get(1) == b"new"


# -- vectors


def vectors(count: int, dim: int) -> Any:
    return numpy.random.default_rng(7).normal(size=(count, dim)).astype(numpy.float32)


@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_vectors_are_found(place: str, metric: Any, open_reader: Opener) -> None:
    made = vectors(600, 24)
    config = HashShardedWriteConfig(s3_prefix=place, num_dbs=4, vector_spec=VectorSpec(24, metric=metric))
    taken: PythonRecordInput[int] = PythonRecordInput(
        lambda row: row,
        lambda row: str(row).encode(),
        vector_fn=lambda row: (f"id {row}", made[row], {"row": row} if row % 2 else None),
    )
    assert write_hash_sharded(range(600), config, taken).stats.rows_written == 600
    reader = open_reader(place)
    assert (reader.vector_meta.dim, reader.vector_meta.metric.value) == (24, metric)
    assert reader.get(17) == b"17"
    query = made[5] + numpy.float32(0.01)
    far = made.astype(float) - query if metric == "l2" else made.astype(float)
    exact = (
        numpy.sqrt((far**2).sum(axis=1))
        if metric == "l2"
        else 1 - far @ query / numpy.linalg.norm(far, axis=1) / numpy.linalg.norm(query)
    )
    hits = reader.search(query, top_k=5).results
    assert [hit.id for hit in hits] == [f"id {row}" for row in numpy.argsort(exact)[:5]]
    for hit in hits:
        row = int(hit.id.split()[1])
        assert abs(hit.score - exact[row]) < 1e-4
        assert hit.payload == ({"row": row} if row % 2 else None)


@pytest.mark.parametrize("kind", ["list", "tuple", "float64", "integers", "float16", "strided", "array"])
def test_vectors_of_every_kind(tmp_path: pathlib.Path, kind: str, open_reader: Opener) -> None:
    made = numpy.arange(40, dtype=numpy.float32).reshape(10, 4) + 1
    given: dict[str, Any] = {
        "list": made.tolist(),
        "tuple": [tuple(row) for row in made.tolist()],
        "float64": made.astype(numpy.float64),
        "integers": made.astype(numpy.int32),
        "float16": made.astype(numpy.float16),
        "strided": numpy.repeat(made, 2, axis=1)[:, ::2],
        "array": [array.array("f", row.tolist()) for row in made],
    }
    config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}", num_dbs=2, vector_spec=VectorSpec(4, metric="l2"))
    taken: PythonRecordInput[int] = PythonRecordInput(
        lambda row: row, lambda row: b"", vector_fn=lambda row: (row, given[kind][row], None)
    )
    write_hash_sharded(range(10), config, taken)
    (hit,) = open_reader(tmp_path).search(made[6], top_k=1).results
    assert (hit.id, hit.score, hit.payload) == (6, 0.0, None)


@pytest.mark.parametrize("keys", ["u64be", "utf8", "raw"])
def test_vectors_of_a_column(tmp_path: pathlib.Path, keys: str, open_reader: Opener) -> None:
    made = vectors(50, 8)
    names: dict[str, Any] = {"u64be": int, "utf8": str, "raw": lambda row: bytes([0xFF, row])}
    spec = VectorSpec(8, vector_col="embedding", metric="cosine")
    config = HashShardedWriteConfig(
        s3_prefix=f"file://{tmp_path}", num_dbs=2, vector_spec=spec, key_encoding=KeyEncoding(keys)
    )
    taken: PythonRecordInput[int] = PythonRecordInput(
        names[keys], lambda row: b"v", columns_fn=lambda row: {"embedding": made[row]}
    )
    write_hash_sharded(range(50), config, taken)
    reader = open_reader(tmp_path)
    (hit,) = reader.search(made[9], top_k=1).results
    # The id is the key; that of bytes in hexadecimal digits.
    assert hit.id == {"u64be": 9, "utf8": "9", "raw": "ff09"}[keys]
    assert reader.get(names[keys](9)) == b"v"


def test_payloads_are_json_of_what_python_holds(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    when = uuid.UUID(int=5)
    config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}", num_dbs=1, vector_spec=VectorSpec(2))
    taken: PythonRecordInput[int] = PythonRecordInput(
        lambda row: row, lambda row: b"", vector_fn=lambda row: (row, [1.0, row], {"\u00e4": [when, None]})
    )
    write_hash_sharded(range(3), config, taken)
    (hit,) = open_reader(tmp_path).search([1.0, 2.0], top_k=1).results
    assert (hit.id, hit.payload) == (2, {"\u00e4": [str(when), None]})


# -- settings that show in the result


@pytest.mark.parametrize("page_size", [4096, 16384])
def test_page_size_and_sidecar(tmp_path: pathlib.Path, page_size: Any) -> None:
    for emits in (True, False):
        factory = SqliteFactory(page_size=page_size, emit_sidecar=emits)
        (winner,) = write(tmp_path, [(1, b"x")], num_dbs=1, adapter_factory=factory).winners
        folder = pathlib.Path((winner.db_url or "").removeprefix("file://"))
        assert (folder / "shard.sidecar").exists() is emits
        with sqlite3.connect(folder / "shard.db") as database:
            assert database.execute("PRAGMA page_size").fetchone() == (page_size,)
        database.close()


def test_a_factory_of_vectors(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    spec = VectorSpec(2, metric="l2", index_params={"M": 8})
    config = HashShardedWriteConfig(
        s3_prefix=f"file://{tmp_path}",
        num_dbs=2,
        vector_spec=spec,
        adapter_factory=SqliteVecFactory(spec, page_size=8192),
    )
    taken: PythonRecordInput[int] = PythonRecordInput(
        lambda row: row, lambda row: b"", vector_fn=lambda row: (row, [row, row], None)
    )
    write_hash_sharded(range(9), config, taken)
    assert [hit.id for hit in open_reader(tmp_path).search([4, 4.2], top_k=2).results] == [4, 5]


def test_local_root(tmp_path: pathlib.Path) -> None:
    work = tmp_path / "work" / "deep"
    write(tmp_path / "snapshot", [(1, b"x")], output=WriterOutputConfig(local_root=str(work)))
    assert work.is_dir() and list(work.iterdir()) == []


# -- events and pace


class Collector:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def emit(self, event: MetricEvent, payload: dict[str, Any]) -> None:
        self.events.append((event.value, payload))


def test_events(tmp_path: pathlib.Path) -> None:
    collector = Collector()
    result = write(tmp_path, [(number, b"x") for number in range(100)], metrics_collector=collector)
    assert [name for name, _ in collector.events] == [
        "write.started",
        "write.shards_completed",
        "write.manifest_published",
        "write.completed",
    ]
    started, shards, manifest, completed = (payload for _, payload in collector.events)
    assert started == {"elapsed_ms": 0}
    assert shards == {
        "elapsed_ms": shards["elapsed_ms"],
        "duration_ms": result.stats.durations.write_ms,
        "rows_written": 100,
    }
    assert manifest.keys() == {"elapsed_ms"}
    assert completed == {"elapsed_ms": completed["elapsed_ms"], "rows_written": 100}
    assert shards["elapsed_ms"] <= manifest["elapsed_ms"] <= completed["elapsed_ms"]


@pytest.mark.parametrize(("limit", "kind"), [("max_writes_per_second", "ops"), ("max_write_bytes_per_second", "bytes")])
def test_pace(tmp_path: pathlib.Path, limit: str, kind: str) -> None:
    # 108 rows, or 270 bytes of keys and values, at 100 a second: the bucket holds the first 100.
    collector = Collector()
    rows = [(number, b"x" * 37) for number in range(6)] if kind == "bytes" else [(n, b"") for n in range(108)]
    write(tmp_path, rows, metrics_collector=collector, **{limit: 100.0})
    pauses = [payload for name, payload in collector.events if name == "rate_limiter.throttled"]
    assert pauses and all(pause["limiter_type"] == kind and pause["wait_seconds"] > 0 for pause in pauses)


def test_records_are_asked_for_one_at_a_time(tmp_path: pathlib.Path, open_reader: Opener) -> None:
    record: dict[str, Any] = {}

    def reused() -> Iterator[dict[str, Any]]:
        for number in range(10_000):
            record.update(key=number, value=str(number).encode())
            yield record

    config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}", num_dbs=2)
    write_hash_sharded(reused(), config, PythonRecordInput(lambda row: row["key"], lambda row: row["value"]))
    assert open_reader(tmp_path, unified=False).multi_get([0, 4095, 4096, 9999]) == {
        0: b"0",
        4095: b"4095",
        4096: b"4096",
        9999: b"9999",
    }
