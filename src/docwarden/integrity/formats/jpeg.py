"""Tier 2 of JPEG: segments and scans up to the end-of-image marker.

Source: ITU-T T.81, annex B. Every process passes, arithmetic and lossless ones included: what a
decoder does not support is not damage. Phone cameras put further pictures (CIPA DC-007) or a film
behind the image, and writers pad with zeros; none of that counts as trailing bytes.

What tier 2 cannot see: bytes that changed within the entropy-coded data without making a marker.
"""

import re
from typing import Final

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data


class JpegCheck(CheckSet):
    """The checks of a JPEG."""

    STRUCTURE = (
        "jpeg-structure",
        2,
        Mode.ENFORCE,
        "The segments and scans follow each other to the end-of-image marker.",
    )


class JpegReason(ReasonSet):
    """Why a JPEG fails them."""

    MARKER_MISSING = (
        "jpeg-marker-missing",
        JpegCheck.STRUCTURE,
        "Something else stands where a marker must be.",
    )
    SEGMENT_TRUNCATED = (
        "jpeg-segment-truncated",
        JpegCheck.STRUCTURE,
        "A segment or scan reaches past the end of the bytes.",
    )
    FRAME_INVALID = (
        "jpeg-frame-invalid",
        JpegCheck.STRUCTURE,
        "The frame header is missing or holds impossible values.",
    )
    SCAN_MISSING = ("jpeg-scan-missing", JpegCheck.STRUCTURE, "There is no scan.")
    TOO_MANY_SEGMENTS = (
        "jpeg-too-many-segments",
        JpegCheck.STRUCTURE,
        "More segments than any encoder writes.",
    )


MAX_SEGMENTS: Final = 8_192
MAX_PICTURES: Final = 64
"""How many further pictures behind the first one are followed."""

_SOI: Final = b"\xff\xd8\xff"
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_FRAME_LENGTH: Final = 9  # of a frame header with one component, without its length
_DNL: Final = 0xDC
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RSTn have no length
_KNOWN: Final = frozenset({*_BARE, *range(0xC0, 0xD0), *range(0xD9, 0xF0), 0xFE})
# What ends a scan: a marker that is neither a stuffed zero, a restart, nor fill bytes.
_SCAN_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_NOT_ZERO: Final = re.compile(rb"[^\0]")
_NOT_FILL: Final = re.compile(rb"[^\xff]")


def walk_jpeg(data: Data) -> Walked:
    """Return where the picture and what belongs to it end.

    Raises:
        BrokenError: The bytes are no whole JPEG.
    """
    end = _Picture(data, 0).walk()
    return (end if end == len(data) else _skip_companions(data, end)), ()


def frame_code(data: Data) -> int | None:
    """Return the marker code of the first frame header (T.81 table B.1), or None without one."""
    try:
        return _Picture(data, 0).find_frame()
    except BrokenError:
        return None


def _skip_companions(data: Data, end: int) -> int:
    """Return where bytes begin that belong to nothing known."""
    for _ in range(MAX_PICTURES):
        padding = _NOT_ZERO.search(data, end)
        if padding is None:
            return len(data)
        end = padding.start()
        # ISO base media, the film of a motion photo; its first box's length begins with zeros.
        if b"ftyp" in data[end : end + 8]:
            return len(data)
        if not data.startswith(_SOI, end):
            break
        try:
            end = _Picture(data, end).walk()
        except BrokenError:
            break
    return end


class _Picture:
    """The walk over one picture, from SOI to EOI."""

    __slots__ = ("_at", "_data", "_framed", "_high", "_scans")

    def __init__(self, data: Data, start: int) -> None:
        self._data = data
        self._at = start + 2
        self._framed = False
        self._high = True
        self._scans = 0

    def walk(self) -> int:
        """Return where EOI ends. Raises `BrokenError`."""
        for _ in range(MAX_SEGMENTS):
            code = self._marker()
            if code == _EOI:
                if not self._scans:
                    raise BrokenError(JpegReason.SCAN_MISSING, "EOI without any scan")
                if not self._high:
                    raise BrokenError(JpegReason.FRAME_INVALID, "the height is zero")
                return self._at
            if code not in _BARE:
                self._segment(code)
        raise BrokenError(JpegReason.TOO_MANY_SEGMENTS, f"more than {MAX_SEGMENTS} segments")

    def find_frame(self) -> int | None:
        """Return the code of the first frame header. Raises `BrokenError`."""
        for _ in range(MAX_SEGMENTS):
            code = self._marker()
            if code in _FRAMES:
                return code
            if code not in _BARE:
                self._segment(code)
        return None

    def _marker(self) -> int:
        """Step over fill bytes and a marker, and return its code."""
        start = self._at
        fill = _NOT_FILL.search(self._data, start)
        if fill is None:
            raise self._truncated()
        code = self._data[fill.start()]
        if fill.start() == start or code not in _KNOWN:
            raise BrokenError(JpegReason.MARKER_MISSING, f"no known marker at {start}")
        self._at = fill.end()
        return code

    def _segment(self, code: int) -> None:
        """Step over a segment and, after a scan header, over the scan's data."""
        at = self._at
        length = int.from_bytes(self._data[at : at + 2], "big")
        if at + max(length, 2) > len(self._data):
            raise self._truncated()
        if length < 2:
            raise BrokenError(JpegReason.MARKER_MISSING, f"an impossible segment length at {at}")
        self._at += length
        if code in _FRAMES:
            self._frame(at, length)
        elif code == _SOS:
            self._scan()
        elif code == _DNL:
            self._high = True

    def _frame(self, at: int, length: int) -> None:
        header = self._data[at + 2 : at + length]
        if len(header) < _FRAME_LENGTH or len(header) != 6 + 3 * header[5]:
            raise BrokenError(JpegReason.FRAME_INVALID, f"the frame header at {at} is misshapen")
        # A height of zero is announced later, by a DNL segment (B.2.5).
        self._high = header[1:3] != b"\0\0"
        if header[3:5] == b"\0\0" or not 2 <= header[0] <= 16:
            raise BrokenError(JpegReason.FRAME_INVALID, f"the frame header at {at} is impossible")
        self._framed = True

    def _scan(self) -> None:
        if not self._framed:
            raise BrokenError(JpegReason.FRAME_INVALID, "a scan comes before any frame header")
        self._scans += 1
        following = _SCAN_END.search(self._data, self._at)
        if following is None:
            raise self._truncated()
        self._at = following.start()

    def _truncated(self) -> BrokenError:
        detail = f"the bytes end at {len(self._data)}, before EOI"
        return BrokenError(JpegReason.SEGMENT_TRUNCATED, detail)


FORMAT: Final = Format(
    name="JPEG",
    media_type="image/jpeg",
    extension="jpg",
    signature=rb"\xff\xd8\xff",
    mangled=rb"(?:\xef\xbf\xbd|\?){3}|\xc3\xbf\xc3\x98\xc3\xbf",
    end_mark=b"\xff\xd9",
    walk=walk_jpeg,
    decoder="docwarden.integrity.deep.decode_jpeg:decode_jpeg",
    checks=JpegCheck,
    reasons=JpegReason,
)
