"""The streams of a PDF: their filters, and whether their data can be inflated.

Runs in the deep checker's process only.
"""

import zlib
from typing import Final

import pikepdf

from docwarden.integrity.formats.pdf import PdfReason
from docwarden.integrity.record import Failures

MAX_STREAMS: Final = 2_000
MAX_INFLATED: Final = 64 << 20
"""Bytes inflated of one document in each tier."""

_PIECE: Final = 1 << 20
_ZLIB_HEADER: Final = 2


def decode_streams(pdf: pikepdf.Pdf) -> Failures:
    """Inflate every stream whose first filter is Flate, and compare its checksum."""
    left = MAX_INFLATED
    streams = 0
    for item in pdf.objects:
        if not isinstance(item, pikepdf.Stream) or not is_flate(filters_of(item)):
            continue
        streams += 1
        if left <= 0 or streams > MAX_STREAMS:
            break
        try:
            left -= inflate(item.read_raw_bytes(), left)
        except (zlib.error, pikepdf.PdfError) as error:
            return [(PdfReason.STREAM_DAMAGED, f"object {item.objgen[0]}: {error}")]
    return []


def filters_of(stream: pikepdf.Object) -> tuple[str, ...]:
    """Return the names of a stream's filters, which may be references themselves."""
    named = stream.get("/Filter")
    listed = list(named) if isinstance(named, pikepdf.Array) else [named]
    return tuple(str(each) for each in listed if isinstance(each, pikepdf.Name))


def is_flate(filters: tuple[str, ...]) -> bool:
    """Return whether the stored data of a stream with these filters is Flate-compressed."""
    return filters[:1] in {("/FlateDecode",), ("/Fl",)}


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
