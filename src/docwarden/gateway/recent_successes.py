"""The last requests that went well, for an operator who looks at them; kept on demand only."""

from collections import deque
from typing import Final

from docwarden.core.errors import Outcome
from docwarden.core.request import Request
from docwarden.gateway.noted import Noted, facts

KEPT: Final = 20
"""Records: as many as a page shows. Under load most of a second's requests are not among them."""
_WELL: Final = frozenset((Outcome.DELIVERED, Outcome.NOT_MODIFIED, Outcome.NOT_FOUND))


class RecentSuccesses:
    """Remembers them while they are wanted.

    Attributes:
        wanted: whether somebody looks.
    """

    __slots__ = ("_records", "wanted")

    def __init__(self) -> None:
        self._records: deque[Noted] = deque(maxlen=KEPT)
        self.wanted = False

    def note(self, request: Request, *, status: int, seconds: float) -> None:
        """Remember one request, if it asked for a document and ended well."""
        result = request.result
        if result.outcome not in _WELL or result.fetch is None:
            return
        told = facts(request, status=status, seconds=seconds)
        self._records.append(Noted(**told, media_type=result.media_type))

    def newest_first(self, *, wanted: bool) -> list[Noted]:
        """Return what is remembered; from now on as `wanted` says."""
        self.wanted = wanted
        if not wanted:
            self._records.clear()
        return list(reversed(self._records))
