"""Pure functions of header values: conditions, ranges, and the preferred kind of answer.

RFC 9110, sections 12 to 14.
"""

import re
from typing import Final, NamedTuple

_RANGE: Final = re.compile(rb"bytes=[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.IGNORECASE)
_ENTITY_TAG: Final = re.compile(rb'(W/)?("[\x21\x23-\x7e\x80-\xff]*")')
# A weight of zero means "not acceptable" (12.4.2).
_REFUSED: Final = re.compile(rb";[ \t]*q=0(\.0{0,3})?[ \t]*$", re.IGNORECASE)
_JSON: Final = frozenset((b"application/json", b"application/problem+json"))


class Span(NamedTuple):
    """The bytes `first` to `last`, both included, of a document."""

    first: int
    last: int

    @property
    def length(self) -> int:
        """The number of bytes."""
        return self.last - self.first + 1


class Unsatisfiable(NamedTuple):
    """A valid range that lies outside a document of `size` bytes."""

    size: int


def if_match_allows(if_match: bytes, etag: bytes) -> bool:
    """Whether an If-Match value names `etag` (quoted), by strong comparison (13.1.1)."""
    return if_match.strip() == b"*" or (b"", etag) in _ENTITY_TAG.findall(if_match)


def matches(if_none_match: bytes, etag: bytes) -> bool:
    """Whether an If-None-Match value names `etag` (quoted), by weak comparison (13.1.2)."""
    if if_none_match.strip() == b"*":
        return True
    return any(tag == etag for _, tag in _ENTITY_TAG.findall(if_none_match))


def parse_range(value: bytes, size: int) -> Span | Unsatisfiable | None:
    """Return the bytes that a Range value asks for of a document of `size` bytes.

    None where the header is to be ignored: other units, invalid ones, and several ranges at once,
    which a server may answer with the whole (14.2).
    """
    match = _RANGE.fullmatch(value)
    if match is None or match[1] == match[2] == b"":
        return None
    if match[1] == b"":
        suffix = min(int(match[2]), size)
        return Span(size - suffix, size - 1) if suffix else Unsatisfiable(size)
    first = int(match[1])
    last = int(match[2]) if match[2] else size - 1
    if match[2] and last < first:
        return None
    return Span(first, min(last, size - 1)) if first < size else Unsatisfiable(size)


def range_applies(if_range: bytes | None, etag: bytes) -> bool:
    """Whether Range holds given If-Range: by strong comparison (13.1.5), never for dates."""
    return if_range is None or if_range.strip() == etag


def requested_digest(want_repr_digest: bytes) -> str | None:
    """Return the digest algorithm that a Want-Repr-Digest value prefers (RFC 9530 section 4).

    `sha-256` or `sha-512`, or None where it asks for neither or is not a dictionary of integers.
    """
    best: tuple[int, str] | None = None
    for member in want_repr_digest.split(b",", 16)[:16]:
        name, _, weight = member.strip().partition(b"=")
        text = name.decode("latin-1")
        if text not in ("sha-256", "sha-512") or not weight.isdigit() or len(weight) > 2:
            continue
        preference = int(weight)
        if 1 <= preference <= 10 and (best is None or preference > best[0]):
            best = (preference, text)
    return best[1] if best else None


def prefers_html(accept: bytes) -> bool:
    """Whether an Accept value names HTML and no kind of JSON, as browsers' do for pages."""
    accepted = {
        member.partition(b";")[0].strip().lower()
        for member in accept.split(b",", 32)[:32]
        if not _REFUSED.search(member)
    }
    return b"text/html" in accepted and accepted.isdisjoint(_JSON)
