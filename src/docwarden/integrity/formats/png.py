"""Tier 2 of PNG: the chunks, their order and their CRCs.

Source: PNG specification, third edition, sections 5 (structure, order) and 11.2 (critical chunks).
Ancillary chunks, those of APNG among them, are checked for their CRC only.
"""

from collections.abc import Callable, Mapping
from struct import Struct
from types import MappingProxyType
from typing import Final

from zlib_ng import zlib_ng

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.formats.png_checks import PngCheck, PngReason
from docwarden.integrity.formats.png_pixels import decode_cost, decode_small
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data

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
_INDEXED: Final = 3
_MAX_PALETTE: Final = 3 * 256
_COLOUR_TYPE_AT: Final = 25


def walk_png(data: Data) -> Walked:
    """Return where IEND ends.

    Raises:
        BrokenError: The bytes are not a complete PNG.
    """
    _check_header(data)
    view = memoryview(data)
    crc32 = zlib_ng.crc32
    order = _Order(indexed=data[_COLOUR_TYPE_AT] == _INDEXED)
    at = _SIGNATURE_LENGTH
    unpack: Callable[[Data, int], tuple[int, bytes]] = _LENGTH_AND_TYPE.unpack_from
    unpack_crc = _U32.unpack_from
    kind = b""
    for _ in range(MAX_CHUNKS):
        if at + _OVERHEAD > len(data):
            raise BrokenError(PngReason.CHUNK_TRUNCATED, f"the bytes end at {len(data)}")
        previous = kind
        length, kind = unpack(data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            raise BrokenError(PngReason.CHUNK_TRUNCATED, f"the chunk at {at} is cut short")
        (crc,) = unpack_crc(data, end)
        if crc32(view[at + 4 : end]) != crc:
            raise BrokenError(PngReason.CRC_MISMATCH, f"the chunk at {at}, {length} bytes long")
        # Most chunks are one of many IDAT in a row, which are in order.
        if kind != b"IDAT" or previous != b"IDAT":
            order.take(kind, length, at)
        at = end + 4
        if kind == b"IEND":
            return at, ()
    raise BrokenError(PngReason.TOO_MANY_CHUNKS, f"more than {MAX_CHUNKS} chunks")


def _check_header(data: Data) -> None:
    if len(data) < _SIGNATURE_LENGTH + _OVERHEAD + _HEADER.size:
        raise BrokenError(PngReason.CHUNK_TRUNCATED, "the bytes end within IHDR")
    if data[8:16] != b"\0\0\0\rIHDR":
        raise BrokenError(PngReason.HEADER_INVALID, "the first chunk is not IHDR")
    width, height, depth, colour, compression, filtering, interlace = _HEADER.unpack_from(data, 16)
    if not (0 < width <= _MAX_LENGTH and 0 < height <= _MAX_LENGTH):
        raise BrokenError(PngReason.HEADER_INVALID, f"the size is {width} x {height}")
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise BrokenError(PngReason.HEADER_INVALID, "IHDR holds values that no PNG has")


class _Order:
    """Checks the order of the chunks; fed with each, except an IDAT after another."""

    __slots__ = ("_images", "_indexed", "_palette")

    def __init__(self, *, indexed: bool) -> None:
        self._indexed = indexed
        self._images = False
        self._palette = False

    def take(self, kind: bytes, length: int, at: int) -> None:
        """Raise `BrokenError` if the chunk is out of order."""
        if kind == b"IDAT":
            if self._images:
                raise BrokenError(PngReason.ORDER_INVALID, "the IDAT chunks are apart")
            if self._indexed and not self._palette:
                raise BrokenError(PngReason.ORDER_INVALID, "no palette before indexed pixels")
            self._images = True
        elif kind == b"IEND":
            if length or not self._images:
                raise BrokenError(PngReason.ORDER_INVALID, "IEND has data, or no IDAT before it")
        elif kind == b"PLTE":
            if self._palette or self._images or length % 3 or not 0 < length <= _MAX_PALETTE:
                raise BrokenError(PngReason.ORDER_INVALID, "the palette is misplaced or misshapen")
            self._palette = True
        elif not kind.isalpha() or (kind[:1].isupper() and at > _SIGNATURE_LENGTH):
            # An upper-case first letter: a chunk that no decoder may skip (section 5.4).
            raise BrokenError(PngReason.CHUNK_INVALID, f"the chunk at {at} has no known type")


FORMAT: Final = Format(
    name="PNG",
    media_type="image/png",
    extension="png",
    signature=rb"\x89PNG\r\n\x1a\n",
    # As UTF-8 with replacements, as Latin-1 turned UTF-8, as text with changed line ends or
    # without its top bits.
    mangled=rb"(?:\xef\xbf\xbd|\xc2\x89|\xe2\x80\xb0|\x89|\t|\?)PNG[\r\n]",
    end_mark=b"\0\0\0\0IEND\xaeB`\x82",
    walk=walk_png,
    decoder="docwarden.integrity.formats.png_pixels:decode_png",
    streams=True,
    decode_cost=decode_cost,
    decode_memory=lambda _: 1 << 20,  # pieces
    decode_small=decode_small,
    checks=PngCheck,
    reasons=PngReason,
)
