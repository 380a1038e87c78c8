"""Tier 2 of JPEG: segments and scans up to the end-of-image marker.

Source: ITU-T T.81, annex B. Every process passes, arithmetic and lossless ones included: what a
decoder does not support is not damage. Phone cameras put further pictures (CIPA DC-007) or a film
behind the image, and writers pad with zeros; none of that counts as trailing bytes.

What tier 2 cannot see: bytes that changed within the entropy-coded data without making a marker.
"""

import re
from collections.abc import Iterator
from typing import Final

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.formats.jpeg_headers import FRAMES, HeaderError, Headers, coefficient_bytes
from docwarden.integrity.reasons import Reason, ReasonSet
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data, Finding


class JpegCheck(CheckSet):
    """The checks of a JPEG."""

    STRUCTURE = (
        "jpeg-structure",
        2,
        Mode.ENFORCE,
        "The segments and scans follow each other to the end, and no header is impossible.",
    )
    EXTRA_BYTES = (
        "jpeg-extra-bytes",
        2,
        Mode.OBSERVE,
        "There are no stray bytes between segments; decoders skip them with a warning.",
    )
    SCAN_PARAMETERS = (
        "jpeg-scan-parameters",
        2,
        Mode.OBSERVE,
        "Sequential scans have sequential parameters; decoders ignore others with a warning.",
    )


class JpegReason(ReasonSet):
    """Why a JPEG fails them."""

    MARKER_MISSING = (
        "jpeg-marker-missing",
        JpegCheck.STRUCTURE,
        "Something else is where a marker must be.",
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
    HEADER_INVALID = (
        "jpeg-header-invalid",
        JpegCheck.STRUCTURE,
        "No decoder can use a table or a scan header.",
    )
    SCAN_MISSING = ("jpeg-scan-missing", JpegCheck.STRUCTURE, "There is no scan.")
    TOO_MANY_SEGMENTS = (
        "jpeg-too-many-segments",
        JpegCheck.STRUCTURE,
        "More segments than any encoder writes.",
    )
    EXTRA_BYTES = (
        "jpeg-extra-bytes",
        JpegCheck.EXTRA_BYTES,
        "There are stray bytes between two segments.",
    )
    SCAN_PARAMETERS_ODD = (
        "jpeg-scan-parameters-odd",
        JpegCheck.SCAN_PARAMETERS,
        "A sequential scan has parameters that only a progressive one may have.",
    )


MAX_SEGMENTS: Final = 8_192
MAX_PICTURES: Final = 64
"""How many pictures after the first one are followed."""
MAX_EXTRA: Final = 16
"""Bytes between segments, in total; more of them are the rest of a segment."""

_SOI: Final = b"\xff\xd8\xff"
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RSTn have no length
_KNOWN: Final = frozenset({*_BARE, *range(0xC0, 0xD0), *range(0xD9, 0xF0), 0xFE})
_READ: Final = frozenset({*FRAMES, 0xC4, _SOS, 0xDB, 0xDC, 0xDD})
# What ends a scan: a marker that is neither a stuffed zero, a restart, nor fill bytes.
_SCAN_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_MARKER: Final = re.compile(rb"\xff+[^\x00\xff]")
_NOT_ZERO: Final = re.compile(rb"[^\0]")


def walk_jpeg(data: Data) -> Walked:
    """Return where the picture, with what belongs to it, ends.

    Raises:
        BrokenError: The bytes are not a complete JPEG.
    """
    picture = Picture(data)
    end = picture.walk()
    findings = tuple(picture.oddities())
    return (end if end == len(data) else _skip_companions(data, end)), findings


def _skip_companions(data: Data, end: int) -> int:
    """Return where bytes of unknown purpose begin."""
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
        companion = Picture(data, end)
        try:
            after = companion.walk()
        except BrokenError:
            break
        if not companion.closed:
            break
        end = after
    return end


class Picture:
    """The walk over one picture, from SOI to EOI.

    Attributes:
        headers: What the headers declare.
        kept: The segments that a decoder needs, scans with their data: marker, start of the length
            and end. The others are metadata.
        closed: Whether it ends in EOI.
    """

    __slots__ = ("_at", "_data", "_extra", "closed", "headers", "kept")

    def __init__(self, data: Data, start: int = 0) -> None:
        self._data = data
        self._at = start + 2
        self._extra = 0
        self.headers = Headers()
        self.kept: list[tuple[int, int, int]] = []
        self.closed = False

    def walk(self) -> int:
        """Return where the picture ends. Raises `BrokenError`."""
        for _ in range(MAX_SEGMENTS):
            code = self._marker()
            start = self._at
            if code == _EOI:
                self._finish()
                self.closed = True
                return self._at
            if code not in _BARE:
                self._segment(code)
            if code in _READ:
                self.kept.append((code, start, self._at))
                if code == _SOS and self._at == len(self._data):
                    self._finish()
                    return self._at
        raise BrokenError(JpegReason.TOO_MANY_SEGMENTS, f"more than {MAX_SEGMENTS} segments")

    def oddities(self) -> Iterator[Finding]:
        """Yield what a decoder warns of although it shows the whole picture."""
        if not self.closed:
            yield Finding.of(Reason.CLOSING_MARK_MISSING, "the scan ends the bytes, without EOI")
        if self._extra:
            yield Finding.of(JpegReason.EXTRA_BYTES, f"{self._extra} bytes between segments")
        if self.headers.odd_scans:
            yield Finding.of(JpegReason.SCAN_PARAMETERS_ODD, f"in {self.headers.odd_scans} scans")

    def _finish(self) -> None:
        if not self.headers.scans:
            raise BrokenError(JpegReason.SCAN_MISSING, "EOI without any scan")
        if not self.headers.height:
            raise BrokenError(JpegReason.FRAME_INVALID, "the height is zero")

    def _marker(self) -> int:
        """Step over fill bytes and a marker, and return its code."""
        start = self._at
        found = _MARKER.match(self._data, start) or _MARKER.search(self._data, start)
        if found is None:
            raise self._truncated()
        code = self._data[found.end() - 1]
        if code not in _KNOWN:
            raise BrokenError(JpegReason.MARKER_MISSING, f"no known marker at {found.start()}")
        self._extra += found.start() - start
        if self._extra > MAX_EXTRA:
            raise BrokenError(JpegReason.MARKER_MISSING, f"no marker at {start}")
        self._at = found.end()
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
        if code in _READ:
            try:
                self.headers.take(code, bytes(self._data[at + 2 : at + length]))
            except HeaderError as error:
                framed = self.headers.frame and code not in FRAMES
                reason = JpegReason.HEADER_INVALID if framed else JpegReason.FRAME_INVALID
                raise BrokenError(reason, f"{error}, at {at}") from None
        if code == _SOS:
            self._scan()

    def _scan(self) -> None:
        following = _SCAN_END.search(self._data, self._at)
        if following is not None:
            self._at = following.start()
        elif self.headers.complete:
            # Tier 3 checks whether the scan is complete.
            self._at = len(self._data)
        else:
            raise self._truncated()

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
    end_needs_decoder=True,
    decoder="docwarden.integrity.deep.decode_jpeg:decode_jpeg",
    decode_memory=lambda data: 3 * len(data) + coefficient_bytes(data),
    checks=JpegCheck,
    reasons=JpegReason,
)
