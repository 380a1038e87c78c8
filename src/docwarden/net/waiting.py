"""Coroutines that run without a task while they wait for nothing but the upstream's answer.

A task and the futures that wake it cost a request as much as its policies do: what a future wakes
runs in the loop's next turn, through a handle. Here whoever has the answer goes on with the
coroutine at once.

A `Runner` runs a coroutine by its `send`. What that yields is a `Signal`, on which the runner sets
`tell`; or it is any other future, and the runner goes on with the coroutine in a task. asyncio's
timeouts ask for the task that they are in, so `in_task` comes before them.
"""

import asyncio
import types
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar, cast

T = TypeVar("T")


class Signal(asyncio.Future[T]):
    """A future that can go on with a coroutine at once; in a task it is a future like any other.

    Attributes:
        tell: what to call when it has been set.
    """

    tell: Callable[[], object] | None = None


@types.coroutine
def in_task() -> Generator[None, None, None]:
    """Go on in a task, in the loop's next turn if this is one."""
    yield None


class Runner(ABC, Generic[T]):
    """Runs one coroutine at a time; a base of who does something with what that returns."""

    __slots__ = ("_coroutine", "_loop", "_task", "_waits_for")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._coroutine: Coroutine[Any, Any, T] | None = None
        self._waits_for: Signal[Any] | None = None
        self._task: asyncio.Task[None] | None = None

    @abstractmethod
    def _deliver(self, result: T) -> None:
        """Take what the coroutine returned."""

    @abstractmethod
    def _cut_off(self) -> None:
        """Take note that it was cancelled, or raised what now goes on to whoever ran it."""

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> None:
        """Run `coroutine` as far as it does not have to wait."""
        self._coroutine = coroutine
        self._go_on()

    def _cancel(self) -> None:
        """Cancel what is running, if anything is."""
        if self._task is not None:
            # Behind its first step: cancelled before that, it would not even take note of its end.
            self._loop.call_soon(self._task.cancel)
        elif self._waits_for is not None:
            self._cancel_waiting(self._waits_for)

    def _go_on(self) -> None:
        coroutine: Any = self._coroutine
        try:
            waits_for = coroutine.send(None)
        except StopIteration as end:
            result = end.value
        except BaseException:
            self._coroutine = self._waits_for = None
            self._cut_off()
            raise
        else:
            if type(waits_for) is Signal:
                waits_for._asyncio_future_blocking = False  # noqa: SLF001 - as a task does
                waits_for.tell = self._go_on
                self._waits_for = waits_for
            else:
                self._adopt(coroutine, waits_for)
            return
        self._coroutine = self._waits_for = None
        self._deliver(result)

    def _cancel_waiting(self, waits_for: Signal[Any]) -> None:
        waits_for.tell = None
        waits_for.cancel()
        coroutine = cast("Coroutine[Any, Any, T]", self._coroutine)
        try:
            cleans_up = coroutine.throw(asyncio.CancelledError())
        except (asyncio.CancelledError, StopIteration):
            self._coroutine = self._waits_for = None
            self._cut_off()
        except BaseException:
            self._coroutine = self._waits_for = None
            self._cut_off()
            raise
        else:
            self._adopt(coroutine, cleans_up)

    def _adopt(self, coroutine: Coroutine[Any, Any, T], waits_for: object) -> None:
        """Go on in a task with a coroutine that has yielded `waits_for`."""
        self._coroutine = self._waits_for = None
        self._task = self._loop.create_task(self._in_task(coroutine, waits_for))

    async def _in_task(self, coroutine: Coroutine[Any, Any, T], waits_for: object) -> None:
        try:
            result = await _rest_of(coroutine, waits_for)
        except BaseException:
            self._cut_off()
            raise
        self._task = None
        self._deliver(result)


@types.coroutine
def _rest_of(coroutine: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, None, T]:
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - the coroutine's to handle
                waits_for = coroutine.throw(error)
            else:
                waits_for = coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
