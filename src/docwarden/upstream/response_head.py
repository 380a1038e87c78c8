"""How the body of an answer is framed, from its head.

The parser has accepted the head before, so its lines are well formed: each name touches its
colon, no line is folded, and neither a second Content-Length nor one beside Transfer-Encoding is
left (RFC 9112 sections 5.1, 5.2 and 6.3). Searching it for three names costs less than a
callback for each of its lines.
"""

import re
from typing import Final

from docwarden.core.errors import Cause, Failure
from docwarden.core.reasons import FailureReason
from docwarden.integrity.reasons import Reason

# Room for generous headers; nginx allows 8 x 4 or 8 KiB for upstream's, Go's client 1 MiB.
MAX_HEAD_BYTES: Final = 64 * 1024
MAX_HEADER_LINES: Final = 128
MAX_REMEMBERED_BYTES: Final = 1024
MAX_REMEMBERED_HEADS: Final = 256

# IANA's registry of content codings, but for `identity`. Other names (aws-chunked, none, utf-8) say
# nothing about compression: verification decides about such a body.
_COMPRESSIONS: Final = frozenset(
    (
        b"aes128gcm", b"br", b"compress", b"dcb", b"dcz", b"deflate", b"exi", b"gzip",
        b"pack200-gzip", b"x-compress", b"x-gzip", b"zstd",
    )
)  # fmt: skip

_LENGTH: Final = b"\ncontent-length:"
_CODINGS: Final = re.compile(rb"\n(content|transfer)-encoding:[ \t]*([^\r\n]*)")


class PlainHeads:
    """Heads that were parsed before, each with the body length that it declares.

    An upstream repeats its heads until its Date changes. Heads with a field per document never
    repeat: the look-up costs them 0.15 us, and llhttp alone 0.7 (timeit, 3.11).

    Attributes:
        lengths: length of the body by head.
        size: of the head that was seen last.
    """

    __slots__ = ("lengths", "size")

    def __init__(self) -> None:
        self.lengths: dict[bytes, int] = {}
        self.size = 0

    def remember(self, head: bytes | bytearray, declared: int) -> None:
        """Remember that `head` announces `declared` bytes on a connection that is kept alive."""
        if len(head) <= MAX_REMEMBERED_BYTES:
            if len(self.lengths) >= MAX_REMEMBERED_HEADS:
                self.lengths.clear()
            self.lengths[bytes(head)] = declared
            self.size = len(head)


def framing_of(head: bytes | bytearray, status: int) -> tuple[int | None, bool]:
    """Return the declared length of the body, if any, and whether it is chunked.

    Raises:
        Failure: the head has more than `MAX_HEADER_LINES`, or a document is compressed
            or has an unknown transfer coding.
    """
    lower = head.lower()
    # The status line and the empty one are lines too. None is shorter than four bytes.
    if len(lower) > 4 * MAX_HEADER_LINES and lower.count(b"\n") > MAX_HEADER_LINES + 2:
        raise FailureReason.HEAD_TOO_LARGE.failure()
    chunked = status in (200, 203) and b"encoding" in lower and _is_chunked(lower)
    at = lower.find(_LENGTH)
    if at < 0:
        return None, chunked
    return int(lower[at + len(_LENGTH) : lower.find(b"\n", at + 1)]), chunked


def _is_chunked(lower: bytes | bytearray) -> bool:
    chunked = False
    for kind, value in _CODINGS.findall(lower):
        coding = value.strip()
        if kind == b"transfer":
            chunked = True
            if coding != b"chunked":
                raise FailureReason.TRANSFER_CODING_UNKNOWN.failure()
        elif not _COMPRESSIONS.isdisjoint(each.strip() for each in coding.split(b",")):
            raise Failure(Cause.CORRUPT, Reason.CONTENT_CODED)
    return chunked
