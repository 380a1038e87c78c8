"""Tier 3 of TIFF, by libtiff. Runs in the deep checker's process only.

Every page of the chain is judged by itself, by its offset. A page in a compression that this
libtiff does not decode, or beyond the bounds below, is not judged; those behind it still are.

libtiff's errors count as damage, and so do its warnings about the picture's data. Two kinds have
checks of their own: warnings about a directory (a tag of the wrong kind, which is ignored) leave
every reader a picture, and bad lines of a Group 3 fax come from the telephone line and are skipped
by decoders. LZW and old JPEG warn of the age of a file.
"""

import ctypes
from typing import Final

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.deep.libtiff import Pages, opened
from docwarden.integrity.formats.tiff import Page, TiffReason, pages_of
from docwarden.integrity.reasons import Reason, ReasonSet
from docwarden.integrity.record import Failures

MAX_DECODED: Final = 128 << 20
"""Bytes that all pages together may decode to; what is beyond is not judged."""
MAX_PIECE: Final = 32 << 20
"""Bytes that one strip or tile decodes to; of a larger strip the rows are decoded one by one."""
MAX_PAGES: Final = 10_000

_FAX: Final = frozenset({2, 3, 32771})  # CCITT 1D and Group 3, whose lines stand for themselves
_WARN_OF_AGE: Final = frozenset({5, 6})  # LZW, old JPEG
_PHOTOMETRIC: Final = 262
# Compressions that are registered or in use (TIFF 6.0, libtiff's tiff.h, DNG 1.7, and vendors
# of scanners and microscopes). A page in one of these that libtiff does not decode is not judged; a
# page in any other was damaged.
_COMPRESSIONS: Final = frozenset(
    {*range(1, 11), 99, 22610, 32766, 32767, 32769, 32770, 32771, 32773, 32809}
    | {*range(32895, 32899), 32908, 32909, 32946, 32947, 33003, 33004, 33005, 33007, 34661, 34663}
    | {34665, 34676, 34677, 34712, 34713, 34718, 34719, 34720, 34887, 34892, 34925, 34926, 34927}
    | {34933, 34934, 48124, 50000, 50001, 50002, 52546, 65000}
)


def decode_tiff(data: bytes, _tier: int) -> Failures:
    """Return what libtiff rejects in a TIFF."""
    try:
        pages = pages_of(data)
    except BrokenError as broken:  # its check observes
        return [(Reason.IMAGE_UNDECODABLE, broken.finding.detail)]
    with opened(data) as tiff:
        if tiff is None:
            return [(Reason.IMAGE_UNDECODABLE, "libtiff finds no TIFF")]
        return _decode_pages(tiff, pages[:MAX_PAGES])


def _decode_pages(tiff: Pages, pages: list[Page]) -> Failures:
    failures: dict[ReasonSet, str] = {}
    decoder = _Decoder(tiff)
    for number, page in enumerate(pages):
        for reason, words in decoder.look(page):
            failures.setdefault(reason, f"page {number}: {words}")
        if Reason.IMAGE_UNDECODABLE in failures:
            break
    return list(failures.items())


class _Decoder:
    """Decodes pages, with one buffer and one budget."""

    def __init__(self, tiff: Pages) -> None:
        self._tiff = tiff
        self._left = MAX_DECODED
        self._buffer = ctypes.create_string_buffer(0)

    def look(self, page: Page) -> Failures:
        """Return what libtiff rejects in a page."""
        tiff, messages = self._tiff, self._tiff.messages
        messages.clear()
        unknown = sum(not tiff.knows(tag) for tag in page.tags)
        if not tiff.choose(page.offset) or messages.errors:
            return [(Reason.IMAGE_UNDECODABLE, _first(messages.errors))]
        if _PHOTOMETRIC in page.tags and not tiff.has(_PHOTOMETRIC):
            return [(Reason.IMAGE_UNDECODABLE, _first(messages.warnings))]
        failures: Failures = []
        if len(messages.warnings) > unknown:
            failures.append((TiffReason.DIRECTORY_ODD, _first(messages.warnings)))
        if not tiff.supported:
            if tiff.compression not in _COMPRESSIONS:
                words = f"the compression {tiff.compression}, which nobody writes"
                failures.append((Reason.IMAGE_UNDECODABLE, words))
            return failures
        messages.clear()
        failures += self._failures_of(page, whole=self._decode(page))
        return failures

    def _failures_of(self, page: Page, *, whole: bool) -> Failures:
        messages, compression = self._tiff.messages, self._tiff.compression
        offences = (
            messages.errors if compression in _WARN_OF_AGE else messages.errors + messages.warnings
        )
        if self._tiff.pieces()[0] > page.pieces:
            return [(Reason.IMAGE_UNDECODABLE, f"it lists {page.pieces} strips or tiles")]
        if whole and not offences:
            return []
        if whole and compression in _FAX:
            return [(TiffReason.FAX_LINES_DAMAGED, _first(offences))]
        return [(Reason.IMAGE_UNDECODABLE, _first(offences))]

    def _decode(self, page: Page) -> bool:
        """Decode a page as far as the budget goes. Returns whether it could be decoded."""
        tiff = self._tiff
        pieces, size = tiff.pieces()
        if size > MAX_PIECE:
            return tiff.tiled or self._decode_rows()
        buffer = self._room(size)
        for number in range(min(pieces, page.pieces)):
            if self._left < size:
                break
            # A sparse file leaves pieces of one colour out, and says so.
            if tiff.stored(number):
                self._left -= size
                if not tiff.decode(number, buffer):
                    return False
        return True

    def _decode_rows(self) -> bool:
        rows, size = self._tiff.rows()
        if size > MAX_PIECE:
            return True
        buffer = self._room(size)
        for number in range(rows):
            if self._left < size or self._tiff.messages.errors:
                break
            self._left -= size
            if not self._tiff.decode_row(number, buffer):
                return False
        return True

    def _room(self, size: int) -> "ctypes.Array[ctypes.c_char]":
        if len(self._buffer) < size:
            self._buffer = ctypes.create_string_buffer(size)
        return self._buffer


def _first(words: list[str]) -> str:
    return words[0] if words else "it cannot be read"
