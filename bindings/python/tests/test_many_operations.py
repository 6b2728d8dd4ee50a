"""Ten thousand operations at once, and more than the core has places for."""

from __future__ import annotations

import asyncio
import pathlib
from typing import Any

import pytest
import stress_support as support

from shardyfusion import _process
from shardyfusion.reader import AsyncUnifiedShardedReader


@pytest.fixture(params=["asyncio", "uvloop"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def rows() -> dict[str, bytes | None]:
    return support.all_rows()


def test_ten_thousand_gets(kind: str, tmp_path: pathlib.Path, rows: dict[str, bytes | None]) -> None:
    keys = [list(rows)[i % len(rows)] for i in range(10_000)]

    async def main() -> None:
        async with await support.open_async(tmp_path) as reader:
            assert await support.all_of([reader.get(key) for key in keys]) == [rows[key] for key in keys]

    support.runner(kind)(main())


def test_ten_thousand_searches_and_lookups_on_workers(
    kind: str, tmp_path: pathlib.Path, rows: dict[str, bytes | None]
) -> None:
    keys = list(rows)[:150]
    wanted = {key: rows[key] for key in keys}

    async def main() -> None:
        async with await support.open_async(tmp_path) as reader:
            found = (await reader.search(support.QUERY, 3)).results

            async def search() -> bool:
                return (await reader.search(support.QUERY, 3)).results == found

            async def look_up() -> bool:
                return await reader.multi_get(keys) == wanted  # type: ignore[comparison-overlap, arg-type]

            calls: list[Any] = [search() if i % 2 else look_up() for i in range(10_000)]
            tasks = [asyncio.ensure_future(call) for call in calls]
            await asyncio.sleep(0)
            assert support.inflight() > 1000  # they do run side by side
            assert all(await support.all_of(tasks))  # type: ignore[arg-type]

    support.runner(kind)(main())
    assert support.inflight() == 0


def test_from_a_store(kind: str, s3_data: str, tmp_path: pathlib.Path, rows: dict[str, bytes | None]) -> None:
    keys: Any = list(rows)

    async def main() -> None:
        reader = await AsyncUnifiedShardedReader.open(s3_prefix=f"{s3_data}/packages-1k", local_root=str(tmp_path))
        calls: list[Any] = [reader.multi_get(keys) for _ in range(50)] + [reader.get(key) for key in keys]
        assert await support.all_of(calls) == [rows] * 50 + list(rows.values())
        await reader.close()

    support.runner(kind)(main())


@pytest.mark.parametrize("places", [1, 3])
def test_calls_wait_for_a_place(
    kind: str, places: int, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """First come, first served; and none is tried much more often than there are completions."""
    monkeypatch.setattr(_process, "MAX_INFLIGHT", places)
    tries = 0

    async def main() -> None:
        reader = await support.open_async(tmp_path)
        core = reader._require()
        order: list[int] = []

        async def one(number: int) -> None:
            def submit(*arguments: Any) -> Any:
                nonlocal tries
                tries += 1
                operation = core.submit_search(*arguments)
                if operation is not None:
                    order.append(number)
                return operation

            await support.call_in_loop(submit, support.QUERY, 3, None, None, 0)

        await support.all_of([one(number) for number in range(3000)])
        assert order == list(range(3000))
        await reader.close()

    support.runner(kind)(main())
    assert tries < 4 * 3000
    assert support.inflight() == 0


def test_those_that_wait_in_another_loop_get_their_turn(tmp_path: pathlib.Path) -> None:
    """Places are the process's: here another queue holds all of them, and lets them go."""
    code = """
import asyncio, pathlib, sys, threading
import stress_support as support
from shardyfusion import _process
from shardyfusion.reader import AsyncUnifiedShardedReader
_process.MAX_INFLIGHT = 2
cache = pathlib.Path(sys.argv[1])
with support.hanging_server() as server:
    async def hold():
        opening = [asyncio.create_task(AsyncUnifiedShardedReader.open(local_root=str(cache), **server.options()))
                   for _ in range(2)]
        await asyncio.to_thread(server.was_asked)
        await support.until_async(lambda: support.inflight() == 2)
        held.set()
        await asyncio.to_thread(waits.wait)
        for task in opening:
            task.cancel()
        await asyncio.wait(opening)
    held, waits = threading.Event(), threading.Event()
    reader = support.runner(sys.argv[2])(support.open_async(cache))
    thread = threading.Thread(target=lambda: support.runner(sys.argv[2])(hold()))
    thread.start()
    held.wait()
    async def main():
        loop = asyncio.get_running_loop()
        searches = [asyncio.ensure_future(reader.search(support.QUERY, 3)) for _ in range(100)]
        await asyncio.sleep(0)
        assert not any(search.done() for search in searches)
        assert len(support.current().of_loop(loop).waiting) == 100
        for search in searches[::2]:
            search.cancel()
        waits.set()
        assert all(len(one.results) == 3 for one in await support.all_of(searches[1::2]))
        await reader.close()
    support.runner(sys.argv[2])(main())
    thread.join()
assert support.inflight() == 0
"""
    for name in ("asyncio", "uvloop"):
        ran = support.run_script(code, str(tmp_path), name)
        assert (ran.stderr, ran.stdout, ran.returncode) == ("", "", 0)
