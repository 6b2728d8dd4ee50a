"""The C core's runtime of this process, and how calls wait for it: in an event loop, or in a thread."""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from shardyfusion._shardyfusion import Operation, Queue, Runtime
from shardyfusion.errors import ConfigValidationError, ReaderStateError

T = TypeVar("T")

#: Operations accepted and not yet finished; more wait in Python until there is a place.
_MAX_INFLIGHT = 65_536
#: Queues of threads that wait, kept for the next one.
_IDLE_QUEUES = 16
#: How long a call sleeps before it asks for a free place again, where nothing else would wake it.
_PLACE_SECONDS = 0.005

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


def _log(level: int, text: str) -> None:
    logging.getLogger("shardyfusion").log(_LEVELS.get(level, logging.WARNING), "%s", text)


@dataclass(slots=True)
class _Settings:
    worker_threads: int = 0
    memory_budget_bytes: int = 0


class _Process:
    """The runtime and its queues. After a fork the child makes one of its own."""

    def __init__(self, settings: _Settings) -> None:
        self.runtime = Runtime(
            worker_threads=settings.worker_threads,
            memory_budget_bytes=settings.memory_budget_bytes,
            max_inflight_ops=_MAX_INFLIGHT,
            log=_log,
        )
        self._lock = threading.Lock()
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Queue] = weakref.WeakKeyDictionary()
        self._watched: list[tuple[weakref.ref[asyncio.AbstractEventLoop], Queue]] = []
        self._idle: list[Queue] = []

    def loop_queue(self, loop: asyncio.AbstractEventLoop) -> Queue:
        """The queue that `loop` watches; made at its first call."""
        queue = self._loops.get(loop)
        return queue if queue is not None else self._watch(loop)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> Queue:
        queue = Queue(self.runtime, _MAX_INFLIGHT)
        with self._lock:
            self._forget_closed_loops()
            self._loops[loop] = queue
            self._watched.append((weakref.ref(loop), queue))
        loop.add_reader(queue.fileno(), queue.drain)
        return queue

    def _forget_closed_loops(self) -> None:
        """Ends what loops left behind that were closed with calls on their way; what is not over yet is met again."""
        kept = []
        for reference, queue in self._watched:
            loop = reference()
            if (loop is not None and not loop.is_closed()) or not queue.abandon():
                kept.append((reference, queue))
            elif loop is not None:
                self._loops.pop(loop, None)
        self._watched = kept

    def borrow(self) -> Queue:
        """A queue for one waiting thread, to be given back."""
        with self._lock:
            if self._idle:
                return self._idle.pop()
        return Queue(self.runtime, 4)

    def give_back(self, queue: Queue) -> None:
        with self._lock:
            if len(self._idle) < _IDLE_QUEUES:
                self._idle.append(queue)

    def close(self) -> bool:
        """Stops the threads, unless something is still in use."""
        with self._lock:
            for _, queue in self._watched:
                queue.abandon()
            self._watched.clear()
            self._loops.clear()
            self._idle.clear()
        return self.runtime.close()


_settings = _Settings()
_process: _Process | None = None
_process_lock = threading.Lock()


class _Closable(Protocol):
    def _drop(self) -> None: ...


_open_handles: weakref.WeakSet[_Closable] = weakref.WeakSet()


def current() -> _Process:
    """The runtime of this process, made at the first call."""
    global _process
    process = _process
    if process is None:
        with _process_lock:
            process = _process
            if process is None:
                _process = process = _Process(_settings)
    return process


def configure_runtime(*, worker_threads: int | None = None, memory_budget_bytes: int | None = None) -> None:
    """Sets the number of worker threads (default: one a core) and the memory budget in bytes (default: 1 GiB).

    The budget is for what the core allocates for data; mapped files are apart. Both hold for the whole process, so
    call it before the first reader or writer is opened; later it raises ReaderStateError.
    """
    for name, value in (("worker_threads", worker_threads), ("memory_budget_bytes", memory_budget_bytes)):
        if value is not None and (not isinstance(value, int) or value < 1):
            raise ConfigValidationError(f"{name} must be a positive int, not {value!r}")
    with _process_lock:
        if _process is not None:
            raise ReaderStateError("the runtime is in use: call configure_runtime before the first reader is opened")
        if worker_threads is not None:
            _settings.worker_threads = worker_threads
        if memory_budget_bytes is not None:
            _settings.memory_budget_bytes = memory_budget_bytes


def runtime_stats() -> dict[str, int]:
    """Counters of the C core since its start in this process: requests, bytes, cache hits, memory in use."""
    return current().runtime.stats()


def closed_at_exit(handle: _Closable) -> None:
    """Has `handle` dropped before the interpreter ends, so that no thread of the core outlives it."""
    _open_handles.add(handle)


def _at_exit() -> None:
    process = _process
    if process is None:
        return
    for handle in list(_open_handles):
        handle._drop()
    process.close()


def _after_fork() -> None:
    global _process, _process_lock
    _process = None
    _process_lock = threading.Lock()


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)


class Submit(Protocol):
    """A method of the extension that submits an operation to a queue; None when the core has no place for it."""

    def __call__(self, queue: Queue, /, *arguments: Any) -> Operation | None: ...


async def _wait_for_place(queue: Queue, loop: asyncio.AbstractEventLoop) -> None:
    place: asyncio.Future[None] = loop.create_future()
    queue.waiters.append(place)

    def give_up() -> None:
        if not place.done():
            place.set_result(None)

    timer = loop.call_later(_PLACE_SECONDS, give_up)
    try:
        await place
    finally:
        timer.cancel()


async def call_in_loop(submit: Submit, *arguments: Any) -> Any:
    """Submits an operation and awaits its result. A cancelled task cancels the operation."""
    loop = asyncio.get_running_loop()
    queue = current().loop_queue(loop)
    while (operation := submit(queue, *arguments)) is None:
        await _wait_for_place(queue, loop)
    operation.future = future = loop.create_future()
    try:
        return await future
    finally:
        if not operation.done:
            operation.cancel()


def call_and_wait(submit: Submit, *arguments: Any) -> Any:
    """Submits an operation and waits for its result in this thread. Ctrl-C cancels it."""
    process = current()
    queue = process.borrow()
    while (operation := submit(queue, *arguments)) is None:
        time.sleep(_PLACE_SECONDS)
    try:
        return operation.wait()
    finally:
        if operation.done:
            process.give_back(queue)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How the steps of a longer operation wait. They are coroutines in both cases; those of threads never suspend."""

    call: Callable[..., Awaitable[Any]]
    ask: Callable[..., Awaitable[Any]]  # calls a function that may block
    is_async: bool


async def _call_and_wait(submit: Submit, *arguments: Any) -> Any:
    return call_and_wait(submit, *arguments)


async def _ask_here(function: Callable[..., T], *arguments: Any) -> T:
    return function(*arguments)


IN_LOOP = Waiting(call_in_loop, asyncio.to_thread, True)
IN_THREAD = Waiting(_call_and_wait, _ask_here, False)


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine whose steps wait with IN_THREAD."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return cast(T, stop.value)
    coroutine.close()
    raise RuntimeError("a step of a synchronous call was asynchronous")
