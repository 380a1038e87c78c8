"""A limit of concurrency learned from latency.

The rules, after Netflix's `Gradient2Limit` (concurrency-limits), with changes in 1, 3 and 5:

1. A step of learning takes about as many samples as are in flight at once, at least 10. Its
   latency is their *median*, so that some slow or hanging answers, which are faults and not load,
   do not count; a loaded upstream is slow for all.
2. `gradient = clamp(tolerance * long-term latency / latency, 0.5, 1)`. The limit goes a fifth of
   the way towards `limit * gradient + headroom`.
3. The headroom is the square root of the limit; while latency is not above its long-term average
   it is the limit itself (+20 % a step), so that the limit comes back fast.
4. Nothing is raised that was not used: below half the limit in flight it stays.
5. A cut that does not help is taken back: where three quarters of the requests in flight see the
   same latency as all did, the upstream is slow but our load is not why. That latency becomes
   the long-term one, and the limit what it was.

Lag of the own event loop is part of every latency measured here, so a gateway short of CPU lowers
its limit like one with a slow upstream.
"""

from __future__ import annotations

import math
from typing import Final

LEAST_GRADIENT: Final = 0.5
"""No step aims lower than at half the limit (Netflix)."""

CUT_TO_JUDGE: Final = 0.75
"""Share of the limit before a cut at which it is judged whether the cut helped."""

CUT_HELPED: Final = 0.9
"""Latency after such a cut, as a share of that before, below which it helped.

A queue in the upstream would have brought it to 0.75."""


class GradientLimit:
    """The learning part: latencies in, limit out.

    Args:
        start: Limit before anything is known.
        least: The limit never goes below.
        most: The limit never goes above.
        tolerance: How far latency may exceed its long-term average without a cut.
        smoothing: How far one step goes towards its aim, from 0 to 1.
        long_window: Steps over which the long-term average forgets.

    Attributes:
        limit: Requests that may be in flight.
        latency: Median latency of the last step, seconds; 0 before the first.
    """

    __slots__ = (
        "_cut_from",
        "_estimate",
        "_latency_before_cut",
        "_least",
        "_long_latency",
        "_long_window",
        "_most",
        "_smoothing",
        "_tolerance",
        "latency",
        "limit",
    )

    def __init__(  # noqa: PLR0913 - the parameters of the published algorithm, all keywords
        self,
        *,
        start: int = 20,
        least: int = 4,
        most: int = 200,
        tolerance: float = 1.5,
        smoothing: float = 0.2,
        long_window: int = 600,
    ) -> None:
        self._least = least
        self._most = most
        self._tolerance = tolerance
        self._smoothing = smoothing
        self._long_window = long_window
        self._estimate = float(start)
        self._long_latency = 0.0
        self._cut_from = 0.0
        self._latency_before_cut = 0.0
        self.limit = start
        self.latency = 0.0

    def learn(self, latency: float, peak_in_flight: int) -> None:
        """Take one step.

        Args:
            latency: Median of the step's samples, seconds, above 0.
            peak_in_flight: Most requests in flight during the step.
        """
        self.latency = latency
        self._average(latency)
        if peak_in_flight < self._estimate / 2.0:
            return
        gradient = self._tolerance * self._long_latency / latency
        if gradient >= 1.0:
            self._cut_from = 0.0
            calm = latency <= self._long_latency
            self._aim_at(self._estimate + (self._estimate if calm else math.sqrt(self._estimate)))
            return
        if self._cut_from == 0.0:
            self._cut_from, self._latency_before_cut = self._estimate, latency
        # The queue that a cut is to drain may still have been growing in its first steps.
        self._latency_before_cut = max(self._latency_before_cut, latency)
        self._aim_at(self._estimate * max(gradient, LEAST_GRADIENT) + math.sqrt(self._estimate))
        if self._estimate <= self._cut_from * CUT_TO_JUDGE:
            self._judge_cut(latency)

    def _average(self, latency: float) -> None:
        if self._long_latency == 0.0:
            self._long_latency = latency
            return
        self._long_latency += (latency - self._long_latency) * 2.0 / (self._long_window + 1)
        # After a long overload the average is high; it must not hide the next one (Netflix).
        if self._long_latency > 2.0 * latency:
            self._long_latency *= 0.95

    def _aim_at(self, aim: float) -> None:
        estimate = self._estimate + (aim - self._estimate) * self._smoothing
        self._estimate = min(max(estimate, float(self._least)), float(self._most))
        self.limit = int(self._estimate)

    def _judge_cut(self, latency: float) -> None:
        if latency > self._latency_before_cut * CUT_HELPED:
            self._long_latency = latency
            self._estimate = self._cut_from
            self.limit = int(self._estimate)
        self._cut_from = 0.0
