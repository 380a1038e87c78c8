"""A limit of concurrency learned from latency.

The rules, after Netflix's `Gradient2Limit` (concurrency-limits), with changes in 1, 3 and 5:

1. A step of learning takes about as many samples as are in flight at once, at least 10. Its
   latency is their *median*, so that some slow or hanging answers, which are faults and not load,
   do not count; a loaded upstream is slow for all.
2. `gradient = clamp(tolerance * long-term latency / latency, 0.5, 1)`. The limit goes a fifth of
   the way towards `limit * gradient + headroom`.
3. The headroom is the square root of the limit. While latency is within a tenth of its long-term
   average there is no sign of a queue, and the limit grows by half a step, like a TCP slow
   start: it must recover within seconds, and take off where an upstream is slow but wide.
4. A limit that was not used is not raised: with less than half of it in flight, it stays.
5. A cut that does not help is reverted: where three quarters of the requests in flight see the
   same latency as all did, the upstream is slow, but not for our load. That latency becomes the
   long-term one, and the limit is restored.

Event loop lag is part of every latency measured here, so a gateway short of CPU lowers its limit
like one with a slow upstream.
"""

from __future__ import annotations

import math
from typing import Final

MIN_LATENCY: Final = 1e-6
"""Lower bound of a latency, as it is divided by; a coarse clock may measure zero."""

MIN_GRADIENT: Final = 0.5
"""No step aims lower than at half the limit (Netflix)."""

CALM: Final = 1.1
"""Ratio of latency to its long-term average up to which no queue is suspected."""

CALM_GROWTH: Final = 1.5
"""Factor by which a step raises the limit then."""

CUT_TO_CHECK: Final = 0.75
"""Share of the limit before a cut at which the effect of the cut is checked."""

CUT_HELPED: Final = 0.9
"""Latency after such a cut, as a share of that before, below which it helped.

With a queue in the upstream it would be 0.75."""


class GradientLimit:
    """The learning part: latencies in, limit out.

    Args:
        start: Limit before anything is known; clamped to `minimum` and `maximum`.
        minimum: Lower bound of the limit, unless `maximum` is below it.
        maximum: Upper bound of the limit.
        tolerance: How far latency may exceed its long-term average without a cut.
        smoothing: How far one step goes towards its target, from 0 to 1.
        long_window: Length of the long-term average, in steps.

    Attributes:
        limit: Requests that may be in flight.
        latency: Median latency of the last step, seconds; 0 before the first.
    """

    __slots__ = (
        "_cut_from",
        "_estimate",
        "_latency_before_cut",
        "_long_latency",
        "_long_window",
        "_maximum",
        "_minimum",
        "_smoothing",
        "_tolerance",
        "latency",
        "limit",
    )

    def __init__(  # noqa: PLR0913 - the parameters of the published algorithm, all keywords
        self,
        *,
        start: int = 20,
        minimum: int = 4,
        maximum: int = 200,
        tolerance: float = 1.5,
        smoothing: float = 0.2,
        long_window: int = 600,
    ) -> None:
        self._maximum = max(1, maximum)
        self._minimum = min(max(1, minimum), self._maximum)
        self._tolerance = tolerance
        self._smoothing = smoothing
        self._long_window = long_window
        self._estimate = 0.0
        self._long_latency = 0.0
        self._cut_from = 0.0
        self._latency_before_cut = 0.0
        self.limit = 0
        self.latency = 0.0
        self._set(start)

    @property
    def at_floor(self) -> bool:
        """Whether the limit is at its minimum; never so for one that cannot move."""
        return self.limit <= self._minimum < self._maximum

    @property
    def off_floor(self) -> bool:
        """Whether the limit is twice its minimum or more: hysteresis for `at_floor`."""
        return self.limit >= min(2 * self._minimum, self._maximum)

    @property
    def usual(self) -> float:
        """Long-term average of the latency, seconds; 0 before the first step."""
        return self._long_latency

    def learn(self, latency: float, peak_in_flight: int) -> None:
        """Learn from one step.

        Args:
            latency: Median of the step's samples, seconds.
            peak_in_flight: Most requests in flight during the step.
        """
        self.latency = latency = max(latency, MIN_LATENCY)
        self._average(latency)
        if peak_in_flight < self._estimate / 2.0:
            return
        gradient = self._tolerance * self._long_latency / latency
        if gradient >= 1.0:
            self._cut_from = 0.0
            if latency <= self._long_latency * CALM:
                self._set(self._estimate * CALM_GROWTH)
            else:
                self._step_towards(self._estimate + math.sqrt(self._estimate))
            return
        if self._cut_from > 0.0 and self._estimate <= self._cut_from * CUT_TO_CHECK:
            self._check_cut(latency)
        elif self._cut_from > 0.0:
            self._latency_before_cut = max(self._latency_before_cut, latency)
            gradient = max(gradient, MIN_GRADIENT)
            self._step_towards(self._estimate * gradient + math.sqrt(self._estimate))
        else:
            # Hold for a step: a queue that has just begun shows its length one latency later.
            self._cut_from, self._latency_before_cut = self._estimate, latency

    def _average(self, latency: float) -> None:
        if self._long_latency == 0.0:
            self._long_latency = latency
            return
        self._long_latency += (latency - self._long_latency) * 2.0 / (self._long_window + 1)
        # After a long overload the average is high; it must not hide the next one (Netflix).
        if self._long_latency > 2.0 * latency:
            self._long_latency *= 0.95

    def _step_towards(self, target: float) -> None:
        self._set(self._estimate + (target - self._estimate) * self._smoothing)

    def _set(self, estimate: float) -> None:
        self._estimate = min(max(estimate, self._minimum), self._maximum)
        self.limit = int(self._estimate)

    def _check_cut(self, latency: float) -> None:
        if latency > self._latency_before_cut * CUT_HELPED:
            self._long_latency = latency
            self._set(self._cut_from)
        self._cut_from = 0.0
