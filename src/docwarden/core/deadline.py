"""The moment by which a request must be answered."""


class Deadline(float):
    """A point in time, in monotonic seconds; set once per request and passed down."""

    __slots__ = ()

    def remaining(self, now: float) -> float:
        """Return the seconds left, never below zero."""
        return max(0.0, self - now)

    def bound(self, timeout: float, now: float) -> float:
        """Return `timeout`, or the seconds left if they are fewer."""
        left = self - now
        if left >= timeout:
            return timeout
        return max(0.0, left)
