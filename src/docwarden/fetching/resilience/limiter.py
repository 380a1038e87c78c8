"""Admits requests to the upstream up to a limit, and queues or refuses the others.

A request beyond the limit waits in a FIFO queue for `longest_wait` at most. The queue is no longer
than what can be served in that time (Little's law); beyond it, requests are refused at once. FIFO,
because a wait of 1 % of the deadline makes no request stale: adaptive LIFO or CoDel help where
clients give up while they queue, and would starve the unlucky here.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, Final, NamedTuple

from docwarden.fetching.resilience.gradient_limit import GradientLimit

if TYPE_CHECKING:
    from collections.abc import Callable

MIN_SAMPLES: Final = 10
"""Samples below which a median says little (Netflix's `WindowedLimit` has the same minimum)."""

LONGEST_QUEUE: Final = 1000
"""Requests that may wait whatever Little's law says: they take about 10 MB."""


class FloorChange(NamedTuple):
    """The limit has reached its floor, or has left it.

    Attributes:
        at_floor: whether it has reached it.
        limit: requests that may be in flight.
        latency: median of the last step, seconds.
        usual: long-term average of it, seconds.
    """

    at_floor: bool
    limit: int
    latency: float
    usual: float


class Overloaded(Exception):  # noqa: N818 - named for the state that the client is told about
    """The limit is reached, and the request cannot be admitted within its longest wait."""


class AdaptiveLimiter:
    """Admits as many requests as `GradientLimit` allows; for one event loop.

    Args:
        limit: Learns the limit from latencies.
        longest_wait: Seconds that a request may wait in the queue.
        on_floor: Called when the limit reaches its floor, and when it has doubled again.

    Attributes:
        in_flight: Requests admitted and not released yet.
        refused: Requests refused since the start, at once or after waiting.
    """

    __slots__ = (
        "_at_floor",
        "_enough",
        "_gradient",
        "_longest_queue",
        "_longest_wait",
        "_on_floor",
        "_peak",
        "_samples",
        "_waiters",
        "in_flight",
        "limit",
        "refused",
    )

    def __init__(
        self,
        limit: GradientLimit | None = None,
        *,
        longest_wait: float = 0.100,
        on_floor: Callable[[FloorChange], None] | None = None,
    ) -> None:
        self._gradient = limit if limit is not None else GradientLimit()
        self._longest_wait = longest_wait
        self._longest_queue = LONGEST_QUEUE
        self._on_floor = on_floor
        self._at_floor = self._gradient.at_floor
        self._samples: list[float] = []
        self._enough = max(self._gradient.limit, MIN_SAMPLES)
        self._peak = 0
        # Ordered, so that a waiter that gives up is removed from the middle at no cost.
        self._waiters: OrderedDict[asyncio.Future[bool], None] = OrderedDict()
        self.limit = self._gradient.limit
        self.in_flight = 0
        self.refused = 0

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiters)

    def try_acquire(self) -> bool:
        """Take a place if one is free. It overtakes nobody: places go to the queue first."""
        if self.in_flight >= self.limit:
            return False
        self.in_flight += 1
        return True

    async def acquire(self, timeout: float) -> None:
        """Take a place, waiting for it at most `timeout` seconds or `longest_wait`.

        Raises:
            Overloaded: The queue is full, or the wait was too long.
        """
        if self.in_flight < self.limit:
            self.in_flight += 1
            return
        if len(self._waiters) >= self._longest_queue or timeout <= 0.0:
            self.refused += 1
            raise Overloaded
        loop = asyncio.get_running_loop()
        place: asyncio.Future[bool] = loop.create_future()
        self._waiters[place] = None
        timer = loop.call_later(min(timeout, self._longest_wait), self._give_up, place)
        try:
            given = await place
        except asyncio.CancelledError:
            if place.cancelled():
                self._waiters.pop(place, None)
            elif place.result():
                # The place was given in the same turn of the loop in which we were cancelled.
                self.release(None)
            raise
        finally:
            timer.cancel()
        if not given:
            self.refused += 1
            raise Overloaded

    def release(self, latency: float | None) -> None:
        """Release a place.

        Args:
            latency: Seconds that a fetch took whose only attempt succeeded. None for all others:
                failures, hangs and retries reflect faults, not load.
        """
        if latency is not None:
            self._samples.append(latency)
            if self.in_flight > self._peak:  # noqa: PLR1730 - max() costs as much as all the rest
                self._peak = self.in_flight
            if len(self._samples) >= self._enough:
                self._learn()
        self.in_flight -= 1
        if self._waiters:
            self._admit_waiting()

    def _learn(self) -> None:
        self._samples.sort()
        median = self._samples[len(self._samples) // 2]
        self._gradient.learn(median, self._peak)
        self._samples.clear()
        self._peak = 0
        self.limit = self._gradient.limit
        self._enough = max(self.limit, MIN_SAMPLES)
        served = int(self._longest_wait * self.limit / self._gradient.latency)
        self._longest_queue = min(max(served, self.limit), LONGEST_QUEUE)
        gradient = self._gradient
        if gradient.off_floor if self._at_floor else gradient.at_floor:
            self._at_floor = not self._at_floor
            if self._on_floor is not None:
                self._on_floor(
                    FloorChange(self._at_floor, self.limit, gradient.latency, gradient.usual)
                )

    def _admit_waiting(self) -> None:
        while self._waiters and self.in_flight < self.limit:
            place, _ = self._waiters.popitem(last=False)
            if not place.done():
                self.in_flight += 1
                place.set_result(True)

    def _give_up(self, place: asyncio.Future[bool]) -> None:
        if not place.done():
            del self._waiters[place]
            place.set_result(False)
