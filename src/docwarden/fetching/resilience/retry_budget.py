"""Limits the retries that may be in flight at once, over all requests.

Attempts per request bound what one request costs; only a budget over all of them keeps retries
from multiplying the load of an upstream that fails for everyone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class RetryBudget:
    """At most `max(floor, ratio * requests in flight)` retries at once, after Envoy's budgets.

    A retry holds its place from the decision to retry, so during its backoff too, until its attempt
    has ended. Where every request in flight makes one attempt at a time and attempts last
    alike, first attempts are at least `1 - ratio` of all, so the load that the upstream sees is at
    most `1 / (1 - ratio)` times that without retries, and above the floor never more.

    There are two budgets, since corruption is normal here and must not use up the places of
    transport retries:

    * transport: ratio 0.2 (Envoy's `budget_percent`), floor 3 (`min_retry_concurrency`): a dead
      upstream sees at most 1.25 times the load.
    * corruption: ratio 0.4, floor 10. At 10 % corruption a request makes 1.111 attempts, so of N
      requests in flight 10 % are in a retry: binomial with p = 0.1. The worst N is 27 (limit
      still 10): 10 of the 26 others hold a place with probability 0.00012, times 0.111 retries a
      request = 0.0013 % of the requests refused, beside the 0.01 % that exhaust four attempts;
      0.03 % is allowed. A wholly corrupt upstream sees at most 1.67 times the load instead of 4.

    Args:
        requests: Returns how many requests are in flight.
        ratio: Share of them that may be in a retry, from 0 to 1.
        floor: Retries that may always be in flight.

    Attributes:
        retries: Retries in flight.
        refused: Retries refused since the start.
    """

    __slots__ = ("_floor", "_ratio", "_requests", "refused", "retries")

    def __init__(self, requests: Callable[[], int], *, ratio: float = 0.2, floor: int = 3) -> None:
        self._requests = requests
        self._ratio = ratio
        self._floor = floor
        self.retries = 0
        self.refused = 0

    @classmethod
    def for_corruption(cls, requests: Callable[[], int]) -> RetryBudget:
        """Return the budget for corrupt documents; the class docstring has the arithmetic."""
        return cls(requests, ratio=0.4, floor=10)

    @property
    def limit(self) -> int:
        """How many retries may be in flight now."""
        return max(self._floor, int(self._ratio * self._requests()))

    @property
    def remaining(self) -> int:
        """How many more retries may start now."""
        return max(0, self.limit - self.retries)

    def try_take(self) -> bool:
        """Take a place for one retry; release it when its attempt has ended."""
        if self.retries >= self.limit:
            self.refused += 1
            return False
        self.retries += 1
        return True

    def release(self) -> None:
        """Release the place of a retry that has ended, whatever its result."""
        self.retries -= 1
