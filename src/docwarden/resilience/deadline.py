"""The moment by which a request has to be answered."""

from __future__ import annotations

from typing import Self


class Deadline:
    """A point in monotonic time, made once per request and handed down.

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

    @classmethod
    def after(cls, seconds: float, now: float) -> Self:
        """Return the deadline that lies `seconds` after `now`."""
        return cls(now + seconds)

    def remaining(self, now: float) -> float:
        """Return the seconds left, never below zero."""
        left = self._at - now
        return max(0.0, left)

    def passed(self, now: float) -> bool:
        """Tell whether no time is left."""
        return now >= self._at

    def bound(self, timeout: float, now: float) -> float:
        """Return `timeout`, or what is left of the request's time if that is less."""
        left = self._at - now
        if left >= timeout:
            return timeout
        return max(0.0, left)
