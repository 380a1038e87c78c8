"""The last requests that went well, for an operator who looks at them; kept on demand only."""

from collections import deque
from dataclasses import dataclass
from typing import Final

from docwarden.core.errors import Outcome
from docwarden.core.request import Request

KEPT: Final = 20
"""Records: as many as a page shows. Under load most of a second's requests are not among them."""
_WELL: Final = frozenset((Outcome.DELIVERED, Outcome.NOT_MODIFIED, Outcome.NOT_FOUND))


@dataclass(frozen=True, slots=True)
class Succeeded:
    """One request for a document that ended well; every text is ours or was checked.

    Attributes:
        at: epoch seconds of its end.
        request_id: as in the answer and the log.
        document_id: decimal digits.
        status: of the answer.
        outcome: its label in `docwarden_documents_total`.
        media_type: of what was delivered, empty where nothing was.
        attempts: result of each attempt.
        seconds: from the request's head to the answer's end.
    """

    at: float
    request_id: str
    document_id: str
    status: int
    outcome: str
    media_type: str
    attempts: tuple[str, ...]
    seconds: float


class RecentSuccesses:
    """Remembers them while they are wanted.

    Attributes:
        wanted: whether somebody looks.
    """

    __slots__ = ("_records", "wanted")

    def __init__(self) -> None:
        self._records: deque[Succeeded] = deque(maxlen=KEPT)
        self.wanted = False

    def note(self, request: Request, *, status: int, seconds: float) -> None:
        """Remember one request, if it asked for a document and ended well."""
        result = request.result
        if result.outcome not in _WELL or result.fetch is None:
            return
        self._records.append(
            Succeeded(
                at=request.wall + seconds,
                request_id=request.request_id,
                document_id=result.fetch.document_id,
                status=status,
                outcome=result.outcome,
                media_type=result.media_type,
                attempts=tuple(end for end, _ in result.fetched.attempts) if result.fetched else (),
                seconds=seconds,
            )
        )

    def newest_first(self, *, wanted: bool) -> list[Succeeded]:
        """Return what is remembered; from now on as `wanted` says."""
        self.wanted = wanted
        if not wanted:
            self._records.clear()
        return list(reversed(self._records))
