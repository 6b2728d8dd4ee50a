"""The C core's runtime of one process, its completion queues, and how it ends."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NoReturn, Protocol

from shardyfusion._shardyfusion import Operation, Queue, Runtime

#: Operations accepted and not yet finished; more wait in Python until there is a place.
MAX_INFLIGHT = 65_536
#: Queues of threads that wait, kept for the next one.
_IDLE_QUEUES = 16
#: How long a call sleeps before it asks for a free place again, where nothing else would wake it.
PLACE_SECONDS = 0.005
#: How long the end of the interpreter waits for cancelled operations.
_EXIT_SECONDS = 5.0

_LEVELS = {1: logging.ERROR, 2: logging.WARNING, 3: logging.INFO, 4: logging.DEBUG}


def _log(level: int, text: str) -> None:
    logging.getLogger("shardyfusion").log(_LEVELS.get(level, logging.WARNING), "%s", text)


class Submit(Protocol):
    """A method of the extension that submits an operation to a queue; None when the core has no place for it."""

    def __call__(self, queue: Queue, /, *arguments: Any) -> Operation | None: ...


class LoopQueue:
    """The queue that an event loop watches, and the calls that wait for a free place: first come, first served."""

    def __init__(self, runtime: Runtime, loop: asyncio.AbstractEventLoop) -> None:
        self.queue = Queue(runtime, MAX_INFLIGHT)
        self.waiting: deque[asyncio.Future[None]] = deque()
        self._ticks = False
        self._tries = False  # one of them was woken, and is about to try
        loop.add_reader(self.queue.fileno(), self._drain)

    def _drain(self) -> None:
        self.queue.drain()
        if self.waiting:
            self._wake()

    def _wake(self) -> None:
        """Lets the call that waits longest try again; when it has found a place, it wakes the next."""
        while self.waiting and not self._tries:
            place = self.waiting.popleft()
            if not place.done():
                self._tries = True
                place.set_result(None)

    def _tick(self, process: Process) -> None:
        """Places are shared with other queues, whose completions nobody tells of here; closed loops hold some."""
        self._ticks = False
        process.forget_closed_loops()
        self._wake()

    async def submit_later(self, process: Process, submit: Submit, *arguments: Any) -> Operation:
        """As `submit`, once there is a place for the operation."""
        loop = asyncio.get_running_loop()
        place: asyncio.Future[None] = loop.create_future()
        self.waiting.append(place)
        while True:
            if not self._ticks:
                self._ticks = True
                loop.call_later(PLACE_SECONDS, self._tick, process)
            is_busy = False
            try:
                await place
                operation = submit(self.queue, *arguments)
                is_busy = operation is None
            finally:
                if place.done() and not place.cancelled():
                    self._tries = False
                if not is_busy:
                    self._wake()
            if operation is not None:
                return operation
            place = loop.create_future()
            self.waiting.appendleft(place)


def _no_loop() -> None:
    """In the place of a reference to a loop that is gone."""


class Process:
    """The runtime and its queues. After a fork the child makes one of its own."""

    def __init__(self, *, worker_threads: int, memory_budget_bytes: int) -> None:
        self.runtime = Runtime(
            worker_threads=worker_threads,
            memory_budget_bytes=memory_budget_bytes,
            max_inflight_ops=MAX_INFLIGHT,
            log=_log,
        )
        self._loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopQueue] = weakref.WeakKeyDictionary()
        # No locks: any allocation may run a finalizer that comes back here. Each step on a list is atomic.
        self._watched: list[tuple[Callable[[], asyncio.AbstractEventLoop | None], Queue]] = []
        self._idle: list[Queue] = []
        self._borrowed: list[Queue] = []

    def of_loop(self, loop: asyncio.AbstractEventLoop) -> LoopQueue:
        """What `loop` watches; made at its first call."""
        watched = self._loops.get(loop)
        return watched if watched is not None else self._watch(loop)

    def _watch(self, loop: asyncio.AbstractEventLoop) -> LoopQueue:
        self.forget_closed_loops()
        watched = LoopQueue(self.runtime, loop)
        self._watched.append((weakref.ref(loop), watched.queue))
        self._loops[loop] = watched
        return watched

    def forget_closed_loops(self) -> None:
        """Ends what loops left behind that were closed with calls on their way; what is not over yet is met again."""
        for entry in tuple(self._watched):
            loop = entry[0]()
            if loop is not None and not loop.is_closed():
                continue
            try:
                self._watched.remove(entry)
            except ValueError:
                continue  # another thread does it
            if not entry[1].abandon():
                self._watched.append(entry)

    def borrow(self) -> Queue:
        """A queue for one waiting thread, to be given back."""
        if self._watched:
            self.forget_closed_loops()
        try:
            queue = self._idle.pop()
        except IndexError:
            queue = Queue(self.runtime, 4)
        self._borrowed.append(queue)
        return queue

    def give_back(self, queue: Queue, is_over: bool) -> None:
        """The end of a loan. Not over: what may be on its way to the queue is ended as what closed loops left."""
        self._borrowed.remove(queue)
        if not is_over:
            self._watched.append((_no_loop, queue))
            self.forget_closed_loops()
        elif len(self._idle) < _IDLE_QUEUES:
            self._idle.append(queue)

    def end(self, is_last_thread: bool) -> None:
        """At the end of the interpreter: cancels what is on its way, waits for that, and stops the core's threads.

        Other threads that use the core stand still from now on. What they hold keeps the core's threads, idle.
        """
        self.runtime.last_thread()
        until = time.monotonic() + _EXIT_SECONDS
        while True:
            for queue in tuple(self._borrowed):
                queue.cancel()
            for reference, queue in tuple(self._watched):
                queue.abandon(True)
                loop = reference()
                if is_last_thread and loop is not None and not loop.is_closed():
                    loop.remove_reader(queue.fileno())
            if is_last_thread:
                self._watched = [entry for entry in self._watched if not entry[1].abandon()]
            self._idle.clear()
            if self.runtime.close() or self.runtime.stats()["inflight_ops"] == 0 or time.monotonic() > until:
                return
            time.sleep(0.001)


def stand_still() -> NoReturn:
    """Never returns: for a daemon thread that makes a call while the interpreter ends."""
    while True:
        with contextlib.suppress(BaseException):
            threading.Event().wait()
