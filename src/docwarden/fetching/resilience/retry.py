"""Decides which failed attempts are retried, and after how long.

The rules:

1. Transport failures (connect, reset, timeout, 5xx) and corrupt documents are counted separately,
   because corrupt documents are normal for this upstream and say nothing about its health.
2. The last failure that its kind allows ends the request. With 3 transport attempts and
   4 corrupt ones, a request makes at most 2 + 3 + 1 = 6 attempts.
3. Transport retries back off with full jitter; corruption retries do not, as the next answer is
   independent of the last and the wait would only cost the client.
4. No retry starts after the deadline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from docwarden.core.errors import Retry

if TYPE_CHECKING:
    from collections.abc import Callable


def full_jitter(
    attempt: int, *, base: float = 0.025, cap: float = 0.250, random: Callable[[], float]
) -> float:
    """Return the seconds to wait before retry number `attempt`, counted from 1.

    Uniform between zero and an upper bound that doubles with each retry. Base and cap are those of
    Envoy's retry policy (25 ms, ten times that); the shape is "full jitter" of the AWS
    Architecture Blog, which spreads clients that failed together best.

    Args:
        attempt: Number of the retry, 1 for the first.
        base: Upper bound for the first retry, seconds.
        cap: Upper bound for any retry, seconds.
        random: Draws uniformly from [0, 1).
    """
    # The exponent is bounded so that a wild number cannot build a huge float.
    return random() * min(cap, base * 2.0 ** min(attempt - 1, 32))


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The limits of retries for each request.

    Attributes:
        transport_attempts: Attempts that may fail in the transport (SRE book ch. 21: three).
        corruption_attempts: Attempts that may come back corrupt. At 10 % corruption three would
            leave 0.1 % of the requests failing, four leave 0.01 %.
        backoff_base: See `full_jitter`, seconds.
        backoff_cap: See `full_jitter`, seconds.
    """

    transport_attempts: int = 3
    corruption_attempts: int = 4
    backoff_base: float = 0.025
    backoff_cap: float = 0.250


class RetryState:
    """The failures of one request so far; not needed before the first of them."""

    __slots__ = ("_policy", "corruption_failures", "transport_failures")

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self.transport_failures = 0
        self.corruption_failures = 0

    def may_retry(
        self, kind: Retry, *, remaining: float, random: Callable[[], float]
    ) -> float | None:
        """Record a failed attempt, and return when the next may start.

        Take from the budget only after this has allowed a retry.

        Args:
            kind: The allowance that the failure's cause draws on.
            remaining: Seconds until the request's deadline.
            random: Draws uniformly from [0, 1).

        Returns:
            Seconds to wait, or None if the request ends with this failure.
        """
        if kind is Retry.TRANSPORT:
            return self._after_transport_failure(remaining, random)
        if kind is Retry.CORRUPTION:
            self.corruption_failures += 1
            allowed = self.corruption_failures < self._policy.corruption_attempts
            return 0.0 if allowed and remaining > 0.0 else None
        return None

    def _after_transport_failure(
        self, remaining: float, random: Callable[[], float]
    ) -> float | None:
        policy = self._policy
        self.transport_failures += 1
        if self.transport_failures >= policy.transport_attempts:
            return None
        delay = full_jitter(
            self.transport_failures,
            base=policy.backoff_base,
            cap=policy.backoff_cap,
            random=random,
        )
        return delay if delay < remaining else None
