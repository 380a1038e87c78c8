"""Tier 2 of TIFF: directories, values, strips and tiles lie within the file.

Sources: TIFF 6.0 sections 2, 4, 15 and 22, TIFF Technical Note 1 (SubIFDs), the BigTIFF design, and
Exif 2.3 section 4.6.3 (its directories hold attributes and no images).
A TIFF has no closing mark and may hold private data anywhere, so bytes after its last strip prove
nothing; truncation is detected by what lies outside the file.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from struct import Struct, unpack_from
from types import MappingProxyType
from typing import Final, NamedTuple

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data


class TiffCheck(CheckSet):
    """The checks of a TIFF."""

    STRUCTURE = (
        "tiff-structure",
        2,
        Mode.ENFORCE,
        "The directories, their values, strips and tiles lie within the file.",
    )
    DIRECTORY = (
        "tiff-directory",
        3,
        Mode.OBSERVE,
        "libtiff reads each page's directory without warnings, except about private tags.",
    )
    FAX_LINES = (
        "tiff-fax-lines",
        3,
        Mode.OBSERVE,
        "Every line of a Group 3 fax decodes; decoders skip lines with telephone noise.",
    )


class TiffReason(ReasonSet):
    """Why a TIFF fails them."""

    DIRECTORY_TRUNCATED = (
        "tiff-directory-truncated",
        TiffCheck.STRUCTURE,
        "A directory lies outside the bytes.",
    )
    DIRECTORY_LOOP = (
        "tiff-directory-loop",
        TiffCheck.STRUCTURE,
        "The chain of directories comes back to itself or does not end.",
    )
    VALUE_OUTSIDE = (
        "tiff-value-outside",
        TiffCheck.STRUCTURE,
        "A value of a directory lies outside the bytes.",
    )
    DATA_OUTSIDE = (
        "tiff-data-outside",
        TiffCheck.STRUCTURE,
        "A strip or tile lies outside the bytes.",
    )
    IMAGE_MISSING = (
        "tiff-image-missing",
        TiffCheck.STRUCTURE,
        "No directory describes an image.",
    )
    DIRECTORY_ODD = (
        "tiff-directory-odd",
        TiffCheck.DIRECTORY,
        "libtiff warns of a tag of the wrong kind or number in a directory, and ignores it.",
    )
    FAX_LINES_DAMAGED = (
        "tiff-fax-lines-damaged",
        TiffCheck.FAX_LINES,
        "Lines of a Group 3 fax are damaged.",
    )


MAX_DIRECTORIES: Final = 32_768
MAX_ENTRIES: Final = 262_144
"""In all directories together."""
MAX_SEGMENTS: Final = 262_144
"""Strips and tiles in all directories together; others are not checked."""

_SIZES: Final[Mapping[int, int]] = MappingProxyType(
    {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
    | {16: 8, 17: 8, 18: 8}
)
_NUMBERS: Final[Mapping[int, str]] = MappingProxyType(
    {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 17: "q", 18: "Q"}
)
_WIDTH, _LENGTH = 256, 257
_PIECES: Final = (273, 324)  # offsets of strips or tiles, which some writers mix up
_DATA: Final = ((273, 279), (324, 325), (513, 514))  # strips, tiles, old JPEG: offsets and counts
# Tags that refer to further directories, and whether each stands alone: SubIFDs describe images and
# may begin chains; those of Exif, GPS and interoperability only hold values.
_DIRECTORIES: Final = ((330, False), (34665, True), (34853, True), (40965, True))


@dataclass(frozen=True, slots=True)
class _Layout:
    """What differs between the byte orders, and between TIFF and BigTIFF."""

    order: str
    count: Struct
    entry: Struct
    offset: Struct


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: int
    count: int
    at: int


class Page(NamedTuple):
    """One directory of the chain.

    Attributes:
        offset: Where it begins.
        tags: Its tags.
        pieces: How many strips or tiles it lists.
    """

    offset: int
    tags: tuple[int, ...]
    pieces: int


def pages_of(data: Data) -> list[Page]:
    """Return the pages of a TIFF. Raises `BrokenError`."""
    walk = _Walk(data)
    walk.pages = []
    walk.run()
    return walk.pages


def walk_tiff(data: Data) -> Walked:
    """Return the length of `data`: a TIFF has no end of its own.

    Raises:
        BrokenError: The bytes are not a complete TIFF.
    """
    _Walk(data).run()
    return len(data), ()


class _Walk:
    """One pass over the directories of one file."""

    def __init__(self, data: Data) -> None:
        self._data = data
        order = "<" if data.startswith(b"I") else ">"
        big = data.startswith((b"+\0", b"\0+"), 2)
        count, entry, offset = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
        self._layout = _Layout(
            order, Struct(order + count), Struct(order + entry), Struct(order + offset)
        )
        self._first_at = 8 if big else 4
        self._entries_left = MAX_ENTRIES
        self._segments_left = MAX_SEGMENTS
        self._images = 0
        self.pages: list[Page] | None = None  # filled on request
        self._aside: list[tuple[int, bool]] = []  # and whether a directory stands alone

    def run(self) -> None:
        """Follow the chain of pages, then what the pages refer to. Raises `BrokenError`."""
        seen: set[int] = set()
        at = self._number_at(self._first_at)
        while at:
            if at in seen:
                raise BrokenError(TiffReason.DIRECTORY_LOOP, f"the page at {at} comes again")
            at = self._visit(at, seen, listed=True)
        # Directories beside the chain may be referred to twice.
        while self._aside:
            at, alone = self._aside.pop()
            while at and at not in seen:
                at = self._visit(at, seen, alone=alone)
        if not self._images:
            raise BrokenError(TiffReason.IMAGE_MISSING, "no directory describes an image")

    def _visit(self, at: int, seen: set[int], *, alone: bool = False, listed: bool = False) -> int:
        """Check one directory, and return the offset of the next one; 0 for none.

        One that stands alone has no next one, whatever it says, and may be empty.
        """
        if len(seen) >= MAX_DIRECTORIES:
            raise BrokenError(TiffReason.DIRECTORY_LOOP, f"more than {MAX_DIRECTORIES}")
        seen.add(at)
        entries, end = self._directory(at, may_be_empty=alone)
        self._images += self._image(entries)
        if listed and self.pages is not None:
            pieces = max((entries[tag].count for tag in _PIECES if tag in entries), default=0)
            self.pages.append(Page(at, tuple(entries), pieces))
        for tag, apart in _DIRECTORIES:
            if (entry := entries.get(tag)) is not None:
                offsets = self._numbers(entry)[:MAX_DIRECTORIES]
                self._aside += ((offset, apart) for offset in offsets if offset)
        # Writers that leave the last "next directory" out at the end of the file are tolerated.
        return 0 if alone or end >= len(self._data) else self._number_at(end)

    def _number_at(self, at: int) -> int:
        if at + self._layout.offset.size > len(self._data):
            raise BrokenError(TiffReason.DIRECTORY_TRUNCATED, f"no directory at {at}")
        number: int = self._layout.offset.unpack_from(self._data, at)[0]
        return number

    def _directory(self, at: int, *, may_be_empty: bool) -> tuple[dict[int, _Entry], int]:
        """Return the entries, and where they end."""
        layout = self._layout
        start = at + layout.count.size
        if at < 8 or start > len(self._data):
            raise BrokenError(TiffReason.DIRECTORY_TRUNCATED, f"a directory at {at}")
        count = layout.count.unpack_from(self._data, at)[0]
        end = start + count * layout.entry.size
        if not (count or may_be_empty) or end > len(self._data):
            raise BrokenError(TiffReason.DIRECTORY_TRUNCATED, f"{count} entries at {at}")
        self._entries_left -= count
        if self._entries_left < 0:
            raise BrokenError(TiffReason.DIRECTORY_LOOP, f"more than {MAX_ENTRIES} entries")
        entries = {}
        for entry_at in range(start, end, layout.entry.size):
            tag, kind, number, value = layout.entry.unpack_from(self._data, entry_at)
            entries[tag] = self._entry(tag, kind, number, value, entry_at)
        return entries, end

    def _entry(self, tag: int, kind: int, count: int, value: bytes, entry_at: int) -> _Entry:
        length = _SIZES.get(kind, 0) * count  # readers skip kinds that they do not know
        if length <= len(value):
            return _Entry(kind, count, entry_at + self._layout.entry.size - len(value))
        at = self._layout.offset.unpack(value)[0]
        if at + length > len(self._data):
            raise BrokenError(TiffReason.VALUE_OUTSIDE, f"the value of tag {tag} at {at}")
        return _Entry(kind, count, at)

    def _image(self, entries: dict[int, _Entry]) -> bool:
        found = False
        for offsets_tag, counts_tag in _DATA:
            offsets = self._numbers(entries.get(offsets_tag))
            counts = self._numbers(entries.get(counts_tag))
            found |= bool(offsets)
            # Counts may be missing (TIFF 5 and older); sparse files have offset and count zero.
            if counts and len(counts) != len(offsets):
                counts = counts[: len(offsets)]
            ends = map(sum, zip(offsets, counts, strict=False)) if counts else offsets
            if max(ends, default=0) > len(self._data):
                raise BrokenError(TiffReason.DATA_OUTSIDE, "a strip or tile lies outside")
        return found and _WIDTH in entries and _LENGTH in entries

    def _numbers(self, entry: _Entry | None) -> tuple[int, ...]:
        if entry is None or entry.kind not in _NUMBERS or not entry.count:
            return ()
        count = min(entry.count, self._segments_left)
        self._segments_left -= count
        return unpack_from(
            f"{self._layout.order}{count}{_NUMBERS[entry.kind]}", self._data, entry.at
        )


FORMAT: Final = Format(
    name="TIFF",
    media_type="image/tiff",
    extension="tiff",
    signature=rb"II[*+]\0|MM\0[*+]",
    end_mark=None,
    open_ended=True,
    walk=walk_tiff,
    decoder="docwarden.integrity.deep.decode_tiff:decode_tiff",
    checks=TiffCheck,
    reasons=TiffReason,
)
