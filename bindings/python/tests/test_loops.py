"""Several event loops: in threads, one after the other, closed or forgotten with calls on their way."""

from __future__ import annotations

import asyncio
import gc
import pathlib
import threading
import warnings
import weakref
from typing import Any

import pytest
import stress_support as support

KINDS = ["asyncio", "uvloop"]


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def rows() -> dict[str, bytes | None]:
    return support.all_rows()


def test_a_loop_each_in_many_threads(kind: str, tmp_path: pathlib.Path, rows: dict[str, bytes | None]) -> None:
    reader = support.runner(kind)(support.open_async(tmp_path))
    failures: list[BaseException] = []
    wanted = [hit.id for hit in support.runner(kind)(reader.search(support.QUERY, 5)).results]

    async def work() -> None:
        async def one(key: str) -> None:
            assert await reader.get(key) == rows[key]
            assert [hit.id for hit in (await reader.search(support.QUERY, 5)).results] == wanted

        await support.all_of([one(key) for key in list(rows)[:200]])
        assert await reader.multi_get(list(rows)) == rows

    def thread() -> None:
        try:
            for _ in range(3):
                support.runner(kind)(work())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=thread) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failures
    support.runner(kind)(reader.close())
    assert support.inflight() == 0


def test_one_reader_in_one_loop_after_the_other(tmp_path: pathlib.Path, rows: dict[str, bytes | None]) -> None:
    reader = asyncio.run(support.open_async(tmp_path))

    async def use() -> None:
        assert await reader.multi_get(list(rows)) == rows
        assert len((await reader.search(support.QUERY, 5)).results) == 5
        assert await reader.refresh() is False

    asyncio.run(use())
    for name in KINDS * 3:
        support.runner(name)(use())
    support.runner("uvloop")(reader.close())
    assert support.inflight() == 0


def begin_everything(loop: asyncio.AbstractEventLoop, reader: Any, opening: Any) -> list[asyncio.Task[Any]]:
    calls = [reader.search(support.QUERY, 5) for _ in range(50)]
    calls += [reader.multi_get([str(i) for i in range(1000)]) for _ in range(10)]
    calls += [reader.refresh(), opening]
    return [loop.create_task(call) for call in calls]


@pytest.mark.parametrize("keeps_tasks", [True, False])
def test_a_loop_closed_with_calls_on_their_way(kind: str, keeps_tasks: bool, tmp_path: pathlib.Path) -> None:
    with support.hanging_server() as server:
        reader = support.runner(kind)(support.open_async(tmp_path))
        for _ in range(3):
            loop = support.new_loop(kind)
            opening = type(reader).open(local_root=str(tmp_path), **server.options())
            tasks = begin_everything(loop, reader, opening)
            loop.run_until_complete(asyncio.sleep(0))
            server.was_asked()
            loop.close()
            for task in tasks:
                task._log_destroy_pending = False  # type: ignore[attr-defined]
            if not keeps_tasks:
                tasks.clear()
                gc.collect()
            # The next loop works, and what the closed one left behind is cancelled and over.
            assert len(support.runner(kind)(reader.search(support.QUERY, 5)).results) == 5
            support.until(lambda: support.inflight() == 0)
            server.was_left()
            tasks.clear()
            gc.collect()
        support.runner(kind)(reader.close())


def test_descriptors_of_closed_loops_are_used_again(kind: str, tmp_path: pathlib.Path) -> None:
    """A queue's number that another loop's queue gets next must not wake, or deafen, anybody."""
    reader = support.runner(kind)(support.open_async(tmp_path))
    counts = set()
    for _ in range(15):
        loop = support.new_loop(kind)
        task = loop.create_task(reader.search(support.QUERY, 5))
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
        task._log_destroy_pending = False  # type: ignore[attr-defined]
        del task
        assert len(support.runner(kind)(reader.search(support.QUERY, 5)).results) == 5
        support.until(lambda: support.inflight() == 0)
        counts.add(support.descriptors())
    assert len(counts) == 1
    support.runner(kind)(reader.close())


def test_a_loop_that_goes_on_later(kind: str, tmp_path: pathlib.Path) -> None:
    loop = support.new_loop(kind)
    reader = loop.run_until_complete(support.open_async(tmp_path))
    tasks = begin_everything(loop, reader, reader.get("0ad"))
    loop.run_until_complete(asyncio.sleep(0))
    assert len(support.runner(kind)(reader.search(support.QUERY, 5)).results) == 5  # another one meanwhile
    results = loop.run_until_complete(support.all_of(tasks))  # type: ignore[arg-type]
    assert len(results) == 62 and all(len(one.results) == 5 for one in results[:50])
    loop.run_until_complete(reader.close())
    loop.close()
    assert support.inflight() == 0


def test_made_in_one_loop_closed_in_another(kind: str, tmp_path: pathlib.Path) -> None:
    first, second = support.new_loop(kind), support.new_loop("asyncio")
    reader = first.run_until_complete(support.open_async(tmp_path))
    task = first.create_task(reader.search(support.QUERY, 5))
    first.run_until_complete(asyncio.sleep(0))
    second.run_until_complete(reader.close())  # waits for the search, which is the first loop's to hear of
    assert len(first.run_until_complete(task).results) == 5
    first.close()
    second.close()
    assert support.inflight() == 0


def test_a_forgotten_loop_is_collected(tmp_path: pathlib.Path) -> None:
    reader = asyncio.run(support.open_async(tmp_path))
    assert support.inflight() == 0
    before = support.descriptors()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        for _ in range(5):
            loop = asyncio.new_event_loop()
            loop.run_until_complete(reader.search(support.QUERY, 5))
            seen = weakref.ref(loop)
            del loop
            gc.collect()
            assert seen() is None
            assert support.inflight() == 0
            assert support.descriptors() == before
    asyncio.run(reader.close())
