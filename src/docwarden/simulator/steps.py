"""The steps of an answer: bytes to send, and what to do between and after them.

A fault is a function that yields steps; the connection performs them one by one and stops as
soon as the peer goes away, so a fault may yield without end. After the last step the connection
stays open for the next request, unless a step ended it or the peer asked to close it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from docwarden.simulator.documents import SampleDocument

REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    410: "Gone",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass(frozen=True, slots=True)
class Pause:
    """Send nothing for so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Close the listener and reset every connection, for so many seconds."""

    seconds: float


class End(Enum):
    """How a connection ends."""

    HANG = auto()  # nothing more, until the peer gives up
    CLOSE = auto()  # FIN after what was sent
    RESET = auto()  # RST after what was sent


Step = bytes | Pause | Refuse | End
Steps = Iterator[Step]


@dataclass(frozen=True, slots=True)
class Exchange:
    """The request and document that a fault applies to.

    `document` is what would have been answered, `date` the value for the Date header, `earlier`
    how many answers this connection had before, and `seed` makes random bytes repeatable.
    """

    document: SampleDocument
    body: bytes
    date: bytes
    head_only: bool = False
    earlier: int = 0
    seed: int = 0

    def head(
        self, *fields: str, status: int = 200, media_type: str | None = None, end: bool = True
    ) -> bytes:
        """Return a status line and header fields; without `end`, the empty line is omitted."""
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'Unnamed')}",
            "Server: docwarden-simulator",
            f"Date: {self.date.decode('ascii')}",
            f"Content-Type: {media_type or self.document.media_type}",
            *fields,
        ]
        return ("\r\n".join(lines) + ("\r\n\r\n" if end else "\r\n")).encode("latin-1")

    def sized_head(self, length: int, *fields: str) -> bytes:
        """Return the head of a 200 with the document's type that declares `length` bytes."""
        return self.head(f"Content-Length: {length}", *fields)

    def content(self, body: bytes) -> bytes:
        """Return the body to send: empty if the request was HEAD."""
        return b"" if self.head_only else body

    def answer(
        self, body: bytes, *fields: str, status: int = 200, media_type: str | None = None
    ) -> bytes:
        """Return a complete, well-formed answer."""
        length = f"Content-Length: {len(body)}"
        return self.head(length, *fields, status=status, media_type=media_type) + self.content(body)

    def normal(self) -> bytes:
        """Return the answer without the fault."""
        return self.answer(self.body)
