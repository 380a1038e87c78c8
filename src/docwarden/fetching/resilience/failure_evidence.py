"""When results say that an upstream fails: many failures in a row, or nearly only failures."""

from __future__ import annotations

from typing import Final

BUCKETS: Final = 10
"""Steps in which the window slides; a result leaves it between 9/10 and 10/10 of its length."""


class FailureEvidence:
    """Counts results and tells with each failure whether it is one too many.

    Args:
        in_a_row: Failures without a success between them that are too many.
        row_span: Seconds that such a row has to last at least.
        share: Share of failures in the window that is too much, from 0 to 1.
        least_results: Results in the window below which the share says nothing.
        window: Length of the sliding window, seconds.
    """

    __slots__ = (
        "_bucket",
        "_bucket_ends",
        "_failures",
        "_in_a_row",
        "_least_results",
        "_row_began",
        "_row_length",
        "_row_span",
        "_share",
        "_successes",
        "_width",
    )

    def __init__(
        self,
        *,
        in_a_row: int,
        row_span: float,
        share: float,
        least_results: int,
        window: float,
    ) -> None:
        self._in_a_row = in_a_row
        self._row_span = row_span
        self._share = share
        self._least_results = least_results
        self._width = window / BUCKETS
        self._successes = [0] * BUCKETS
        self._failures = [0] * BUCKETS
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        self._row_length = 0
        self._row_began = 0.0
        self._bucket = 0
        self._bucket_ends = float("-inf")
        self._successes[:] = self._failures[:] = [0] * BUCKETS

    def succeeded(self, now: float) -> None:
        """Count a success."""
        if now >= self._bucket_ends:
            self._slide(now)
        self._row_length = 0
        self._successes[self._bucket] += 1

    def failed(self, now: float) -> bool:
        """Count a failure and tell whether there are too many now."""
        if now >= self._bucket_ends:
            self._slide(now)
        self._failures[self._bucket] += 1
        if self._row_length == 0:
            self._row_began = now
        self._row_length += 1
        if self._row_length >= self._in_a_row and now - self._row_began >= self._row_span:
            return True
        failures = sum(self._failures)
        results = failures + sum(self._successes)
        return results >= self._least_results and failures >= self._share * results

    def _slide(self, now: float) -> None:
        """Empty the buckets whose time came round and make the one of `now` current."""
        since_end = now - self._bucket_ends
        if since_end >= self._width * BUCKETS:
            # Nothing in the window (or nothing counted yet): it starts anew at this result.
            self._successes[:] = self._failures[:] = [0] * BUCKETS
            self._bucket_ends = now + self._width
            return
        for _ in range(int(since_end / self._width) + 1):
            self._bucket = (self._bucket + 1) % BUCKETS
            self._successes[self._bucket] = self._failures[self._bucket] = 0
            self._bucket_ends += self._width
