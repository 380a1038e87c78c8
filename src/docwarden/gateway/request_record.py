"""The record of a finished request that the console shows."""

from dataclasses import dataclass
from typing import Any

from docwarden.core.request import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request; every text is our own or was validated on input.

    Attributes:
        at: epoch seconds of its end.
        request_id: as in the answer and the log.
        document_id: decimal digits, empty if no document was requested.
        status: of the answer.
        outcome: its label in `docwarden_documents_total`, empty if no document was requested.
        media_type: what the delivered or refused bytes are, empty where that is unknown.
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


def record_fields(request: Request, *, status: int, seconds: float) -> dict[str, Any]:
    """Return the fields of a `RequestRecord` except the media type, which callers add."""
    result = request.result
    return {
        "at": request.wall + seconds,
        "request_id": request.request_id,
        "document_id": result.fetch.document_id if result.fetch else "",
        "status": status,
        "outcome": result.outcome or "",
        "attempts": tuple(end for end, _ in result.fetched.attempts) if result.fetched else (),
        "seconds": seconds,
    }
