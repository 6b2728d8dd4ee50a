"""Fork: a child cannot use its parent's readers, says so, and opens its own; the parent goes on."""

from __future__ import annotations

import asyncio
import multiprocessing
import pathlib
import signal
import threading
from typing import Any

import pytest
import stress_support as support

from shardyfusion.errors import ReaderStateError
from shardyfusion.reader import UnifiedShardedReader

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")


def inherited_sync(reader: UnifiedShardedReader, key: str = "0ad") -> str:
    """Every call of an inherited reader, and then its close."""
    calls: list[Any] = [
        lambda: reader.get(key),
        lambda: reader.multi_get([key]),
        lambda: reader.multi_get([str(i) for i in range(500)]),
        lambda: reader.search(support.QUERY, 3),
        lambda: reader.refresh(),
        lambda: reader.snapshot_info(),
        lambda: reader.reader_for_key(key),
    ]
    for call in calls:
        with pytest.raises(ReaderStateError, match="fork"):
            call()
    reader.close()
    with pytest.raises(ReaderStateError, match="closed"):
        reader.get(key)
    return "refused"


def inherited_async(reader: Any, kind: str) -> str:
    async def main() -> None:
        for call in (reader.get("0ad"), reader.search(support.QUERY, 3), reader.refresh()):
            with pytest.raises(ReaderStateError, match="fork"):
                await call
        await reader.close()

    support.runner(kind)(main())
    return "refused"


def own(cache: pathlib.Path) -> str:
    """What a child does with readers of its own."""
    with support.open_sync(cache) as reader:
        assert reader.get("0ad") and len(reader.search(support.QUERY, 3).results) == 3

    async def main() -> None:
        async with await support.open_async(cache) as opened:
            assert await opened.get("0ad")
            assert len((await opened.search(support.QUERY, 3)).results) == 3

    for kind in ("asyncio", "uvloop"):
        support.runner(kind)(main())
    assert support.inflight() == 0
    return "served"


def in_process(cache: str, told: Any) -> None:
    """The target of multiprocessing."""
    signal.alarm(int(support.PATIENCE))
    told.put(own(pathlib.Path(cache)))


def test_a_child(tmp_path: pathlib.Path) -> None:
    with support.open_sync(tmp_path) as reader:
        wanted = reader.search(support.QUERY, 3).results
        for _ in range(3):
            assert support.in_child(lambda: inherited_sync(reader) + own(tmp_path)) == "refusedserved"
            assert support.in_child(lambda: own(tmp_path) + inherited_sync(reader)) == "servedrefused"
            assert reader.search(support.QUERY, 3).results == wanted
        grandchild = support.in_child(lambda: own(tmp_path) + support.in_child(lambda: own(tmp_path)))
        assert grandchild == "servedserved"


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_a_child_between_two_loops(kind: str, tmp_path: pathlib.Path) -> None:
    reader = support.runner(kind)(support.open_async(tmp_path))
    told = support.in_child(lambda: inherited_async(reader, kind) + own(tmp_path))
    assert told == "refusedserved"
    assert len(support.runner(kind)(reader.search(support.QUERY, 3)).results) == 3
    support.runner(kind)(reader.close())


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_fork_in_a_running_loop(kind: str, tmp_path: pathlib.Path) -> None:
    """In an executor's thread, while the loop has searches and a hanging open on their way."""
    with support.hanging_server() as server:

        async def main() -> None:
            reader = await support.open_async(tmp_path)
            opening = asyncio.create_task(type(reader).open(local_root=str(tmp_path), **server.options()))
            await asyncio.to_thread(server.was_asked)
            for _ in range(3):
                searches = [asyncio.create_task(reader.search(support.QUERY, 3)) for _ in range(100)]
                await asyncio.sleep(0)
                told = await asyncio.get_running_loop().run_in_executor(None, support.in_child, lambda: own(tmp_path))
                assert told == "served"
                assert all(len(one.results) == 3 for one in await support.all_of(searches))  # type: ignore[arg-type]
            opening.cancel()
            await asyncio.wait([opening])
            await support.until_async(lambda: support.inflight() == 0)
            await reader.close()

        support.runner(kind)(main())


def test_fork_beside_threads_that_read(tmp_path: pathlib.Path) -> None:
    over = threading.Event()
    failures: list[BaseException] = []
    with support.open_sync(tmp_path) as reader:

        def work() -> None:
            try:
                while not over.is_set():
                    assert reader.get("0ad") and len(reader.search(support.QUERY, 3).results) == 3
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(40 if support.FULL else 5):
                assert support.in_child(lambda: inherited_sync(reader) + own(tmp_path)) == "refusedserved"
        finally:
            over.set()
            for thread in threads:
                thread.join()
    assert not failures


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(method: str, tmp_path: pathlib.Path) -> None:
    context: Any = multiprocessing.get_context(method)
    with support.open_sync(tmp_path) as reader:
        told = context.Queue()
        children = [context.Process(target=in_process, args=(str(tmp_path), told)) for _ in range(2)]
        for child in children:
            child.start()
        assert [told.get(timeout=support.PATIENCE) for _ in children] == ["served"] * 2
        for child in children:
            child.join(support.PATIENCE)
            assert child.exitcode == 0
            child.close()
        told.close()
        told.join_thread()
        assert len(reader.search(support.QUERY, 3).results) == 3


PRE_FORK = """
import asyncio, os, pathlib, signal, sys, warnings
import stress_support as support
from shardyfusion.errors import ReaderStateError
warnings.simplefilter("ignore", DeprecationWarning)
cache, kind = pathlib.Path(sys.argv[1]), sys.argv[2]
reader = support.runner(kind)(support.open_async(cache))  # "preload", before there are workers
assert support.runner(kind)(reader.get("0ad"))

async def serve():
    try:
        await reader.get("0ad")
    except ReaderStateError:
        own = await support.open_async(cache)
        await asyncio.gather(*(own.search(support.QUERY, 3) for _ in range(100)))
        sys.exit(3)  # with a reader open

workers = []
for _ in range(4):
    worker = os.fork()
    if worker == 0:
        signal.alarm(int(support.PATIENCE))
        support.runner(kind)(serve())
    workers.append(worker)
assert [os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]) for worker in workers] == [3] * 4
assert support.runner(kind)(reader.search(support.QUERY, 3)).results
"""


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_workers_of_a_server_that_preloads(kind: str, tmp_path: pathlib.Path) -> None:
    ran = support.run_script(PRE_FORK, str(tmp_path), kind)
    assert (ran.stderr, ran.stdout, ran.returncode) == ("", "", 0)


def test_children_leave_no_descriptors_in_the_parent(tmp_path: pathlib.Path) -> None:
    with support.open_sync(tmp_path) as reader:
        support.in_child(lambda: own(tmp_path))
        before = support.descriptors(), support.threads()
        for _ in range(5):
            support.in_child(lambda: inherited_sync(reader))
        assert (support.descriptors(), support.threads()) == before
