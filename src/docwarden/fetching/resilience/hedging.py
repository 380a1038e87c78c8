"""A second attempt when the first takes unusually long.

After Dean and Barroso, "The Tail at Scale" (2013). Started after the 95th percentile of what
attempts take, it costs about 5 % more attempts while the upstream is as it was. When the upstream
slows down for all, every attempt exceeds the old percentile; then the budget bounds the extra load.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final, TypeVar

from docwarden.core.cancellation import end

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from docwarden.fetching.resilience.retry_budget import RetryBudget

T = TypeVar("T")

BOUNDS: Final[tuple[float, ...]] = tuple(0.0005 * 2.0 ** (step / 4) for step in range(72))
"""Upper ends of the latency buckets: 0.5 ms to 110 s, each 19 % above the one before."""

SAMPLES_KEPT: Final = 2000
"""All counts are halved at this many, so that a sample's weight halves each 1,000 samples."""

SAMPLES_BETWEEN: Final = 100
"""Samples after which the percentile is computed anew."""


class Hedge:
    """Decides after how long a second attempt may start.

    Args:
        budget: Limits second attempts; one of their own (ratio 0.1, floor 1), so that they do not
            use up that of retries.
        quantile: Share of the attempts that are faster than the delay, from 0 to 1.
        min_samples: Attempts to observe before the first hedge.
    """

    __slots__ = ("_budget", "_counts", "_delay", "_fresh", "_min_samples", "_quantile", "_total")

    def __init__(
        self, budget: RetryBudget, *, quantile: float = 0.95, min_samples: int = 100
    ) -> None:
        self._budget = budget
        self._quantile = quantile
        self._min_samples = min_samples
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0
        self._fresh = 0
        self._delay: float | None = None

    def observe(self, latency: float) -> None:
        """Record the latency of a *first* attempt, in seconds.

        Record one that lost and was cancelled too, with the time until then: otherwise every hedge
        would remove the slowest samples, and the percentile, and with it the delay, would sink
        towards zero.
        """
        self._counts[bisect_left(BOUNDS, latency)] += 1
        self._total += 1
        self._fresh += 1
        if self._fresh >= SAMPLES_BETWEEN:
            self._renew()

    def delay(self, *, shedding: bool) -> float | None:
        """Return the seconds after which a second attempt may start, or None if it may not.

        Args:
            shedding: Whether requests queue or are refused, so that load must not be added.
        """
        if shedding or self._delay is None or self._budget.remaining == 0:
            return None
        return self._delay

    def _renew(self) -> None:
        self._fresh = 0
        if self._total >= self._min_samples:
            self._delay = self._percentile()
        if self._total >= SAMPLES_KEPT:
            self._counts = [count // 2 for count in self._counts]
            self._total = sum(self._counts)

    def _percentile(self) -> float:
        rank = self._quantile * self._total
        seen = 0
        for bound, count in zip(BOUNDS, self._counts, strict=False):
            seen += count
            if seen >= rank:
                return bound
        return BOUNDS[-1]


async def race(
    first: Coroutine[Any, Any, T],
    second: Callable[[], Coroutine[Any, Any, T] | None],
    delay: float,
    *,
    settles: Callable[[Exception], bool],
    discard: Callable[[T], None],
) -> tuple[T, bool]:
    """Run `first`, after `delay` also `second()`, and return the first success.

    An attempt that returns wins. One that raises leaves the race to the other, unless its error
    settles the race; if both fail, the later failure is raised. A first attempt that fails before
    the delay fails the race: retries are made elsewhere. The loser has been cancelled and has ended
    by the time this returns or raises.

    Args:
        first: The first attempt; it starts at once.
        second: Makes the second attempt, or returns None if it is no longer allowed.
        delay: Seconds after which the second starts.
        settles: Whether an error is a definitive answer that the other attempt would not change,
            such as "no such document".
        discard: Called with a result that came too late to win.

    Returns:
        The result, and whether it is the second attempt's.
    """
    tasks = [asyncio.create_task(first)]
    winner: asyncio.Task[T] | None = None
    try:
        done, running = await asyncio.wait(tasks, timeout=delay)
        if running and (coroutine := second()) is not None:
            tasks.append(asyncio.create_task(coroutine))
            running.add(tasks[1])
        winner = _winner(done, settles)
        while winner is None and running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            winner = _winner(done, settles)
        if winner is None:
            winner = done.pop()
        return winner.result(), winner is not tasks[0]
    finally:
        losers = [task for task in tasks if task is not winner]
        try:
            await end(losers)
        except asyncio.CancelledError:
            losers = tasks  # nobody is left to take the winner's result
            raise
        finally:
            for task in losers:
                if not task.cancelled() and task.exception() is None:
                    discard(task.result())


def _winner(
    done: set[asyncio.Task[T]], settles: Callable[[Exception], bool]
) -> asyncio.Task[T] | None:
    for task in done:
        if task.cancelled():
            continue
        error = task.exception()
        if error is None or (isinstance(error, Exception) and settles(error)):
            return task
    return None
