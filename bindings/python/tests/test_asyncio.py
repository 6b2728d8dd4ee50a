"""Calls in one event loop: asyncio's and uvloop's."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import inspect
import pathlib
import weakref
from typing import Any

import pytest
import stress_support as support

from shardyfusion.errors import ConfigValidationError, ReaderStateError
from shardyfusion.reader import AsyncShardedReader, AsyncShardReaderHandle, AsyncUnifiedShardedReader


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> support.Run[Any]:
    return support.runner(request.param)


@pytest.fixture(scope="module")
def rows() -> dict[str, bytes | None]:
    return support.all_rows()


def test_every_method_is_a_coroutine_function() -> None:
    for name in ("open", "get", "multi_get", "search", "batch_search", "refresh", "close"):
        assert inspect.iscoroutinefunction(getattr(AsyncUnifiedShardedReader, name)), name
    for name in ("get", "multi_get"):
        assert inspect.iscoroutinefunction(getattr(AsyncShardReaderHandle, name)), name


def test_the_calls_one_after_the_other(
    run: support.Run[Any], tmp_path: pathlib.Path, rows: dict[str, bytes | None]
) -> None:
    async def main() -> None:
        async with await support.open_async(tmp_path) as reader:
            assert await reader.get("0ad") == rows["0ad"]
            assert await reader.get("no such package") is None
            assert await reader.multi_get(list(rows)) == rows
            response = await reader.search(support.QUERY, 3)
            assert len(response.results) == 3 and response.num_shards_queried == 2
            batch = await reader.batch_search([support.QUERY] * 2, 3)  # type: ignore[arg-type]
            assert [one.results for one in batch] == [response.results] * 2
            assert await reader.refresh() is False
        with pytest.raises(ReaderStateError, match="closed"):
            await reader.get("0ad")
        await reader.close()
        assert support.inflight() == 0

    run(main())


def test_what_the_calls_return_works_everywhere(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    async def main() -> None:
        reader = await support.open_async(tmp_path)
        wanted = [hit.id for hit in (await reader.search(support.QUERY, 2)).results]

        def search() -> Any:
            return reader.search(support.QUERY, 2)

        gathered = await asyncio.gather(reader.get("0ad"), search(), return_exceptions=True)
        assert isinstance(gathered[0], bytes)
        assert [hit.id for hit in gathered[1].results] == wanted  # type: ignore[union-attr]
        assert await asyncio.create_task(reader.get("0ad")) == gathered[0]
        assert await asyncio.wait_for(search(), support.PATIENCE)
        async with asyncio.timeout(support.PATIENCE), asyncio.TaskGroup() as group:
            tasks = [group.create_task(search()), group.create_task(reader.get("0ad"))]
        assert tasks[1].result() == gathered[0]
        done, pending = await asyncio.wait([asyncio.ensure_future(search()) for _ in range(10)])
        assert len(done) == 10 and not pending
        for earliest in asyncio.as_completed([search() for _ in range(10)]):
            assert [hit.id for hit in (await earliest).results] == wanted
        assert await asyncio.shield(reader.get("0ad")) == gathered[0]
        await reader.close()

    run(main())


def test_a_resident_key_takes_no_turn_of_the_loop(
    run: support.Run[Any], tmp_path: pathlib.Path, rows: dict[str, bytes | None]
) -> None:
    async def main() -> None:
        reader = await support.open_async(tmp_path)
        loop, turns = asyncio.get_running_loop(), 0

        def turn() -> None:
            nonlocal turns
            turns += 1
            loop.call_soon(turn)

        turn()
        for key, value in rows.items():
            assert await reader.get(key) == value
        assert len(await reader.multi_get(list(rows)[:128])) == 128
        assert turns == 1
        await asyncio.sleep(0)
        assert turns > 1  # it does count
        await reader.close()

    run(main())


def test_a_resident_key_needs_no_loop_at_all(tmp_path: pathlib.Path, rows: dict[str, bytes | None]) -> None:
    reader = asyncio.run(support.open_async(tmp_path))
    with pytest.raises(StopIteration) as stopped:
        reader.get("0ad").send(None)
    assert stopped.value.value == rows["0ad"]
    asyncio.run(reader.close())


def test_context_variables_survive(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    name: contextvars.ContextVar[int] = contextvars.ContextVar("name")

    async def main() -> None:
        reader = await support.open_async(tmp_path)

        async def one(number: int) -> int:
            name.set(number)
            await reader.search(support.QUERY, 1)
            await reader.get("0ad")
            return name.get()

        assert await support.all_of([asyncio.create_task(one(i)) for i in range(100)]) == list(range(100))
        name.set(-1)
        await reader.close()
        assert name.get() == -1

    run(main())


def test_errors_arrive_and_leave_no_cycle(run: support.Run[Any], tmp_path: pathlib.Path) -> None:
    """An error of an operation must not wait for the garbage collector."""
    async def main() -> None:
        reader = await support.open_async(tmp_path)
        gc.disable()
        try:
            try:
                await reader.search([1.0, 2.0], 1)  # type: ignore[arg-type]
            except ConfigValidationError as error:
                seen = weakref.ref(error)
            await asyncio.sleep(0)  # the loop's handle of this turn has the future
            assert seen() is None
        finally:
            gc.enable()
        await reader.close()

    run(main())


def test_a_loop_that_cannot_watch_is_refused(tmp_path: pathlib.Path) -> None:
    class Blind(asyncio.SelectorEventLoop):
        def add_reader(self, *arguments: object) -> None:
            raise NotImplementedError("no descriptors here")

    for _ in range(2):
        loop = Blind()
        try:
            assert support.inflight() == 0  # and what earlier loops left is gone
            before = support.descriptors()
            with pytest.raises(NotImplementedError):
                loop.run_until_complete(AsyncShardedReader.open(s3_prefix=str(tmp_path), local_root=str(tmp_path)))
            assert support.descriptors() == before
        finally:
            loop.close()
