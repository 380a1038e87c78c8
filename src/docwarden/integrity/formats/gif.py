"""Tier 2 of GIF: the blocks and sub-blocks up to the trailer.

Source: GIF89a specification, sections 17 to 27 and appendix F (code sizes).
"""

from typing import Final

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data


class GifCheck(CheckSet):
    """The checks of a GIF."""

    STRUCTURE = ("gif-structure", 2, Mode.ENFORCE, "The blocks follow each other to the trailer.")


class GifReason(ReasonSet):
    """Why a GIF fails them."""

    HEADER_INVALID = (
        "gif-header-invalid",
        GifCheck.STRUCTURE,
        "The screen descriptor or the colour table is cut short.",
    )
    BLOCK_INVALID = (
        "gif-block-invalid",
        GifCheck.STRUCTURE,
        "Something else stands where a block must begin, or an image's code size is impossible.",
    )
    BLOCK_TRUNCATED = (
        "gif-block-truncated",
        GifCheck.STRUCTURE,
        "A block reaches past the end of the bytes.",
    )
    IMAGE_MISSING = ("gif-image-missing", GifCheck.STRUCTURE, "There is no image.")
    TOO_MANY_BLOCKS = (
        "gif-too-many-blocks",
        GifCheck.STRUCTURE,
        "More blocks than any encoder writes.",
    )


MAX_BLOCKS: Final = 524_288
"""Sub-blocks and blocks together; a 32 MiB file in full sub-blocks of 255 bytes has 131,600."""
MAX_PADDING: Final = 256
"""Zero bytes between two blocks, which writers leave and readers skip; a disk or a network that
loses data leaves more of them."""

_SCREEN_LENGTH: Final = 13  # signature, version and logical screen descriptor
_IMAGE_LENGTH: Final = 10  # separator and image descriptor
_EXTENSION: Final = 0x21
_IMAGE: Final = 0x2C
_TRAILER: Final = 0x3B
_TABLE_FLAG: Final = 0x80
_MAX_CODE_SIZE: Final = 11  # codes have at most 12 bits, one more than the smallest


def walk_gif(data: Data) -> Walked:
    """Return where the trailer ends.

    Raises:
        BrokenError: The bytes are no whole GIF.
    """
    if len(data) < _SCREEN_LENGTH:
        raise BrokenError(GifReason.HEADER_INVALID, "the bytes end within the screen descriptor")
    try:
        return _walk_blocks(data, _SCREEN_LENGTH + _table_length(data[10])), ()
    except IndexError:
        detail = f"the bytes end at {len(data)}, before the trailer"
        raise BrokenError(GifReason.BLOCK_TRUNCATED, detail) from None


def _walk_blocks(data: Data, at: int) -> int:
    left = MAX_BLOCKS
    images = 0
    while (kind := data[at]) != _TRAILER:
        if kind == _IMAGE:
            images += 1
            at += _IMAGE_LENGTH + _table_length(data[at + 9])
            if not 0 < data[at] <= _MAX_CODE_SIZE:
                raise BrokenError(GifReason.BLOCK_INVALID, f"an impossible code size at {at}")
            at += 1
        elif kind == _EXTENSION:
            at += 2
        elif kind == 0:
            at = _skip_padding(data, at)
            continue
        else:
            raise BrokenError(GifReason.BLOCK_INVALID, f"no block begins at {at}")
        at, left = _skip_sub_blocks(data, at, left - 1)
    if not images:
        raise BrokenError(GifReason.IMAGE_MISSING, "the trailer comes before any image")
    return at + 1


def _skip_padding(data: Data, at: int) -> int:
    end = at
    while not data[end]:
        end += 1
        if end - at > MAX_PADDING:
            raise BrokenError(GifReason.BLOCK_INVALID, f"more than {MAX_PADDING} zeros at {at}")
    return end


def _skip_sub_blocks(data: Data, at: int, left: int) -> tuple[int, int]:
    while length := data[at]:
        at += length + 1
        left -= 1
        if left < 0:
            break
    if left < 0:
        raise BrokenError(GifReason.TOO_MANY_BLOCKS, f"more than {MAX_BLOCKS} blocks")
    return at + 1, left


def _table_length(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & _TABLE_FLAG else 0


FORMAT: Final = Format(
    name="GIF",
    media_type="image/gif",
    extension="gif",
    signature=rb"GIF8[79]a",
    end_mark=b";",
    walk=walk_gif,
    decoder="docwarden.integrity.deep.decode_image:decode_gif",
    checks=GifCheck,
    reasons=GifReason,
)
