"""Tier 2 of GIF: the blocks and sub-blocks up to the trailer.

Source: GIF89a specification, sections 17 to 27 and appendix F (code sizes).
"""

import re
from struct import Struct
from typing import Final, NamedTuple

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.reasons import Reason, ReasonSet
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data, Finding


class GifCheck(CheckSet):
    """The checks of a GIF."""

    STRUCTURE = ("gif-structure", 2, Mode.ENFORCE, "The blocks follow each other to the trailer.")
    EXTRA_PIXELS = (
        "gif-extra-pixels",
        3,
        Mode.ENFORCE,
        "No frame's codes decode to more pixels than the frame has.",
    )


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
        "Something else is where a block must begin, or an image's code size is impossible.",
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
    EXTRA_PIXELS = (
        "gif-extra-pixels",
        GifCheck.EXTRA_PIXELS,
        "A frame's codes decode to more pixels than the frame has.",
    )


MAX_BLOCKS: Final = 524_288
"""Blocks and sub-blocks together; a 32 MiB file in full sub-blocks of 255 bytes has 131,600."""
MAX_PADDING: Final = 256
"""Zero bytes between two blocks, which writers leave and readers skip; a disk or a network that
loses data leaves more of them."""

_SCREEN_LENGTH: Final = 13  # signature, version and logical screen descriptor
_IMAGE_LENGTH: Final = 10  # separator and image descriptor
_SIZE: Final = Struct("<HH")
# What an animation has and a still picture has not: a loop, or a time to show a frame for.
_ANIMATED: Final = re.compile(rb"NETSCAPE2\.0|ANIMEXTS1\.0|!\xf9\x04.(?!\0\0)", re.DOTALL)
_EXTENSION: Final = 0x21
_IMAGE: Final = 0x2C
_TRAILER: Final = 0x3B
_TABLE_FLAG: Final = 0x80
_MAX_CODE_SIZE: Final = 11  # codes have at most 12 bits, one more than the smallest


class Frame(NamedTuple):
    """One image: its size, and where its code size and its blocks of codes begin and end."""

    width: int
    height: int
    start: int
    end: int


def walk_gif(data: Data) -> Walked:
    """Return where the trailer ends, or would end.

    Raises:
        BrokenError: The bytes are not a complete GIF.
    """
    return _walk(data, [])


def frames_of(data: Data) -> list[Frame]:
    """Return the frames of a GIF. Raises `BrokenError`."""
    found: list[_Image] = []
    _walk(data, found)
    sizes = (_SIZE.unpack_from(data, at + 5) for at, _, _ in found)
    return [
        Frame(width, height, start, end)
        for (width, height), (_, start, end) in zip(sizes, found, strict=True)
    ]


_Image = tuple[int, int, int]
"""Offsets of an image, of its code size, and of the end of its blocks."""


def _walk(data: Data, images: list[_Image]) -> Walked:
    """Walk, and append each image to `images`."""
    if len(data) < _SCREEN_LENGTH:
        raise BrokenError(GifReason.HEADER_INVALID, "the bytes end within the screen descriptor")
    try:
        end = _walk_blocks(data, _SCREEN_LENGTH + _table_length(data[10]), images)
    except IndexError:
        detail = f"the bytes end at {len(data)}, before the trailer"
        raise BrokenError(GifReason.BLOCK_TRUNCATED, detail) from None
    if not images:
        raise BrokenError(GifReason.IMAGE_MISSING, "the trailer comes before any image")
    if end <= len(data):
        return end, ()
    unmarked = Finding.of(Reason.CLOSING_MARK_MISSING, "all blocks end, without a trailer")
    return len(data), (unmarked,)


def _walk_blocks(data: Data, at: int, images: list[_Image]) -> int:
    """Return where the trailer ends, or would end."""
    left = MAX_BLOCKS
    while at != len(data) or not _may_end(data, images):
        kind = data[at]
        if kind == _TRAILER:
            break
        if kind == _IMAGE:
            start = at + _IMAGE_LENGTH + _table_length(data[at + 9])
            if not 0 < data[start] <= _MAX_CODE_SIZE:
                raise BrokenError(GifReason.BLOCK_INVALID, f"an impossible code size at {start}")
            end, left = _skip_sub_blocks(data, start + 1, left - 1)
            images.append((at, start, end))
            at = end
        elif kind == _EXTENSION:
            at, left = _skip_sub_blocks(data, at + 2, left - 1)
        elif kind == 0:
            at = _skip_padding(data, at)
        else:
            raise BrokenError(GifReason.BLOCK_INVALID, f"no block begins at {at}")
    return at + 1


def _may_end(data: Data, images: list[_Image]) -> bool:
    """Whether a file may end here without a trailer: an animation may have been cut here."""
    return len(images) == 1 and _ANIMATED.search(data) is None


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


def _canvas_pixels(data: Data) -> int:
    """Return how many pixels the screen has, each a byte to its decoder (GIF89a, section 18)."""
    return int.from_bytes(data[6:8], "little") * int.from_bytes(data[8:10], "little")


FORMAT: Final = Format(
    name="GIF",
    media_type="image/gif",
    extension="gif",
    signature=rb"GIF8[79]a",
    end_mark=b";",
    walk=walk_gif,
    decoder="docwarden.integrity.deep.decode_gif:decode_gif",
    decode_memory=lambda data: 3 * len(data) + _canvas_pixels(data),
    checks=GifCheck,
    reasons=GifReason,
)
