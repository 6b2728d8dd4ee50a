"""The end of the interpreter in awkward moments: it comes, with exit code 0 and without a word."""

from __future__ import annotations

import pathlib

import pytest
import stress_support as support

BEGIN = """
import asyncio, atexit, os, pathlib, sys, threading
import stress_support as support
cache = pathlib.Path(sys.argv[1])
kind = sys.argv[2]
if len(sys.argv) > 3:
    hanging = dict(local_root=str(cache), **support.reader_options(int(sys.argv[3])))

def started(function):
    thread = threading.Thread(target=function, daemon=True)
    thread.start()
    return thread

def forever(function):
    def run():
        while True:
            function()
            begun.set()
    begun = threading.Event()
    started(run)
    begun.wait()
"""

# Each leaves something behind that nobody ends.
STATES = {
    "async reader not closed": """
reader = support.runner(kind)(support.open_async(cache))
support.runner(kind)(reader.search(support.QUERY, 3))
""",
    "sync reader not closed": """
reader = support.open_sync(cache)
reader.search(support.QUERY, 3)
""",
    "handle, snapshot and results kept": """
reader = support.open_sync(cache)
handle, response, details = reader.reader_for_key("0ad"), reader.search(support.QUERY, 3), reader.shard_details()
assert handle.get(b"0ad")
reader.close()
""",
    "reader in a cycle": """
class Holder:
    def __del__(self):
        self.reader.close()
holder = Holder()
holder.me, holder.reader = holder, support.open_sync(cache)
asyncio.holder = Holder()
asyncio.holder.reader = support.open_sync(cache)
""",
    "reader used at exit": """
import shardyfusion
def late():
    assert reader.get("0ad")
    assert len(reader.search(support.QUERY, 3).results) == 3
    reader.close()
atexit.register(late)
reader = support.open_sync(cache)
""",
    "exit in a coroutine, calls on their way": """
async def main():
    reader = await support.open_async(cache)
    searches = [asyncio.ensure_future(reader.search(support.QUERY, 3)) for _ in range(100)]
    await asyncio.sleep(0)
    sys.exit(0)
support.runner(kind)(main())
""",
    "threads that look things up": """
reader = support.open_sync(cache)
keys = [str(i) for i in range(500)]
forever(lambda: reader.get("0ad"))
forever(lambda: reader.multi_get(keys[:100]))
forever(lambda: reader.multi_get(keys))
forever(lambda: reader.search(support.QUERY, 3))
""",
    "threads that open and close": """
def use():
    with support.open_sync(cache) as reader:
        assert len(reader.search(support.QUERY, 3).results) == 3
forever(use)
forever(use)
""",
    "loops in threads": """
reader = support.runner(kind)(support.open_async(cache))
async def use():
    begun.set()
    while True:
        await asyncio.gather(*(reader.search(support.QUERY, 3) for _ in range(20)))
begun = threading.Event()
started(lambda: support.runner(kind)(use()))
begun.wait()
forever(lambda: support.runner(kind)(reader.search(support.QUERY, 3)))
""",
    "a loop with nothing to do in a thread": """
reader = support.runner(kind)(support.open_async(cache))
begun = threading.Event()
async def use():
    await reader.search(support.QUERY, 3)
    begun.set()
    await asyncio.sleep(1000)
started(lambda: support.runner(kind)(use()))
begun.wait()
""",
    "child of fork ends by itself": """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
reader = support.open_sync(cache)
child = os.fork()
if child == 0:
    support.signal.alarm(int(support.PATIENCE))
    from shardyfusion.errors import ReaderStateError
    try:
        reader.get("0ad")
    except ReaderStateError:
        own = support.open_sync(cache)
        own.search(support.QUERY, 3)
        sys.exit(3)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3
assert len(reader.search(support.QUERY, 3).results) == 3
""",
}

# The same with a server that never answers.
HANGING = {
    "loop not closed, opening": """
from shardyfusion.reader import AsyncUnifiedShardedReader
loop = support.new_loop(kind)
reader = loop.run_until_complete(support.open_async(cache))
task = loop.create_task(AsyncUnifiedShardedReader.open(**hanging))
searches = [loop.create_task(reader.search(support.QUERY, 3)) for _ in range(100)]
loop.run_until_complete(asyncio.sleep(0))
""",
    "loop closed, opening": """
from shardyfusion.reader import AsyncUnifiedShardedReader
loop = support.new_loop(kind)
task = loop.create_task(AsyncUnifiedShardedReader.open(**hanging))
task._log_destroy_pending = False
loop.run_until_complete(asyncio.sleep(0))
loop.close()
""",
    "thread that opens": """
from shardyfusion.reader import UnifiedShardedReader
started(lambda: UnifiedShardedReader(**hanging))
support.until(lambda: support.inflight() == 1)
""",
    "loop in a thread that opens": """
from shardyfusion.reader import AsyncUnifiedShardedReader
started(lambda: support.runner(kind)(AsyncUnifiedShardedReader.open(**hanging)))
support.until(lambda: support.inflight() == 1)
""",
}


def ends_well(state: str, cache: pathlib.Path, kind: str, *more: str) -> None:
    ran = support.run_script(BEGIN + state, str(cache), kind, *more)
    assert (ran.stderr, ran.stdout, ran.returncode) == ("", "", 0)


@pytest.mark.parametrize("state", STATES)
def test_the_end(state: str, tmp_path: pathlib.Path) -> None:
    for _ in range(20 if support.FULL else 1):
        ends_well(STATES[state], tmp_path, "asyncio")


@pytest.mark.parametrize("state", [name for name in STATES if "runner" in STATES[name] or "new_loop" in STATES[name]])
def test_the_end_with_uvloop(state: str, tmp_path: pathlib.Path) -> None:
    for _ in range(20 if support.FULL else 1):
        ends_well(STATES[state], tmp_path, "uvloop")


@pytest.mark.parametrize("kind", ["asyncio", "uvloop"])
@pytest.mark.parametrize("state", HANGING)
def test_the_end_while_a_server_hangs(state: str, kind: str, tmp_path: pathlib.Path) -> None:
    with support.hanging_server() as server:
        ends_well(HANGING[state], tmp_path, kind, str(server.port()))


def test_an_exit_handler_that_runs_last(tmp_path: pathlib.Path) -> None:
    """One from before the package was imported: its readers are closed by then, and say so."""
    code = """
import atexit
def last():
    reader.close()
    try:
        support.open_sync(cache)
    except Exception as error:
        print(type(error).__name__, reader.health().is_closed)
atexit.register(last)
"""
    ran = support.run_script(code + BEGIN + "reader = support.open_sync(cache)", str(tmp_path), "asyncio")
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "ReaderStateError True\n", "")


def test_an_exception_with_calls_on_their_way(tmp_path: pathlib.Path) -> None:
    code = STATES["exit in a coroutine, calls on their way"].replace("sys.exit(0)", "raise KeyError('mine')")
    ran = support.run_script(BEGIN + code, str(tmp_path), "asyncio")
    assert ran.returncode == 1 and ran.stderr.endswith("KeyError: 'mine'\n") and ran.stderr.count("Traceback") == 1
