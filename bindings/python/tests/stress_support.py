"""What the tests of loops, threads, forks and ends share."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.server
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import pytest

from shardyfusion._runtime import runtime_stats
from shardyfusion.credentials import StaticCredentialProvider
from shardyfusion.reader import UnifiedShardedReader
from shardyfusion.reader.async_unified_reader import AsyncUnifiedShardedReader
from shardyfusion.type_defs import S3ConnectionOptions

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

ROOT = pathlib.Path(__file__).parents[3]
SNAPSHOT = ROOT / "tests" / "data" / "packages-1k"
#: The long forms of some tests.
FULL = os.environ.get("SHF_STRESS_FULL") == "1"
SANITIZED = "asan" in os.environ.get("LD_PRELOAD", "") or "tsan" in os.environ.get("LD_PRELOAD", "")
#: Nothing here takes a second; this ends what hangs.
PATIENCE = 120.0 if SANITIZED else 30.0


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    """An event loop of asyncio or uvloop."""
    if kind == "asyncio":
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = pytest.importorskip("uvloop").new_event_loop()
    return loop


def runner(kind: str) -> Run[Any]:
    """As asyncio.run, in a loop of that kind."""

    def run(coroutine: Coroutine[Any, Any, T]) -> T:
        with asyncio.Runner(loop_factory=lambda: new_loop(kind)) as made:
            return made.run(coroutine)

    return run


async def open_async(cache: pathlib.Path, **named: Any) -> AsyncUnifiedShardedReader:
    """A reader of packages-1k in files, resident from the start."""
    opened = await AsyncUnifiedShardedReader.open(s3_prefix=str(SNAPSHOT), local_root=str(cache), **named)
    assert isinstance(opened, AsyncUnifiedShardedReader)
    return opened


def open_sync(cache: pathlib.Path) -> UnifiedShardedReader:
    """The same, synchronous."""
    return UnifiedShardedReader(s3_prefix=str(SNAPSHOT), local_root=str(cache))


def all_rows() -> dict[str, bytes | None]:
    """What packages-1k holds for the 3,000 keys of samples: a third is there."""
    keys = [json.loads(line)["key"] for line in (ROOT / "samples" / "packages.jsonl").read_text().splitlines()]
    with tempfile.TemporaryDirectory() as cache, open_sync(pathlib.Path(cache)) as reader:
        rows: dict[str, bytes | None] = dict(reader.multi_get(keys))  # type: ignore[arg-type]
    assert sum(value is not None for value in rows.values()) == 1000
    return rows


QUERY: Any = [1.0] + [0.0] * 383


def reader_options(port: int) -> dict[str, Any]:
    """Arguments of a reader of a server on this machine."""
    return {
        "s3_prefix": "s3://bucket/prefix",
        "s3_connection_options": S3ConnectionOptions(endpoint_url=f"http://127.0.0.1:{port}"),
        "credential_provider": StaticCredentialProvider("key", "secret"),
    }


class HangingServer:
    """Accepts connections, reads what is sent, and never answers."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._asked = threading.Semaphore(0)
        self._hung_up = threading.Semaphore(0)
        self._accepted: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._accepted.append(connection)
            self._threads.append(threading.Thread(target=self._read, args=(connection,)))
            self._threads[-1].start()

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if connection.recv(65536):
                self._asked.release()
            while connection.recv(65536):
                pass
        self._hung_up.release()

    def was_asked(self: HangingServer | FileServer) -> None:
        """Returns once a request has arrived; one call a request."""
        assert self._asked.acquire(timeout=PATIENCE)

    def was_left(self) -> None:
        """Returns once the client has closed a connection."""
        assert self._hung_up.acquire(timeout=PATIENCE)

    def options(self) -> dict[str, Any]:
        """Arguments of a reader that hangs while it opens."""
        return reader_options(self.port())

    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """Ends its threads."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for connection in self._accepted:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for connection in self._accepted:
            connection.close()


@contextlib.contextmanager
def hanging_server() -> Iterator[HangingServer]:
    """A server that never answers."""
    server = HangingServer()
    try:
        yield server
    finally:
        server.close()


def inflight() -> int:
    """Operations that the core has accepted and that are not over."""
    return runtime_stats()["inflight_ops"]


def until(condition: Callable[[], bool]) -> None:
    """Returns once `condition` holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.001)


async def until_async(condition: Callable[[], bool]) -> None:
    """The same, while the loop goes on."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        await asyncio.sleep(0.001)


async def all_of(awaitables: list[Awaitable[T]]) -> list[T]:
    """asyncio.gather, with a bound for what hangs."""
    async with asyncio.timeout(PATIENCE):
        return list(await asyncio.gather(*awaitables))


def descriptors() -> int:
    """Open file descriptors of this process, without those that only the garbage collector closes."""
    gc.collect()
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """Threads of this process, the core's too."""
    return len(os.listdir("/proc/self/task"))


def resident_kib() -> int:
    """Memory of this process that is in RAM."""
    status = pathlib.Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


def blocks() -> int:
    """Blocks that Python's allocator has handed out."""
    gc.collect()
    return sys.getallocatedblocks()


def run_script(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of its own; what hangs is ended with the tracebacks of its threads."""
    hang = f"import faulthandler; faulthandler.dump_traceback_later({PATIENCE}, exit=True)\n"
    return subprocess.run(
        [sys.executable, "-c", hang + code, *arguments],
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
        cwd=pathlib.Path(__file__).parent,
    )


def in_child(function: Callable[[], str]) -> str:
    """What `function` returns in a child of fork, which then ends at once."""
    import faulthandler

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            faulthandler.dump_traceback_later(PATIENCE, exit=True)
            os.write(writing, function().encode())
            code = 0
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(code)
    os.close(writing)
    with open(reading, "rb") as pipe:
        told = pipe.read().decode()
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0, told
    return told


class FileServer:
    """As much of S3 as a reader of packages-1k asks for, until it is told to hang."""

    def __init__(self) -> None:
        self.hangs = False
        self._asked = threading.Semaphore(0)
        self._let_go = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                if outer.hangs:
                    outer._asked.release()
                    outer._let_go.wait()
                    self.close_connection = True
                    return
                path = SNAPSHOT / urllib.parse.unquote(self.path.split("?")[0]).removeprefix("/bucket/prefix/")
                body, status = (path.read_bytes(), 200) if path.is_file() else (b"", 404)
                total = len(body)
                asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
                if asked and status == 200:
                    first, last = int(asked[1]), min(int(asked[2] or total), total - 1)
                    body, status = body[first : last + 1], 206
                self.send_response(status)
                if status == 206:
                    self.send_header("Content-Range", f"bytes {first}-{last}/{total}")
                self.send_header("ETag", f'"{path.name}-{total}"')
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body if self.command == "GET" else b"")

            do_HEAD = do_GET  # noqa: N815

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    was_asked = HangingServer.was_asked

    def options(self) -> dict[str, Any]:
        """Arguments of a reader of it."""
        return reader_options(self._server.server_port)

    def close(self) -> None:
        """Ends its threads; what hangs is cut off."""
        self._let_go.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@contextlib.contextmanager
def file_server() -> Iterator[FileServer]:
    """A server that can be told to hang."""
    server = FileServer()
    try:
        yield server
    finally:
        server.close()
