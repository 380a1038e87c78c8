"""Proof that data inflate to their end, in bounded memory."""

import zlib
from typing import Final

_PIECE: Final = 1 << 20
_ZLIB_HEADER: Final = 2


def inflate(raw: bytes, limit: int, *, with_checksum: bool = True) -> int:
    """Return how many bytes `raw` inflates to, at least `limit` when it is more than that.

    No bytes at all are no bytes: so qpdf writes the contents of a blank page.

    Raises:
        zlib.error: The data or its checksum is wrong, or the data ends too early.
    """
    if not raw:
        return 0
    if with_checksum:
        inflater = zlib.decompressobj()
    else:
        # Readers never look at the checksum, which four bytes after the data are.
        inflater, raw = zlib.decompressobj(-zlib.MAX_WBITS), raw[_ZLIB_HEADER:]
    length = 0
    while not inflater.eof and length < limit:
        piece = inflater.decompress(raw, _PIECE)
        length += len(piece)
        raw = inflater.unconsumed_tail
        if not piece and not raw and not inflater.eof:
            raise zlib.error("the data ends before its end mark")
    return length
