"""What the headers of a JPEG declare, and whether a decoder can use them.

Source: ITU-T T.81, annex B.2. Where it is stricter than libjpeg, the reference decoder, libjpeg
decides, since a document that every reader shows without a warning is intact: tables 0 and 1 are
taken for those of annex K when a file defines none (Motion JPEG), a table that no scan uses may be
nonsense.
"""

from contextlib import suppress
from typing import Final, NamedTuple

from docwarden.integrity.verdict import Data

FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of frame headers (table B.1)."""
PROGRESSIVE: Final = frozenset({0xC2, 0xC6, 0xCA, 0xCE})
LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF})
ARITHMETIC: Final = frozenset({0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF})
HIERARCHICAL: Final = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})

_BLOCK: Final = 64
_MAX_MCU_BLOCKS: Final = 10  # B.2.3
_MAX_CODES: Final = 256
_MAX_DC_SYMBOL: Final = 15
_MAX_SEGMENTS: Final = 256  # before the frame header; a profile takes 255 at most
_FINEST: Final = 13  # the largest Al that a decoder can work with (G.1.1.1.2)


class HeaderError(Exception):
    """A header that no decoder can use; the argument says why."""


class Component(NamedTuple):
    """One component of a frame (B.2.2)."""

    number: int
    across: int
    down: int
    quantisation: int


class Headers:
    """The headers of one picture, fed in the order of the file.

    Attributes:
        frame: The marker of the frame header, 0 before it.
        precision: Bits of a sample.
        width: In samples; with `height`, 0 before the frame header.
        components: Of the frame.
        scans: How many there were.
        announced: Whether the height came after the frame header, in a segment of its own (B.2.5).
        odd_scans: How many of them, in a sequential frame, have parameters that only a progressive
            one may have; decoders ignore those.
    """

    def __init__(self) -> None:
        self.frame = 0
        self.precision = 0
        self.width = self.height = 0
        self.components: tuple[Component, ...] = ()
        self.scans = 0
        self.announced = False
        self.odd_scans = 0
        self._quantisation: set[int] = set()
        self._codes: dict[int, bytes] = {}  # counts and symbols, by class and number
        self._checked: set[int] = set()
        # Of each component, the bit down to which its coefficients are known.
        self._left: dict[int, list[int]] = {}

    @property
    def complete(self) -> bool:
        """Whether the scans so far bring every coefficient to its last bit."""
        return bool(self._left) and not any(any(bits) for bits in self._left.values())

    @property
    def coefficients(self) -> int:
        """Number of coefficients in the frame, which a decoder of several scans keeps."""
        across = max((each.across for each in self.components), default=1)
        down = max((each.down for each in self.components), default=1)
        area = (self.width + 8 * across) * (self.height + 8 * down)
        return sum(area * c.across * c.down // (across * down) for c in self.components)

    def take(self, code: int, body: bytes) -> None:
        """Parse the segment of marker `code`; `body` is without its length.

        Raises:
            HeaderError: No decoder can use it.
        """
        if code == 0xDB:
            self._take_quantisation(body)
        elif code == 0xC4:
            self._take_codes(body)
        elif code in FRAMES:
            self._take_frame(code, body)
        elif code == 0xDA:
            self._take_scan(body)
        elif code == 0xDD and len(body) != 2:
            raise HeaderError("a restart interval is misshapen")
        elif code == 0xDC and len(body) == 2:
            self.announced |= not self.height
            self.height = self.height or int.from_bytes(body, "big")

    def _take_quantisation(self, body: bytes) -> None:
        at = 0
        while at < len(body):
            wide, number = divmod(body[at], 16)
            if number > 3:
                raise HeaderError(f"a quantisation table has the number {number}")
            at += 1 + (2 * _BLOCK if wide else _BLOCK)
            self._quantisation.add(number)
        if at != len(body):
            raise HeaderError("a quantisation table is misshapen")

    def _take_codes(self, body: bytes) -> None:
        at = 0
        while at < len(body):
            kind, counts = body[at], body[at + 1 : at + 17]
            total = sum(counts)
            if kind & 0xEC:
                raise HeaderError(f"a Huffman table has the number {kind:#04x}")
            if len(counts) < 16 or total > _MAX_CODES:
                raise HeaderError("a Huffman table is misshapen")
            self._codes[kind] = body[at + 1 : at + 17 + total]
            self._checked.discard(kind)
            at += 17 + total
        if at != len(body):
            raise HeaderError("a Huffman table is misshapen")

    def _take_frame(self, code: int, body: bytes) -> None:
        if len(body) < 9 or len(body) != 6 + 3 * body[5]:
            raise HeaderError("the frame header is misshapen")
        if self.frame and code not in HIERARCHICAL and self.frame not in HIERARCHICAL:
            raise HeaderError("there are two frame headers")
        self.frame, self.precision = code, body[0]
        self.height = int.from_bytes(body[1:3], "big")
        self.width = int.from_bytes(body[3:5], "big")
        self.components = tuple(
            Component(body[at], body[at + 1] >> 4, body[at + 1] & 15, body[at + 2])
            for at in range(6, len(body), 3)
        )
        self._left = {each.number: [1] * _BLOCK for each in self.components}
        if not self.width or not self._possible_precision():
            raise HeaderError("the frame header is impossible")
        for each in self.components:
            if not (0 < each.across <= 4 and 0 < each.down <= 4 and each.quantisation <= 3):
                raise HeaderError(f"the component {each.number} is impossible")

    def _possible_precision(self) -> bool:
        if self.frame == 0xC0:
            return self.precision == 8
        return 2 <= self.precision <= 16 if self.frame in LOSSLESS else self.precision in {8, 12}

    def _take_scan(self, body: bytes) -> None:
        if not self.frame:
            raise HeaderError("a scan comes before any frame header")
        count = body[0] if body else 0
        if not 0 < count <= 4 or len(body) != 4 + 2 * count:
            raise HeaderError("a scan header is misshapen")
        known = {each.number: each for each in self.components}
        chosen = {body[at]: body[at + 1] for at in range(1, 1 + 2 * count, 2)}
        if len(chosen) != count and len(known) == len(self.components):
            raise HeaderError("a scan names a component twice")
        if not chosen.keys() <= known.keys():
            raise HeaderError("a scan names a component that the frame does not have")
        blocks = sum(known[each].across * known[each].down for each in chosen)
        if count > 1 and blocks > _MAX_MCU_BLOCKS:
            raise HeaderError("a scan has too many blocks")
        self.scans += 1
        if self.frame not in LOSSLESS:
            self._take_parameters(chosen, known, body[-3], body[-2], body[-1])

    def _take_parameters(
        self, chosen: dict[int, int], known: dict[int, Component], first: int, last: int, bits: int
    ) -> None:
        """Parse the parameters of a scan of a DCT frame (B.2.3, table B.3)."""
        for number in chosen:
            if known[number].quantisation not in self._quantisation:
                raise HeaderError(f"the component {number} has no quantisation table")
        high, low = divmod(bits, 16)
        if self.frame in PROGRESSIVE:
            if (
                not first <= last < _BLOCK
                or (last if not first else len(chosen) > 1)
                or low > _FINEST
                or (high and high - 1 != low)
            ):
                raise HeaderError("a scan's progression is impossible")
        else:
            self.odd_scans += (first, last, bits) != (0, _BLOCK - 1, 0)
            first, last, high, low = 0, _BLOCK - 1, 0, 0
        for number, tables in chosen.items():
            self._left[number][first : last + 1] = [low] * (last + 1 - first)
            if self.frame not in ARITHMETIC:
                if not first and not high:
                    self._check_codes(tables >> 4, direct=True)
                if last:
                    self._check_codes(tables & 15, direct=False)

    def _check_codes(self, number: int, *, direct: bool) -> None:
        """Raise `HeaderError` for a table that is missing or whose codes do not fit (C.2)."""
        kind = number if direct else number | 16
        if kind in self._checked:
            return
        table = self._codes.get(kind)
        if table is None:
            if number > 1:
                raise HeaderError(f"there is no Huffman table {kind:#04x}")
            return
        code = 0
        for length, count in enumerate(table[:16], 1):
            code += count
            if count and code > 1 << length:
                raise HeaderError(f"the codes of the Huffman table {kind:#04x} do not fit")
            code <<= 1
        if direct and max(table[16:], default=0) > _MAX_DC_SYMBOL:
            raise HeaderError(f"the Huffman table {kind:#04x} has impossible symbols")
        self._checked.add(kind)


def coefficient_bytes(data: Data) -> int:
    """Return the bytes of coefficients that decoding a progressive picture takes; else 0."""
    at = 2
    for _ in range(_MAX_SEGMENTS):
        code, length = data[at + 1 : at + 2], int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at : at + 1] != b"\xff" or length < 2:
            return 0
        if code[0] in FRAMES:
            headers = Headers()
            with suppress(HeaderError):
                headers.take(code[0], bytes(data[at + 4 : at + 2 + length]))
            return 2 * headers.coefficients if code[0] in PROGRESSIVE else 0
        at += 2 + length
    return 0
