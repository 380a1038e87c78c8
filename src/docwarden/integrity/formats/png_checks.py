"""The checks that only a PNG has, and the reasons for failing them."""

from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.reasons import ReasonSet


class PngCheck(CheckSet):
    """The checks of a PNG."""

    STRUCTURE = (
        "png-structure",
        2,
        Mode.ENFORCE,
        "The chunks are in order from IHDR to IEND, and each one's CRC is right.",
    )
    SURPLUS = (
        "png-surplus",
        3,
        Mode.OBSERVE,
        "The pixel data ends with the last pixel; libpng only warns of more.",
    )


class PngReason(ReasonSet):
    """Why a PNG fails them."""

    HEADER_INVALID = (
        "png-header-invalid",
        PngCheck.STRUCTURE,
        "IHDR is not first, or holds values that no PNG has.",
    )
    CHUNK_INVALID = (
        "png-chunk-invalid",
        PngCheck.STRUCTURE,
        "A chunk has an impossible type, or one that no decoder may skip.",
    )
    CHUNK_TRUNCATED = (
        "png-chunk-truncated",
        PngCheck.STRUCTURE,
        "A chunk reaches past the end of the bytes.",
    )
    CRC_MISMATCH = ("png-crc-mismatch", PngCheck.STRUCTURE, "A chunk's CRC is wrong.")
    ORDER_INVALID = (
        "png-order-invalid",
        PngCheck.STRUCTURE,
        "IDAT chunks are missing or apart, or the palette is missing or misplaced.",
    )
    TOO_MANY_CHUNKS = (
        "png-too-many-chunks",
        PngCheck.STRUCTURE,
        "More chunks than any encoder writes.",
    )
    DATA_SURPLUS = (
        "png-data-surplus",
        PngCheck.SURPLUS,
        "The pixel chunks hold more data than the pixels need.",
    )
