"""The same rows make the same shards, whoever writes them and in whatever order; and memory stays bounded."""

from __future__ import annotations

import os
import pathlib
import random
import subprocess
import sys
import threading
from typing import Any

import pytest
from readers import Builder

from shardyfusion import HashShardedWriteConfig, PythonRecordInput, VectorSpec
from shardyfusion.writer.python import write_hash_sharded


def shards_of(snapshot: pathlib.Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(snapshot.rglob("shard.db"))]


@pytest.mark.parametrize("kind", ["integers", "text"])
def test_shards_are_those_of_the_program(tmp_path: pathlib.Path, build: Builder, kind: str) -> None:
    rows: list[dict[str, Any]] = [
        {"key": number if kind == "integers" else f"key {number}", "value": f"value {number}" * (number % 9)}
        for number in range(10_000)
    ]
    build(rows, tmp_path / "built", "--num-dbs", "4")
    random.Random(5).shuffle(rows)
    config = HashShardedWriteConfig(
        s3_prefix=f"file://{tmp_path}/written", num_dbs=4, key_encoding="u64be" if kind == "integers" else "utf8"
    )
    write_hash_sharded(rows, config, PythonRecordInput(lambda row: row["key"], lambda row: row["value"].encode()))
    assert shards_of(tmp_path / "written") == shards_of(tmp_path / "built")
    assert len(shards_of(tmp_path / "written")) == 4


def test_shards_with_vectors_are_those_of_the_program(tmp_path: pathlib.Path, build: Builder) -> None:
    made = random.Random(3)
    rows: list[dict[str, Any]] = [
        {
            "key": f"key {number}",
            "value": "v",
            "id": number,
            "vector": [made.uniform(-1, 1) for _ in range(16)],
            "payload": {"n": number},
        }
        for number in range(2_000)
    ]
    build(rows, tmp_path / "built", "--num-dbs", "3", "--metric", "l2")
    config = HashShardedWriteConfig(
        s3_prefix=f"file://{tmp_path}/written",
        num_dbs=3,
        key_encoding="utf8",
        vector_spec=VectorSpec(16, metric="l2"),
    )
    taken: PythonRecordInput[dict[str, Any]] = PythonRecordInput(
        lambda row: row["key"],
        lambda row: row["value"].encode(),
        vector_fn=lambda row: (row["id"], row["vector"], row["payload"]),
    )
    write_hash_sharded(rows, config, taken)
    assert shards_of(tmp_path / "written") == shards_of(tmp_path / "built")


def test_writers_in_several_threads(tmp_path: pathlib.Path) -> None:
    failures: list[BaseException] = []

    def write(name: str) -> None:
        try:
            config = HashShardedWriteConfig(s3_prefix=f"file://{tmp_path}/{name}", num_dbs=2)
            write_hash_sharded(range(20_000), config, PythonRecordInput(lambda row: row, lambda row: str(row).encode()))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    first, *others = (shards_of(tmp_path / name) for name in "abcd")
    assert all(other == first for other in others)


# 200,000 rows of 1 kB in a budget of 48 MiB; what importing and a first small run take does not count.
BOUNDED = """
import sys, threading
from shardyfusion import HashShardedWriteConfig, PythonRecordInput
from shardyfusion._runtime import configure_runtime
from shardyfusion.writer.python import write_hash_sharded
configure_runtime(memory_budget_bytes=48 << 20)
take = PythonRecordInput(lambda row: row, lambda row: row.to_bytes(8, "big") * 128)
def write(name, count):
    config = HashShardedWriteConfig(s3_prefix=f"file://{sys.argv[1]}/{name}", num_dbs=8)
    return write_hash_sharded((row for row in range(count)), config, take)
def allocated():  # in MiB; pages of files that are mapped are the system's to take back
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon:")) >> 10
write("small", 100)
before, most, over = allocated(), 0, threading.Event()
def watch():
    global most
    while not over.wait(0.005):
        most = max(most, allocated())
watcher = threading.Thread(target=watch)
watcher.start()
result = write("large", 200_000)
over.set()
watcher.join()
print(result.stats.rows_written, most - before)
"""


@pytest.mark.skipif("ASAN_OPTIONS" in os.environ, reason="the sanitizer keeps what was freed: memory is not bounded")
def test_memory_is_bounded(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-W", "error", "-c", BOUNDED, str(tmp_path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows, grown = map(int, printed.split())
    assert rows == 200_000
    assert 0 < grown < 80, f"{grown} MiB more for rows of 200 MiB in a budget of 48 MiB"


# A long run that is interrupted as a terminal does it: from outside, and the process ends of KeyboardInterrupt.
ENDLESS = """
import itertools, sys
from shardyfusion import HashShardedWriteConfig, PythonRecordInput
from shardyfusion.writer.python import write_hash_sharded
def rows():
    for row in itertools.count():
        if row == 50_000:
            print("begun", flush=True)
        yield row
config = HashShardedWriteConfig(s3_prefix=f"file://{sys.argv[1]}/snapshot", num_dbs=8)
write_hash_sharded(rows(), config, PythonRecordInput(lambda row: row, lambda row: b"x" * 100))
"""


def test_ctrl_c_of_a_process(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-W", "error", "-c", ENDLESS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        process.send_signal(2)
        _, said = process.communicate()
    assert process.returncode == -2 and said.rstrip().endswith("KeyboardInterrupt"), said
    left = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != ".shardy-lock"]
    assert [path.name for path in left] == ["run.yaml"] and b"status: failed" in left[0].read_bytes()
