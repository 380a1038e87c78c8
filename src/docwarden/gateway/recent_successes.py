"""The last requests that succeeded, for the console; kept only while an operator watches."""

from collections import deque
from typing import Final

from docwarden.core.errors import Outcome
from docwarden.core.request import Request
from docwarden.gateway.request_record import RequestRecord, record_fields

KEPT: Final = 20
"""Records, as many as a page shows; under load, a fraction of a second's requests."""
_WELL: Final = frozenset((Outcome.DELIVERED, Outcome.NOT_MODIFIED, Outcome.NOT_FOUND))


class RecentSuccesses:
    """Keeps the latest requests while an operator watches.

    Attributes:
        watched: whether anyone is watching.
    """

    __slots__ = ("_records", "watched")

    def __init__(self) -> None:
        self._records: deque[RequestRecord] = deque(maxlen=KEPT)
        self.watched = False

    def note(self, request: Request, *, status: int, seconds: float) -> None:
        """Add a request, if it asked for a document and succeeded."""
        result = request.result
        if result.outcome not in _WELL or result.fetch is None:
            return
        fields = record_fields(request, status=status, seconds=seconds)
        self._records.append(RequestRecord(**fields, media_type=result.media_type))

    def newest_first(self, *, watched: bool) -> list[RequestRecord]:
        """Return the records, and keep further ones only if `watched`."""
        self.watched = watched
        if not watched:
            self._records.clear()
        return list(reversed(self._records))
