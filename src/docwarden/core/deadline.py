"""The moment by which a request must be answered."""

from __future__ import annotations


class Deadline:
    """A point in monotonic time, set once per request and passed down.

    Attributes:
        at: Monotonic seconds.
    """

    __slots__ = ("_at",)

    def __init__(self, at: float) -> None:
        self._at = at

    @property
    def at(self) -> float:
        """Monotonic seconds; it cannot be moved."""
        return self._at

    def remaining(self, now: float) -> float:
        """Return the seconds left, never below zero."""
        left = self._at - now
        return max(0.0, left)

    def bound(self, timeout: float, now: float) -> float:
        """Return `timeout`, or the seconds left if they are fewer."""
        left = self._at - now
        if left >= timeout:
            return timeout
        return max(0.0, left)
