"""Cancelled tasks and time limits: the core hears of them, and nothing is left behind."""

from __future__ import annotations

import asyncio
import pathlib
import random
from typing import Any

import pytest
import stress_support as support

from shardyfusion import _process
from shardyfusion.errors import ReaderStateError
from shardyfusion.reader import AsyncUnifiedShardedReader


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> support.Run[Any]:
    return support.runner(request.param)


def hanging_open(server: support.HangingServer, cache: pathlib.Path) -> Any:
    return AsyncUnifiedShardedReader.open(local_root=str(cache), **server.options())


def test_a_cancelled_open(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        with support.hanging_server() as server:
            task = asyncio.create_task(hanging_open(server, tmp_path))
            await asyncio.to_thread(server.was_asked)
            assert support.inflight() == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.was_left)  # the core has closed its connection
            await support.until_async(lambda: support.inflight() == 0)

    run(main())


def test_time_limits_reach_the_core(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        with support.hanging_server() as server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.05):
                    await hanging_open(server, tmp_path)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(hanging_open(server, tmp_path), 0.05)
            with pytest.raises(ExceptionGroup):
                async with asyncio.TaskGroup() as group:
                    group.create_task(hanging_open(server, tmp_path))
                    await asyncio.to_thread(server.was_asked)
                    raise ZeroDivisionError  # the group cancels the others
            await support.until_async(lambda: support.inflight() == 0)

    run(main())


def test_cancelled_refresh_and_close(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        with support.file_server() as server:
            reader = await AsyncUnifiedShardedReader.open(local_root=str(tmp_path), **server.options())
            value = await reader.get("0ad")
            assert value is not None and await reader.refresh() is False
            server.hangs = True
            task = asyncio.create_task(reader.refresh())
            await asyncio.to_thread(server.was_asked)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await support.until_async(lambda: support.inflight() == 0)
            assert await reader.get("0ad") == value  # the old snapshot is served on
            refreshing = asyncio.create_task(reader.refresh())
            await asyncio.to_thread(server.was_asked)
            closing = asyncio.create_task(reader.close())  # waits for the refresh
            await asyncio.sleep(0)
            assert support.inflight() == 2
            closing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await closing
            with pytest.raises(ReaderStateError, match="closed"):
                await reader.get("0ad")
            refreshing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await refreshing
            await support.until_async(lambda: support.inflight() == 0)
            await reader.close()

    run(main())


def test_cancelled_searches(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        reader = await support.open_async(tmp_path)
        for _ in range(20):
            tasks = [asyncio.create_task(reader.batch_search([support.QUERY] * 100, 5)) for _ in range(10)]
            await asyncio.sleep(0)
            for task in tasks[::2]:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
            assert all(isinstance(result, list) and len(result) == 100 for result in results[1::2])
        await support.until_async(lambda: support.inflight() == 0)
        await reader.close()

    run(main())


def test_a_storm(run: support.Run[Any], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand tasks, each cancelled at some point; those that were not give right answers."""
    dice = random.Random(7)
    monkeypatch.setattr(_process, "MAX_INFLIGHT", 50)  # many of them wait for a place

    async def main() -> None:
        reader = await support.open_async(tmp_path)
        wanted = [hit.id for hit in (await reader.search(support.QUERY, 5)).results]
        keys = [str(i) for i in range(500)]

        async def one() -> bool:
            for _ in range(3):
                assert [hit.id for hit in (await reader.search(support.QUERY, 5)).results] == wanted
                assert len(await reader.multi_get(keys)) == 500
            return True

        tasks = [asyncio.create_task(one()) for _ in range(1000)]
        victims = dice.sample(tasks, 700)
        while victims:
            for victim in victims[-40:]:
                victim.cancel()
            del victims[-40:]
            for _ in range(dice.randrange(4)):
                await asyncio.sleep(0)
        async with asyncio.timeout(support.PATIENCE):
            results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result is True or isinstance(result, asyncio.CancelledError) for result in results)
        assert results.count(True) >= 300
        await support.until_async(lambda: support.inflight() == 0)
        await reader.close()

    run(main())


def test_a_coroutine_that_is_closed_while_it_waits(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        with support.hanging_server() as server:
            loop = asyncio.get_running_loop()
            complaints: list[object] = []
            loop.set_exception_handler(lambda _, context: complaints.append(context))
            opening = hanging_open(server, tmp_path)
            future = opening.send(None)
            await asyncio.to_thread(server.was_asked)
            opening.close()
            await support.until_async(lambda: support.inflight() == 0)
            assert not future.done()
            del future, opening
            assert not complaints

    run(main())
