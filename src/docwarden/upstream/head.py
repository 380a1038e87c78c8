"""What an answer's head says of its body.

Heads have been through the parser before, so their lines are well formed: each name touches its
colon, no line is folded, and neither a second Content-Length nor one beside Transfer-Encoding is
left (RFC 9112 sections 5.1, 5.2 and 6.3). To look for three names in a head then costs less than
to be called for each of its lines.

All functions take the head in lower case.
"""

import re
from typing import Final

from docwarden.errors import Cause, Failure

# Room for generous headers; nginx allows 8 x 4 or 8 KiB for upstream's, Go's client 1 MiB.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADER_LINES: Final = 128

_LENGTH: Final = b"\ncontent-length:"
_CODINGS: Final = re.compile(rb"\n(content|transfer)-encoding:[ \t]*([^\r\n]*)")


def check_lines(head: bytes | bytearray) -> None:
    """Refuse a head of too many lines.

    Raises:
        Failure: there are more than `MAX_HEADER_LINES`.
    """
    if head.count(b"\n") > MAX_HEADER_LINES + 2:  # the status line, and the empty one at the end
        raise Failure(Cause.PROTOCOL, "head-too-large")


def declared_length(head: bytes | bytearray) -> int | None:
    """Return the bytes of the body as declared, or None where nothing is."""
    at = head.find(_LENGTH)
    return int(head[at + len(_LENGTH) : head.find(b"\n", at + 1)]) if at >= 0 else None


def is_chunked(head: bytes | bytearray) -> bool:
    """Return whether the body comes in chunks.

    Raises:
        Failure: it is compressed, or comes in a way that nobody asked for.
    """
    if b"-encoding:" not in head:
        return False
    chunked = False
    for kind, value in _CODINGS.findall(head):
        coding = value.strip()
        if kind == b"transfer":
            chunked = True
            if coding != b"chunked":
                raise Failure(Cause.PROTOCOL, "transfer-coding-unknown")
        elif coding not in (b"", b"identity"):
            raise Failure(Cause.CORRUPT, "content-coded")
    return chunked
