"""Tier 2 of JPEG: segments and scans up to the end-of-image marker.

Source: ITU-T T.81, annex B. Every process passes, arithmetic and lossless ones included: what a
decoder does not support is not damage. Phone cameras put further pictures (CIPA DC-007) or a film
behind the image, and writers pad with zeros; none of that counts as trailing bytes.

What tier 2 cannot see: bytes that changed within the entropy-coded data without making a marker.
"""

import re
from typing import Final

from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Finding

MAX_SEGMENTS: Final = 65_536
MAX_PICTURES: Final = 64
"""How many further pictures behind the first one are followed."""

_SOI: Final = b"\xff\xd8\xff"
_EOI: Final = 0xD9
_SOS: Final = 0xDA
_DNL: Final = b"\xff\xdc\x00\x04"
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE: Final = frozenset({0x01, *range(0xD0, 0xD8)})  # TEM and RSTn have no length
_KNOWN: Final = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xF0), 0xFE, 0x01, *range(0xD0, 0xD8)})
# What ends a scan: a marker that is neither a stuffed zero, a restart, nor fill bytes.
_SCAN_END: Final = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_NOT_FILL: Final = re.compile(rb"[^\xff]")


def examine_jpeg(data: bytes) -> tuple[Finding, ...]:
    """Return the failed tier 2 checks of a JPEG."""
    end = _picture(data, 0)
    if isinstance(end, Finding):
        return (end,)
    if end < len(data) and (stray := _stray(data, end)) < len(data):
        return (Finding.of(Reason.TRAILING_BYTES, f"{len(data) - stray} bytes after EOI"),)
    return ()


def _stray(data: bytes, end: int) -> int:
    """Return where bytes begin that belong to nothing known, or the length of the data."""
    for _ in range(MAX_PICTURES):
        end = len(data) - len(data[end:].lstrip(b"\0"))
        if data.startswith(b"ftyp", end + 4):  # ISO base media: the film of a motion photo
            return len(data)
        if not data.startswith(_SOI, end):
            break
        following = _picture(data, end)
        if isinstance(following, Finding):
            break
        end = following
    return end


def _picture(data: bytes, start: int) -> int | Finding:
    """Return where the picture that begins at `start` ends."""
    at = start + 2
    framed = False
    scans = 0
    for _ in range(MAX_SEGMENTS):
        if not data.startswith(b"\xff", at):
            return _no_marker(data, at)
        fill = _NOT_FILL.search(data, at)
        if fill is None:
            return _truncated(data)
        code = data[fill.start()]
        at = fill.end()
        if code == _EOI:
            return at if scans else Finding.of(Reason.JPEG_SCAN_MISSING, "EOI without any scan")
        if code in _BARE:
            continue
        if code not in _KNOWN:
            return _no_marker(data, fill.start() - 1)
        length = int.from_bytes(data[at : at + 2], "big")
        if at + length > len(data):
            return _truncated(data)
        if length < 2:
            return Finding.of(Reason.JPEG_MARKER_MISSING, f"an impossible segment length at {at}")
        if code in _FRAMES:
            if not _frame_plausible(data, at, length):
                return Finding.of(Reason.JPEG_FRAME_INVALID, f"the frame header at {at}")
            framed = True
        at += length
        if code == _SOS:
            if not framed:
                return Finding.of(Reason.JPEG_FRAME_INVALID, "a scan comes before any frame header")
            scans += 1
            following = _SCAN_END.search(data, at)
            if following is None:
                return _truncated(data)
            at = following.start()
    return Finding.of(Reason.JPEG_TOO_MANY_SEGMENTS, f"more than {MAX_SEGMENTS} segments")


def _frame_plausible(data: bytes, at: int, length: int) -> bool:
    if length < 11:
        return False
    precision, components = data[at + 2], data[at + 7]
    height = data[at + 3 : at + 5] != b"\0\0" or _DNL in data[at:]
    width = data[at + 5 : at + 7] != b"\0\0"
    return height and width and 2 <= precision <= 16 and length == 8 + 3 * components


def _no_marker(data: bytes, at: int) -> Finding:
    if at >= len(data):
        return _truncated(data)
    return Finding.of(Reason.JPEG_MARKER_MISSING, f"no known marker at {at}")


def _truncated(data: bytes) -> Finding:
    return Finding.of(Reason.JPEG_SEGMENT_TRUNCATED, f"the bytes end at {len(data)}, before EOI")
