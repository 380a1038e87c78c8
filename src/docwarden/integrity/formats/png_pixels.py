"""Tier 3 of PNG: every pixel is there. The data is inflated in pieces, and no picture is built.

Rules of this file
    - An image has exactly the bytes that its size, depth and interlacing require, each row begins
      with a valid filter type, and its zlib stream ends with the right checksum. Otherwise it is
      damaged.
    - More data than that is a warning to libpng, and so it is a check of its own here.
    - The frames of an animation count as images. An animation that is out of order is not judged:
      decoders show the default image then (PNG, section 13.1.1, "error handling").
    - Memory is bounded by the pieces, and time by `MAX_PIXEL_BYTES`.

Source: PNG specification, third edition, sections 7 (rows), 8 (interlacing), 9 (filters), 10
(compression) and 11.3.4 (animation). The structure walk has checked chunks and CRCs before.
"""

from collections.abc import Iterator
from io import BytesIO
from struct import Struct
from typing import Final

from zlib_ng import zlib_ng

from docwarden.integrity.formats.png_checks import PngReason
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Failures, Source
from docwarden.integrity.verdict import Data

MAX_PIXEL_BYTES: Final = 2 << 30
"""Inflated bytes in all images together, about a second; images beyond are not judged."""
PIECE: Final = 64 << 10
"""Bytes inflated at once. Fits the cache; a larger piece takes up to twice the time per byte."""

_INPUT: Final = 16 << 10  # zlib copies the rest of its input for every piece of output
_MAX_SURPLUS: Final = 1 << 20
_SIGNATURE_LENGTH: Final = 8
_CHUNK: Final = Struct(">I4s")
_HEADER: Final = Struct(">IIBBxxB")
_FRAME: Final = Struct(">IIII")
_SEQUENCE: Final = Struct(">I")
_CRC_LENGTH: Final = 4
_ANIMATION_LENGTH: Final = 8  # of acTL's data
_INFLATE_ERROR: Final[type[Exception]] = zlib_ng.error  # type: ignore[assignment]
_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_FILTERS: Final = bytes(range(5))
# First column and row of each pass, and the steps to the next ones (section 8.1).
_ADAM7: Final = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4),
    (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2),
)  # fmt: skip

# Limits of what is inflated in the event loop; this takes less than 0.1 ms.
_SMALL: Final = 16 << 10
_SMALL_PIXEL_BYTES: Final = 256 << 10
# Measured: a byte of noise takes 4 ns, an inflated byte of white paper a quarter of one.
_SECONDS_PER_BYTE: Final = 4e-9
_SECONDS_PER_PIXEL_BYTE: Final = 0.25e-9
_SECONDS_PER_DOCUMENT: Final = 50e-6
_MAX_RATIO: Final = 1032  # of Deflate


class OverBudgetError(Exception):
    """The images hold more bytes than the budget."""


def decode_png(data: Data | Source, _tier: int = 3) -> Failures:
    """Return what is wrong with the pixels of a PNG whose structure is right."""
    try:
        return _inspect(BytesIO(data) if isinstance(data, Data) else data, MAX_PIXEL_BYTES)
    except OverBudgetError:
        return []


def decode_small(data: Data, _tier: int = 3) -> Failures | None:
    """Return the same for a PNG that is quickly decoded, None for any other."""
    if len(data) > _SMALL or pixel_bytes(data) > _SMALL_PIXEL_BYTES:
        return None
    try:
        return _inspect(BytesIO(data), _SMALL_PIXEL_BYTES)
    except OverBudgetError:
        return None


def decode_cost(data: Data) -> float:
    """Estimate the seconds of CPU time that decoding takes."""
    pixels = min(pixel_bytes(data), _MAX_RATIO * len(data), MAX_PIXEL_BYTES)
    return _SECONDS_PER_DOCUMENT + _SECONDS_PER_BYTE * len(data) + _SECONDS_PER_PIXEL_BYTE * pixels


def pixel_bytes(data: Data) -> int:
    """Return the bytes that the default image inflates to, by its header; 0 without one."""
    if len(data) < _SIGNATURE_LENGTH + _CHUNK.size + _HEADER.size:
        return 0
    return _Layout(bytes(data[16:29])).size()


def _inspect(source: Source, budget: int) -> Failures:
    found: Failures = []
    try:
        for image in _Pictures(source, budget).whole():
            if image.surplus and not found:
                found.append((PngReason.DATA_SURPLUS, f"{image.name} has more data than pixels"))
    except _DamagedError as damaged:
        return [(Reason.IMAGE_UNDECODABLE, str(damaged))]
    except _INFLATE_ERROR as error:
        return [(Reason.IMAGE_UNDECODABLE, f"the pixel data cannot be inflated: {error}")]
    return found


class _DamagedError(Exception):
    """Pixels are missing or wrong."""


class _Layout:
    """The pixel layout from the header: how many bytes make a row of so many pixels."""

    __slots__ = ("_bits", "_interlaced", "height", "width")

    def __init__(self, header: bytes) -> None:
        self.width, self.height, depth, colour, interlace = _HEADER.unpack(header)
        self._bits = depth * _CHANNELS.get(colour, 0)
        self._interlaced = bool(interlace)

    def rows(self, width: int, height: int) -> list[tuple[int, int]]:
        """Return, for each pass, the bytes of a row with its filter type, and of all rows."""
        passes = [(width, height)]
        if self._interlaced:
            passes = [
                (-((left - width) // across), -((top - height) // down))
                for left, top, across, down in _ADAM7
            ]
        lengths = (
            (1 + (columns * self._bits + 7) // 8, rows) for columns, rows in passes if columns
        )
        return [(length, length * rows) for length, rows in lengths if rows]

    def size(self) -> int:
        """Return how many bytes the default image inflates to."""
        return sum(length for _, length in self.rows(self.width, self.height))


class _Image:
    """One image, whose rows are counted and checked as they are inflated.

    Attributes:
        surplus: bytes beyond the last row, or beyond the end of the compressed data.
    """

    __slots__ = ("_inflater", "_left", "_next_row", "_passes", "_row", "name", "surplus")

    def __init__(self, name: str, passes: list[tuple[int, int]]) -> None:
        self.name = name
        self.surplus = 0
        self._inflater = zlib_ng.decompressobj()
        self._passes = passes[::-1]
        self._row, self._left = self._passes.pop() if passes else (1, 0)
        self._next_row = 0  # bytes until the next row of this pass begins

    def feed(self, data: bytes) -> None:
        """Inflate the next compressed bytes.

        Raises:
            zlib_ng.error: They are damaged, or their checksum is wrong.
            _DamagedError: A row begins with an invalid filter type.
        """
        inflater = self._inflater
        more = True
        while more and self.surplus <= _MAX_SURPLUS:
            if inflater.eof:
                self.surplus += len(data)
                return
            piece = inflater.decompress(data, PIECE)
            self._take(piece)
            data = inflater.unconsumed_tail
            more = bool(data) or len(piece) == PIECE
        if inflater.eof:
            self.surplus += len(inflater.unused_data)

    def finish(self) -> None:
        """Raise `_DamagedError` unless every row and the end of the stream were seen."""
        if self._left or self._passes:
            raise _DamagedError(f"{self.name} lacks pixels")
        if not self._inflater.eof and self.surplus <= _MAX_SURPLUS:
            raise _DamagedError(f"the compressed data of {self.name} has no end")

    def _take(self, piece: bytes) -> None:
        start = 0
        while start < len(piece):
            if not self._left:
                if not self._passes:
                    self.surplus += len(piece) - start
                    return
                (self._row, self._left), self._next_row = self._passes.pop(), 0
            end = min(len(piece), start + self._left)
            if piece[start + self._next_row : end : self._row].strip(_FILTERS):
                raise _DamagedError(f"{self.name} has a row with a filter type that does not exist")
            taken = end - start
            self._left -= taken
            self._next_row = (self._next_row - taken) % self._row
            start = end


class _Chunks:
    """The chunks of a PNG, one after the other."""

    __slots__ = ("_left", "_source")

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = 0

    def __iter__(self) -> Iterator[bytes]:
        """Yield the type of each chunk; the unread rest of the last one is skipped."""
        self._source.read(_SIGNATURE_LENGTH)
        while len(head := self._source.read(_CHUNK.size)) == _CHUNK.size:
            self._left, kind = _CHUNK.unpack(head)
            yield kind
            while self.read(PIECE):
                pass
            self._source.read(_CRC_LENGTH)

    def read(self, size: int) -> bytes:
        """Return the next `size` bytes of this chunk's data, fewer only at its end."""
        count = min(size, self._left)
        data = self._source.read(count)
        self._left = self._left - count if len(data) == count else 0
        return data


class _Pictures:
    """The default image and the frames of the animation, in the order of their chunks."""

    __slots__ = (
        "_budget", "_chunks", "_default", "_image", "_in_order", "_layout", "_number", "_sequence",
    )  # fmt: skip

    def __init__(self, source: Source, budget: int) -> None:
        self._chunks = _Chunks(source)
        self._budget = budget
        self._layout: _Layout | None = None
        self._image: _Image | None = None
        self._default = False  # whether the default image has begun
        self._in_order = False  # of the animation, until there is one
        self._number = 0
        self._sequence = 0

    def whole(self) -> Iterator[_Image]:
        """Yield each image at the end of its data.

        Raises:
            OverBudgetError: The images together have more bytes than the budget.
            _DamagedError: An image is incomplete.
        """
        for kind in self._chunks:
            if kind == b"IEND" or (kind == b"fcTL" and self._in_order):
                if self._image is not None:
                    self._image.finish()
                    yield self._image
                    self._image = None
                if kind == b"IEND":
                    return
            self._take(kind)
        raise _DamagedError("the chunks end before IEND")

    def _take(self, kind: bytes) -> None:
        if kind == b"IDAT":
            if not self._default:
                self._default = True
                self._begin("the image", None)
            self._feed()
        elif kind == b"IHDR":
            self._layout = _Layout(self._chunks.read(_HEADER.size))
        elif kind == b"acTL":
            self._in_order = (
                not self._default and len(self._chunks.read(_INPUT)) == _ANIMATION_LENGTH
            )
        elif self._in_order and kind in {b"fcTL", b"fdAT"} and self._follows():
            self._feed() if kind == b"fdAT" else self._control()

    def _begin(self, name: str, size: tuple[int, int] | None) -> None:
        layout = self._layout
        if layout is None:
            raise _DamagedError("there is no header")
        passes = layout.rows(*(size or (layout.width, layout.height)))
        self._budget -= sum(length for _, length in passes)
        if self._budget < 0:
            raise OverBudgetError
        self._image = _Image(name, passes)

    def _feed(self) -> None:
        while self._image is not None and (data := self._chunks.read(_INPUT)):
            self._image.feed(data)

    def _follows(self) -> bool:
        """Check the sequence number of a frame's chunk; a wrong one ends the animation."""
        number = self._chunks.read(_SEQUENCE.size)
        if number != _SEQUENCE.pack(self._sequence):
            self._leave()
        self._sequence += 1
        return self._in_order

    def _control(self) -> None:
        """Begin a frame; one before the default image consists of that."""
        control = self._chunks.read(_FRAME.size)
        layout = self._layout
        if len(control) < _FRAME.size or layout is None:
            self._leave()
            return
        width, height, left, top = _FRAME.unpack(control)
        self._number += 1
        inside = left + width <= layout.width and top + height <= layout.height
        if not (width and height and inside):
            self._leave()
        elif self._default:
            self._begin(f"frame {self._number}", (width, height))

    def _leave(self) -> None:
        """Ignore the rest of an animation that is out of order."""
        self._in_order = False
        self._image = None
