"""A token bucket. It has no clock; the time is passed in."""


class TokenBucket:
    """Allows `burst` events at once, and one more every `seconds`.

    Args:
        burst: tokens that it holds at most, and initially.
        seconds: between new tokens.
    """

    def __init__(self, *, burst: int, seconds: float) -> None:
        self._burst = burst
        self._seconds = seconds
        self._tokens = float(burst)
        self._at = float("-inf")

    def take(self, now: float) -> float:
        """Take a token at the monotonic second `now`.

        Returns:
            0 if there was one, else the seconds until there is.
        """
        gained = (now - self._at) / self._seconds
        self._tokens = min(self._burst, self._tokens + gained)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) * self._seconds
        self._tokens -= 1
        return 0.0
