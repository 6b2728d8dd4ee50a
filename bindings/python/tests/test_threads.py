"""Synchronous readers in threads, and Ctrl-C."""

from __future__ import annotations

import asyncio
import pathlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import stress_support as support

from shardyfusion import _process
from shardyfusion.errors import ReaderStateError
from shardyfusion.reader import UnifiedShardedReader


def in_threads(count: int, work: Callable[[int], None]) -> None:
    """Runs `work(number)` in so many threads; raises what the first failing one raised."""
    failures: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.fixture(scope="module")
def rows() -> dict[str, bytes | None]:
    return support.all_rows()


def use(reader: UnifiedShardedReader, rows: dict[str, bytes | None], wanted: list[Any], number: int) -> None:
    keys = list(rows)
    for i in range(100):
        key = keys[(number * 100 + i) % len(keys)]
        assert reader.get(key) == rows[key]
        assert reader.multi_get(keys[i : i + 200]) == {key: rows[key] for key in keys[i : i + 200]}
        assert reader.search(support.QUERY, 5).results == wanted
        assert reader.refresh() is False if i % 25 == 0 else True


def test_one_reader_in_sixteen_threads(tmp_path: pathlib.Path, rows: dict[str, bytes | None]) -> None:
    with support.open_sync(tmp_path) as reader:
        wanted = reader.search(support.QUERY, 5).results
        in_threads(16, lambda number: use(reader, rows, wanted, number))
    assert support.inflight() == 0


def test_threads_wait_for_a_free_place(
    tmp_path: pathlib.Path, rows: dict[str, bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
import pathlib, sys
import stress_support as support, test_threads
from shardyfusion import _process
_process.MAX_INFLIGHT = 2
with support.open_sync(pathlib.Path(sys.argv[1])) as reader:
    rows, wanted = support.all_rows(), reader.search(support.QUERY, 5).results
    test_threads.in_threads(8, lambda number: test_threads.use(reader, rows, wanted, number))
"""
    ran = support.run_script(code, str(tmp_path))
    assert (ran.stderr, ran.stdout, ran.returncode) == ("", "", 0)


def test_closed_while_threads_read(tmp_path: pathlib.Path) -> None:
    """Each call gives its result or says that the reader is closed; several threads may close it."""
    for _ in range(10):
        reader = support.open_sync(tmp_path)
        begun = threading.Barrier(8)

        def work(number: int, reader: UnifiedShardedReader = reader, begun: threading.Barrier = begun) -> None:
            begun.wait()
            if number % 4 == 0:
                reader.close()
                return
            while True:
                try:
                    assert reader.get("0ad") and len(reader.search(support.QUERY, 3).results) == 3
                except ReaderStateError:
                    return

        in_threads(8, work)
    assert support.inflight() == 0


@pytest.fixture
def interrupting() -> Iterator[Callable[[Callable[[], None]], threading.Thread]]:
    """Starts a thread that sends SIGINT to the main thread once the function that it is given has returned."""
    threads = []

    def start(when: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            when()
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        threads.append(threading.Thread(target=run))
        threads[-1].start()
        return threads[-1]

    yield start
    for thread in threads:
        thread.join()


def test_ctrl_c_while_it_opens(tmp_path: pathlib.Path, interrupting: Any) -> None:
    with support.hanging_server() as server:
        for _ in range(3):
            interrupting(server.was_asked)
            with pytest.raises(KeyboardInterrupt):
                UnifiedShardedReader(local_root=str(tmp_path), **server.options())
            server.was_left()
            assert support.inflight() == 0


def test_ctrl_c_while_it_refreshes(tmp_path: pathlib.Path, interrupting: Any) -> None:
    with support.file_server() as server:
        reader = UnifiedShardedReader(local_root=str(tmp_path), **server.options())
        server.hangs = True
        interrupting(server.was_asked)
        with pytest.raises(KeyboardInterrupt):
            reader.refresh()
        assert reader.get("0ad")
        reader.close()
    assert support.inflight() == 0


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
def test_ctrl_c_in_a_loop(kind: str, tmp_path: pathlib.Path, interrupting: Any) -> None:
    from shardyfusion.reader import AsyncUnifiedShardedReader

    async def tick() -> None:
        while True:
            await asyncio.sleep(0.05)

    async def opening() -> None:
        # A signal right before the loop waits is not noticed before it has something to do: so it has.
        ticking = asyncio.create_task(tick())
        await AsyncUnifiedShardedReader.open(local_root=str(tmp_path), **server.options())
        ticking.cancel()

    with support.hanging_server() as server:
        interrupting(server.was_asked)
        with pytest.raises(KeyboardInterrupt):
            support.runner(kind)(opening())
        support.until(lambda: support.inflight() == 0)
        server.was_left()


class LateError(Exception):
    pass


def test_a_handler_that_raises_something_else(tmp_path: pathlib.Path) -> None:
    def handler(*_: object) -> None:
        raise LateError

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with support.hanging_server() as server:

            def interrupt() -> None:
                server.was_asked()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(LateError):
                UnifiedShardedReader(local_root=str(tmp_path), **server.options())
            thread.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert support.inflight() == 0


def test_queues_of_threads_are_used_again(tmp_path: pathlib.Path) -> None:
    with support.open_sync(tmp_path) as reader:

        def work(number: int) -> None:
            for _ in range(5):
                reader.search(support.QUERY, 3)

        for _ in range(3):
            in_threads(30, work)
        process = support.current()
        assert not process._borrowed
        assert 1 <= len(process._idle) <= _process._IDLE_QUEUES
        before = support.descriptors()
        in_threads(16, work)
        assert support.descriptors() <= before + _process._IDLE_QUEUES
