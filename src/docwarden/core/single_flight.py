"""Requests for the same thing at the same moment share one call.

The rules:

1. The call runs in a task of its own. The first caller is not special: if it goes away, the others
   still get the result; when the last caller goes away, the call is cancelled.
2. A failure goes to all waiting callers. None of them calls again by itself, so a failing upstream
   sees no stampede; a caller that arrives after the failure begins a new call.
3. A call serves a bounded number of requests; the next one begins another call, which is then
   the one to join. So a popular key cannot collect waiters without end, and no request is refused.
4. Each caller has a timeout of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from docwarden.core.cancellation import end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Hashable

T = TypeVar("T")


def _nothing(_: object) -> None:
    """Do nothing, for results without holders."""


class _Flight(Generic[T]):
    """One call and its waiters."""

    __slots__ = ("requests", "settled", "task", "waiting")

    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.requests = 0
        self.waiting = 0
        self.settled = False


class SingleFlight(Generic[T]):
    """Shares calls among equal keys; for one event loop.

    A result may own something that its holders release, such as memory. Each caller that gets the
    result is a holder: `share` adds the others before any of them can release it.

    Args:
        share: Adds a holder to a result, where results have holders.
        discard: Releases a result for a caller that went away without taking it.
        max_requests: Requests that one call serves.

    Attributes:
        shared: Requests that joined another's call, since the start.
    """

    __slots__ = ("_discard", "_flights", "_max_requests", "_share", "shared")

    def __init__(
        self,
        *,
        share: Callable[[T], None] = _nothing,
        discard: Callable[[T], None] = _nothing,
        max_requests: float = 100,
    ) -> None:
        self._share = share
        self._discard = discard
        self._max_requests = max_requests
        self._flights: dict[Hashable, _Flight[T]] = {}
        self.shared = 0

    async def run(
        self,
        key: Hashable,
        call: Callable[[], Coroutine[Any, Any, T]],
        *,
        longest_wait: float | None = None,
    ) -> T:
        """Return the result of the call for `key` that is under way, or else of a new `call()`.

        Args:
            key: What the result is for.
            call: Starts a call, which bounds its own time.
            longest_wait: Seconds that this caller waits; None for as long as the call takes.

        Raises:
            TimeoutError: The caller has waited for `longest_wait`.
            Exception: What the call raised, the same object for all callers.
        """
        flight = self._join(key, call)
        took = False
        try:
            await asyncio.wait((flight.task,), timeout=longest_wait)
            # Done but not settled is too late too: the holders have not been counted.
            if not flight.settled:
                raise TimeoutError
            took = True
            return flight.task.result()
        finally:
            flight.waiting -= 1
            if not took:
                await self._leave(key, flight)

    def _join(self, key: Hashable, call: Callable[[], Coroutine[Any, Any, T]]) -> _Flight[T]:
        flight = self._flights.get(key)
        if flight is None or flight.task.done() or flight.requests >= self._max_requests:
            flight = self._flights[key] = _Flight(asyncio.create_task(call()))
            # Added before any waiter, so it runs before any of them sees the result.
            flight.task.add_done_callback(lambda _: self._settle(key, flight))
        else:
            self.shared += 1
        flight.requests += 1
        flight.waiting += 1
        return flight

    def _settle(self, key: Hashable, flight: _Flight[T]) -> None:
        flight.settled = True
        self._forget(key, flight)
        if _failed(flight.task):
            return
        if flight.waiting == 0:
            self._discard(flight.task.result())
        for _ in range(flight.waiting - 1):
            self._share(flight.task.result())

    async def _leave(self, key: Hashable, flight: _Flight[T]) -> None:
        if not flight.settled:
            if flight.waiting == 0:
                self._forget(key, flight)
                await end((flight.task,))
        elif not _failed(flight.task):
            self._discard(flight.task.result())

    def _forget(self, key: Hashable, flight: _Flight[T]) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None
