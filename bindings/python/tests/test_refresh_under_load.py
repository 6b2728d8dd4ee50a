"""Refresh while others read and snapshots appear: an answer belongs to one of them, and never to an older one."""

from __future__ import annotations

import asyncio
import json
import os
import pathlib
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest
import stress_support as support

from shardyfusion.reader import AsyncUnifiedShardedReader, UnifiedShardedReader

KEYS = [f"key-{i:03}" for i in range(300)]
GENERATIONS = 30 if support.FULL else 5


def publisher(shardy: str, folder: pathlib.Path) -> Callable[[int], None]:
    """A function that publishes a generation: each value, and each payload, is its number."""

    def publish(generation: int) -> None:
        rows = folder / f"rows-{generation}.jsonl"
        with rows.open("w") as out:
            for number, key in enumerate(KEYS):
                row = {"key": key, "value": str(generation), "id": key, "vector": [1.0, number, generation]}
                print(json.dumps({**row, "payload": {"generation": generation}}), file=out)
        command = [shardy, "build", str(rows), "--output", str(folder / "published"), "--num-dbs", "3"]
        environment = {**os.environ, "LD_PRELOAD": ""}
        subprocess.run(command, check=True, capture_output=True, env=environment, timeout=support.PATIENCE)

    return publish


def generation_of(values: dict[Any, bytes | None]) -> int:
    generations = set(values.values())
    assert len(values) == len(KEYS) and len(generations) == 1, generations
    return int(generations.pop() or b"")


def generation_found(response: Any) -> int:
    assert len(response.results) == 20
    generations = {hit.payload["generation"] for hit in response.results}
    assert len(generations) == 1
    return int(generations.pop())


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_in_a_loop(kind: str, shardy: str, tmp_path: pathlib.Path) -> None:
    publish = publisher(shardy, tmp_path)
    publish(0)

    async def main() -> None:
        reader: Any = await AsyncUnifiedShardedReader.open(
            s3_prefix=str(tmp_path / "published"), local_root=str(tmp_path / "cache")
        )
        is_over = False
        seen: set[int] = set()

        async def read(call: Callable[[], Any], told: Callable[[Any], int]) -> None:
            newest = 0
            while not is_over or newest < GENERATIONS:
                generation = told(await call())
                assert newest <= generation <= GENERATIONS
                newest = generation
                seen.add(generation)
                await asyncio.sleep(0)

        async def refresh() -> None:
            while not is_over:
                await reader.refresh()
            await reader.refresh()

        async with asyncio.timeout(support.PATIENCE), asyncio.TaskGroup() as group:
            for _ in range(5):
                group.create_task(read(lambda: reader.multi_get(KEYS), generation_of))
                group.create_task(read(lambda: reader.search([1.0, 5.0, 0.0], 20), generation_found))
                group.create_task(read(lambda: reader.get(KEYS[7]), int))
            for _ in range(2):
                group.create_task(refresh())
            for generation in range(1, GENERATIONS + 1):
                await asyncio.to_thread(publish, generation)
            is_over = True
        assert {0, GENERATIONS} <= seen
        await reader.close()

    support.runner(kind)(main())
    assert support.inflight() == 0


def test_in_threads(shardy: str, tmp_path: pathlib.Path) -> None:
    publish = publisher(shardy, tmp_path)
    publish(0)
    over = threading.Event()
    failures: list[BaseException] = []
    with UnifiedShardedReader(s3_prefix=str(tmp_path / "published"), local_root=str(tmp_path / "cache")) as reader:

        def read(call: Callable[[], Any], told: Callable[[Any], int]) -> None:
            newest = 0
            while not over.is_set() or newest < GENERATIONS:
                generation = told(call())
                assert newest <= generation <= GENERATIONS
                newest = generation

        def refresh() -> None:
            while not over.is_set():
                reader.refresh()
            reader.refresh()

        def run(work: Callable[[], None]) -> None:
            try:
                work()
            except BaseException as error:
                failures.append(error)

        works: list[Callable[[], None]] = [refresh, refresh]
        for _ in range(2):
            works.append(lambda: read(lambda: reader.multi_get(KEYS), generation_of))
            works.append(lambda: read(lambda: reader.search([1.0, 5.0, 0.0], 20), generation_found))
            works.append(lambda: read(lambda: reader.get(KEYS[7]), int))
        threads = [threading.Thread(target=run, args=(work,)) for work in works]
        for thread in threads:
            thread.start()
        for generation in range(1, GENERATIONS + 1):
            publish(generation)
        over.set()
        for thread in threads:
            thread.join()
    assert not failures
    assert support.inflight() == 0
