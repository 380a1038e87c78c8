"""Tier 2 of PNG: the chunks, their order and their CRCs.

Source: PNG specification, third edition, sections 5 (structure, order) and 11.2 (critical chunks).
Ancillary chunks, those of APNG among them, are checked for their CRC only.
"""

from collections.abc import Mapping
from struct import Struct
from types import MappingProxyType
from typing import Final

from isal import isal_zlib

from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Finding

MAX_CHUNKS: Final = 65_536
"""A 32 MiB file in the usual 8 KiB chunks has 4,096."""

_SIGNATURE_LENGTH: Final = 8
_OVERHEAD: Final = 12  # length, type and CRC around a chunk's data
_HEADER: Final = Struct(">II5B")
_LENGTH_AND_TYPE: Final = Struct(">I4s")
_U32: Final = Struct(">I")
_MAX_LENGTH: Final = 2**31 - 1
_DEPTHS: Final[Mapping[int, tuple[int, ...]]] = MappingProxyType(
    {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
)
_PALETTE: Final = 3
_COLOUR_TYPE_AT: Final = 25


def examine_png(data: bytes) -> tuple[Finding, ...]:
    """Return the failed tier 2 checks of a PNG."""
    failed = _header(data)
    if failed is not None:
        return (failed,)
    end = _walk(data)
    if isinstance(end, Finding):
        return (end,)
    if end < len(data):
        return (Finding.of(Reason.TRAILING_BYTES, f"{len(data) - end} bytes after IEND"),)
    return ()


def _header(data: bytes) -> Finding | None:
    if len(data) < _SIGNATURE_LENGTH + _OVERHEAD + _HEADER.size:
        return Finding.of(Reason.PNG_CHUNK_TRUNCATED, "the bytes end within IHDR")
    if data[8:16] != b"\0\0\0\rIHDR":
        return Finding.of(Reason.PNG_HEADER_INVALID, "the first chunk is not IHDR")
    width, height, depth, colour, compression, filtering, interlace = _HEADER.unpack_from(data, 16)
    if not (0 < width <= _MAX_LENGTH and 0 < height <= _MAX_LENGTH):
        return Finding.of(Reason.PNG_HEADER_INVALID, f"the size is {width} x {height}")
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        return Finding.of(Reason.PNG_HEADER_INVALID, "IHDR holds values that no PNG has")
    return None


def _walk(data: bytes) -> int | Finding:
    """Return where IEND ends."""
    view = memoryview(data)
    size = len(data)
    crc32 = isal_zlib.crc32
    read_head = _LENGTH_AND_TYPE.unpack_from
    read_crc = _U32.unpack_from
    images = 0
    previous = b""
    palette = False
    at = _SIGNATURE_LENGTH
    for _ in range(MAX_CHUNKS):
        if at + _OVERHEAD > size:
            return Finding.of(Reason.PNG_CHUNK_TRUNCATED, f"the bytes end at {size}, before IEND")
        length, kind = read_head(data, at)
        end = at + 8 + length
        if end + 4 > size:
            return Finding.of(Reason.PNG_CHUNK_TRUNCATED, f"the chunk at {at} reaches past the end")
        if crc32(view[at + 4 : end]) != read_crc(data, end)[0]:
            return Finding.of(Reason.PNG_CRC_MISMATCH, f"the chunk at {at}, {length} bytes long")
        if kind == b"IDAT":
            if images and previous != b"IDAT":
                return Finding.of(Reason.PNG_ORDER_INVALID, "the IDAT chunks are apart")
            images += 1
        elif kind == b"IEND":
            return _end(data, at, images=images, palette=palette)
        elif kind == b"PLTE":
            if palette or images or length % 3 or not 0 < length <= 768:
                return Finding.of(Reason.PNG_ORDER_INVALID, "the palette is misplaced or misshapen")
            palette = True
        elif not kind.isalpha() or (kind[0] < 97 and at > _SIGNATURE_LENGTH):
            # An upper-case first letter: a chunk that no decoder may skip (section 5.4).
            return Finding.of(Reason.PNG_CHUNK_INVALID, f"the chunk at {at} has no known type")
        previous = kind
        at = end + 4
    return Finding.of(Reason.PNG_TOO_MANY_CHUNKS, f"more than {MAX_CHUNKS} chunks")


def _end(data: bytes, at: int, *, images: int, palette: bool) -> int | Finding:
    if not images:
        return Finding.of(Reason.PNG_ORDER_INVALID, "no IDAT chunk before IEND")
    if data[_COLOUR_TYPE_AT] == _PALETTE and not palette:
        return Finding.of(Reason.PNG_ORDER_INVALID, "no palette in an indexed image")
    if data[at : at + 4] != b"\0\0\0\0":
        return Finding.of(Reason.PNG_CHUNK_INVALID, "IEND holds data")
    return at + _OVERHEAD
