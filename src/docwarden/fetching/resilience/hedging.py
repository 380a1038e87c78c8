"""A second attempt beside a first one that takes unusually long.

After Dean and Barroso, "The Tail at Scale" (2013). Started after the 95th percentile of what
attempts take, it costs about 5 % more attempts while the upstream is as it was. When the upstream
turns slow for all, every attempt exceeds the old percentile; then the budget is what bounds the
extra load.
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
"""Samples after which the percentile is worked out anew."""


class Hedge:
    """Knows after how long a second attempt may start.

    Args:
        budget: Places for second attempts; one of their own (ratio 0.1, floor 1), so that they
            cannot use up those of retries.
        quantile: Share of the attempts that are faster than the delay, from 0 to 1.
        min_samples: Attempts to have seen before the first hedge.
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
        """Learn what a *first* attempt took, seconds.

        A first attempt that lost and was cancelled belongs here too, with the time it had until
        then: without those, each hedge would take the slowest samples away, and the percentile and
        with it the delay would sink towards nothing.
        """
        self._counts[bisect_left(BOUNDS, latency)] += 1
        self._total += 1
        self._fresh += 1
        if self._fresh >= SAMPLES_BETWEEN:
            self._renew()

    def delay(self, *, shedding: bool) -> float | None:
        """Return the seconds after which a second attempt may start, or None for no second one.

        Args:
            shedding: Requests queue or are refused, so that more load is the last thing to add.
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
    """Run `first`, after `delay` also what `second` makes, and return what first succeeds.

    An attempt that returns wins. One that raises leaves the race to the other, unless what it
    raises settles the matter; when both fail, the later failure is raised. A first that fails
    before the delay fails the race: trying again is the retry's business. The loser has been
    cancelled and has ended when this returns, however it does.

    Args:
        first: An attempt; it starts now.
        second: Makes the other attempt, or None when there is no place for it any more.
        delay: Seconds to wait for the first alone.
        settles: Tells whether a failure is an answer that the other attempt would not change,
            such as "no such document".
        discard: Takes a result that came too late to win.

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
