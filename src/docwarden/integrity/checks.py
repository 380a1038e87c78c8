"""The words of integrity: media types, and what is asked of a document.

Rules of this file
    - The checks are a closed set. A check belongs to one tier and has one default mode.
    - The reasons, in `reasons`, are a closed set too, and each belongs to one check, so both may
      label a metric.
    - Names are kebab-case and stable: settings, dashboards and runbooks rely on them.

`docs/reference/integrity-checks.md` is generated from these tables.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, Self


class MediaType(StrEnum):
    """The document types that docwarden delivers."""

    # Enum's own hash is Python code and stands in every look-up.
    __hash__ = str.__hash__

    PDF = "application/pdf"
    PNG = "image/png"
    JPEG = "image/jpeg"
    GIF = "image/gif"
    WEBP = "image/webp"
    TIFF = "image/tiff"

    @property
    def extension(self) -> str:
        """The file name extension, without a dot."""
        return _EXTENSIONS[self]


_EXTENSIONS: Final[Mapping[MediaType, str]] = MappingProxyType(
    {
        MediaType.PDF: "pdf",
        MediaType.PNG: "png",
        MediaType.JPEG: "jpg",
        MediaType.GIF: "gif",
        MediaType.WEBP: "webp",
        MediaType.TIFF: "tiff",
    }
)


class Mode(StrEnum):
    """What a failed check leads to."""

    ENFORCE = "enforce"
    """The document is not delivered."""
    OBSERVE = "observe"
    """The failure is counted and logged, and the document is delivered."""


_ALL: Final = frozenset(MediaType)
_IMAGES: Final = _ALL - {MediaType.PDF}
_MARKED: Final = frozenset({MediaType.PDF, MediaType.PNG, MediaType.JPEG, MediaType.GIF})


class Check(StrEnum):
    """One thing that is asked of a document, cheapest tier first. A member is its name, a `str`."""

    tier: int
    media_types: frozenset[MediaType]
    default_mode: Mode
    description: str

    def __new__(
        cls,
        name: str,
        tier: int,
        media_types: frozenset[MediaType],
        default_mode: Mode,
        description: str,
    ) -> Self:
        """Take one row of the table below."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.tier = tier
        member.media_types = media_types
        member.default_mode = default_mode
        member.description = description
        return member

    @property
    def may_observe(self) -> bool:
        """Whether a document can be delivered that fails it.

        What fails tier 0 is not all there, and what has no known type has no media type to go by.
        """
        return self.tier > 0 and self is not Check.MEDIA_TYPE

    STATUS = ("status", 0, _ALL, Mode.ENFORCE, "The upstream's answer has a usable status.")
    LENGTH = ("length", 0, _ALL, Mode.ENFORCE, "As many bytes came as were declared.")
    CONTENT_CODING = ("content-coding", 0, _ALL, Mode.ENFORCE, "The body is not compressed.")
    SIZE = ("size", 0, _ALL, Mode.ENFORCE, "The body keeps within the size cap.")
    EMPTY = ("empty", 0, _ALL, Mode.ENFORCE, "The body has bytes.")

    MEDIA_TYPE = ("media-type", 1, _ALL, Mode.ENFORCE, "The bytes begin like an allowed type.")
    LEADING_BYTES = (
        "leading-bytes",
        1,
        frozenset({MediaType.PDF}),
        Mode.OBSERVE,
        "Nothing stands before the header; readers look for it in the first 1024 bytes.",
    )
    TAIL_MARKER = ("tail-marker", 1, _MARKED, Mode.ENFORCE, "The format's closing mark is there.")

    PDF_STRUCTURE = (
        "pdf-structure",
        2,
        frozenset({MediaType.PDF}),
        Mode.ENFORCE,
        "The last startxref, and every older section after it, lands on a cross-reference section.",
    )
    PNG_STRUCTURE = (
        "png-structure",
        2,
        frozenset({MediaType.PNG}),
        Mode.ENFORCE,
        "The chunks are in order from IHDR to IEND, and each one's CRC is right.",
    )
    JPEG_STRUCTURE = (
        "jpeg-structure",
        2,
        frozenset({MediaType.JPEG}),
        Mode.ENFORCE,
        "The segments and scans follow each other to the end-of-image marker.",
    )
    GIF_STRUCTURE = (
        "gif-structure",
        2,
        frozenset({MediaType.GIF}),
        Mode.ENFORCE,
        "The blocks follow each other to the trailer.",
    )
    WEBP_STRUCTURE = (
        "webp-structure",
        2,
        frozenset({MediaType.WEBP}),
        Mode.ENFORCE,
        "The RIFF size and its chunks agree with the bytes.",
    )
    TIFF_STRUCTURE = (
        "tiff-structure",
        2,
        frozenset({MediaType.TIFF}),
        Mode.ENFORCE,
        "The directories, their values, strips and tiles lie within the file.",
    )
    TRAILING_BYTES = (
        "trailing-bytes",
        2,
        _ALL - {MediaType.TIFF},
        Mode.OBSERVE,
        "Nothing stands after the format's end.",
    )

    PDF_PARSE = (
        "pdf-parse",
        3,
        frozenset({MediaType.PDF}),
        Mode.ENFORCE,
        "A strict parser reads the file without repairing it, and every page resolves.",
    )
    IMAGE_DECODE = (
        "image-decode",
        3,
        _IMAGES,
        Mode.ENFORCE,
        "A strict decoder reads every pixel.",
    )
    DEEP_CHECK = (
        "deep-check",
        3,
        _ALL,
        Mode.ENFORCE,
        "The deep check ends within its limits of time and memory.",
    )
    PDF_STREAMS = (
        "pdf-streams",
        4,
        frozenset({MediaType.PDF}),
        Mode.OBSERVE,
        "Every object reads and every Flate stream's checksum is right; readers tolerate others.",
    )
