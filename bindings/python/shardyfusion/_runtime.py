"""The C core's runtime of this process, and how calls wait for it: in an event loop, or in a thread."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
import weakref
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from shardyfusion._process import PLACE_SECONDS, Process, stand_still
from shardyfusion._process import Submit as Submit
from shardyfusion.errors import ConfigValidationError, ReaderStateError, ShardyfusionError

T = TypeVar("T")


@dataclass(slots=True)
class _Settings:
    worker_threads: int = 0
    memory_budget_bytes: int = 0


_settings = _Settings()
_process: Process | None = None
_process_lock = threading.RLock()  # a finalizer may come back here while the runtime is made
_last_thread: int | None = None  # the one that ends the interpreter


class _Closable(Protocol):
    def _drop(self) -> None: ...


_open_handles: weakref.WeakSet[_Closable] = weakref.WeakSet()


def current() -> Process:
    """The runtime of this process, made at the first call."""
    process = _process
    return process if process is not None else _begin()


def _begin() -> Process:
    global _process
    if _last_thread is not None:
        if _last_thread != threading.get_ident():
            stand_still()
        raise ReaderStateError("the interpreter ends: nothing can be opened or asked any more")
    with _process_lock:
        if _process is None:
            made = Process(worker_threads=_settings.worker_threads, memory_budget_bytes=_settings.memory_budget_bytes)
            if _process is None:
                _process = made
        return _process


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
    process = current()
    process.forget_closed_loops()
    return process.runtime.stats()


def closed_at_exit(handle: _Closable) -> None:
    """Has `handle` dropped before the interpreter ends, so that no thread of the core outlives it."""
    _open_handles.add(handle)


def _at_exit() -> None:
    global _process, _last_thread
    _last_thread = threading.get_ident()
    process, _process = _process, None
    if process is None:
        return
    is_last_thread = threading.active_count() == 1
    if is_last_thread:  # a daemon thread would find its handle closed, and say so
        for handle in list(_open_handles):
            handle._drop()
    process.end(is_last_thread)


def _after_fork() -> None:
    global _process, _process_lock, _last_thread
    _process = None
    _process_lock = threading.RLock()
    _last_thread = None


atexit.register(_at_exit)
os.register_at_fork(after_in_child=_after_fork)


async def call_in_loop(submit: Submit, *arguments: Any) -> Any:
    """Submits an operation and awaits its result. A cancelled task cancels the operation."""
    loop = asyncio.get_running_loop()
    process = current()
    watched = process.of_loop(loop)
    operation = None if watched.waiting else submit(watched.queue, *arguments)
    if operation is None:
        operation = await watched.submit_later(process, submit, *arguments)
    operation.future = loop.create_future()
    try:
        return await operation.future
    finally:
        operation.cancel()


def call_and_wait(submit: Submit, *arguments: Any) -> Any:
    """Submits an operation and waits for its result in this thread. Ctrl-C cancels it."""
    process = current()
    queue = process.borrow()
    # A signal's exception may come between two steps: then an operation is on its way that nobody has.
    is_over = False
    try:
        try:
            while (operation := submit(queue, *arguments)) is None:
                process.forget_closed_loops()
                time.sleep(PLACE_SECONDS)
        except ShardyfusionError:
            is_over = True
            raise
        try:
            return operation.wait()
        finally:
            is_over = operation.done
    finally:
        process.give_back(queue, is_over)


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
