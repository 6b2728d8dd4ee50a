"""What is opened and closed again leaves nothing: descriptors, threads, memory, objects."""

from __future__ import annotations

import asyncio
import gc
import os
import pathlib
import sys
import weakref
from typing import Any

import pytest
import stress_support as support


@pytest.fixture(params=["asyncio", "uvloop"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


ROUNDS = 1000
#: What allocators may keep, in KiB.
SLACK = 6_000


def bounded(before: int) -> bool:
    return support.SANITIZED or support.resident_kib() - before < SLACK


def test_a_thousand_async_readers(kind: str, tmp_path: pathlib.Path) -> None:
    async def once() -> None:
        async with await support.open_async(tmp_path) as reader:
            assert await reader.get("0ad")
            await reader.search(support.QUERY, 3)

    async def main() -> None:
        for _ in range(50):
            await once()
        before = support.descriptors(), support.threads()
        memory = support.resident_kib()
        for _ in range(ROUNDS):
            await once()
        assert (support.descriptors(), support.threads()) == before
        assert bounded(memory)

    support.runner(kind)(main())
    assert support.inflight() == 0


def test_a_thousand_sync_readers(tmp_path: pathlib.Path) -> None:
    def once() -> None:
        with support.open_sync(tmp_path) as reader:
            assert reader.get("0ad")
            reader.search(support.QUERY, 3)

    for _ in range(50):
        once()
    before = support.descriptors(), support.threads()
    memory = support.resident_kib()
    for _ in range(ROUNDS):
        once()
    assert (support.descriptors(), support.threads()) == before
    assert bounded(memory)
    assert support.inflight() == 0


def test_readers_that_nobody_closes(tmp_path: pathlib.Path) -> None:
    support.open_sync(tmp_path)
    assert support.inflight() == 0
    before = support.descriptors()
    for _ in range(100):
        reader = support.open_sync(tmp_path)
        seen = weakref.ref(reader)
        del reader
        assert seen() is None  # no cycle
    assert support.descriptors() == before


def test_a_hundred_loops(kind: str, tmp_path: pathlib.Path) -> None:
    reader = support.runner(kind)(support.open_async(tmp_path))
    counts = set()
    for _ in range(100):
        support.runner(kind)(reader.search(support.QUERY, 3))
        counts.add(len(os.listdir("/proc/self/fd")))
    gc.collect()
    assert max(counts) - min(counts) <= (0 if kind == "asyncio" else 20)
    support.runner(kind)(reader.close())


def test_ten_thousand_searches(kind: str, tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        reader = await support.open_async(tmp_path)
        query, keys, shards = list(support.QUERY), [str(i) for i in range(200)], [0, 1]
        held: list[Any] = [query, keys, keys[7], shards, reader, reader._require(), asyncio.Future]

        async def some(count: int) -> None:
            for _ in range(count // 100):
                calls: list[Any] = [reader.search(query, 3, shard_ids=shards) for _ in range(98)]  # type: ignore[arg-type]
                calls += [reader.multi_get(keys), reader.search([1.0], 3)]  # type: ignore[list-item, arg-type]
                await asyncio.gather(*calls, return_exceptions=True)

        await some(1000)
        blocks, counts = support.blocks(), [sys.getrefcount(one) for one in held]
        objects = len(gc.get_objects())
        await some(10_000)
        assert abs(support.blocks() - blocks) < 200
        assert abs(len(gc.get_objects()) - objects) < 50
        assert [sys.getrefcount(one) for one in held] == counts
        await reader.close()

    support.runner(kind)(main())


def test_results_outlive_everything(kind: str, tmp_path: pathlib.Path) -> None:
    code = """
import asyncio, pathlib, sys
import stress_support as support
from shardyfusion import _runtime
cache = pathlib.Path(sys.argv[1])
async def main():
    async with await support.open_async(cache) as reader:
        return (await reader.get("0ad"), await reader.search(support.QUERY, 3), reader.snapshot_info(),
                reader.shard_details(), reader.reader_for_key("0ad"))
value, response, info, details, handle = support.runner(sys.argv[2])(main())
import gc; gc.collect()
before = repr((value, response, info, details))
handle.close()
_runtime._at_exit()  # the core's threads are gone, and the mapped files with them
assert support.threads() == 1
assert repr((value, response, info, details)) == before and len(response.results) == 3
"""
    ran = support.run_script(code, str(tmp_path), kind)
    assert (ran.stderr, ran.stdout, ran.returncode) == ("", "", 0)
