"""How often something may be done: a token bucket. No clock; time comes in."""


class TokenBucket:
    """Lets so many through at once, and one more each so many seconds.

    Args:
        burst: tokens that it holds at most, and at first.
        seconds: until another comes.
    """

    def __init__(self, *, burst: int, seconds: float) -> None:
        self._burst = burst
        self._seconds = seconds
        self._tokens = float(burst)
        self._at = float("-inf")

    def take(self, now: float) -> float:
        """Take a token at the monotonic second `now`.

        Returns:
            0 where there was one, else the seconds until there will be.
        """
        gained = (now - self._at) / self._seconds
        self._tokens = min(self._burst, self._tokens + gained)
        self._at = now
        if self._tokens < 1:
            return (1 - self._tokens) * self._seconds
        self._tokens -= 1
        return 0.0
