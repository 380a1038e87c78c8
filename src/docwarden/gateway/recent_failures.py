"""The last requests that failed, for the console: ring buffers of bounded records.

An open circuit or a full gateway refuses thousands of requests in a moment. Refusals have a ring of
their own, so that they do not evict the failures that explain them.
"""

from collections import deque
from dataclasses import dataclass
from operator import attrgetter
from typing import Final

from docwarden.core.errors import Failure, Outcome
from docwarden.core.request import Request
from docwarden.gateway.request_record import RequestRecord, record_fields

KEPT: Final = 45
KEPT_REFUSED: Final = 5
"""Records; the oldest goes first. With every text at its longest, about 20 KB together."""
REFUSED: Final = frozenset((Outcome.OVERLOADED, Outcome.CIRCUIT_OPEN))
"""Outcomes of requests that were turned away to protect the gateway or the upstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRequest(RequestRecord):
    """One request that failed.

    Attributes:
        reason: the stable reason code.
        detail: the cause behind a transport failure, empty where that is unknown.
    """

    reason: str
    detail: str


class RecentFailures:
    """Remembers the last failures.

    Attributes:
        total: failures since the start, so that readers notice new ones.
    """

    __slots__ = ("_refused", "_tried", "total")

    def __init__(self) -> None:
        self._tried: deque[FailedRequest] = deque(maxlen=KEPT)
        self._refused: deque[FailedRequest] = deque(maxlen=KEPT_REFUSED)
        self.total = 0

    def note(self, request: Request, failure: Failure, *, status: int, seconds: float) -> None:
        """Add a request that ended in `failure`, or in an old copy because of it."""
        self.total += 1
        ring = self._refused if failure.rule.outcome in REFUSED else self._tried
        ring.append(
            FailedRequest(
                **record_fields(request, status=status, seconds=seconds),
                reason=failure.reason,
                detail=failure.detail or "",
                media_type=failure.media_type or "",
            )
        )

    def newest_first(self) -> list[FailedRequest]:
        """Return the records, newest first."""
        return sorted((*self._tried, *self._refused), key=attrgetter("at"), reverse=True)
