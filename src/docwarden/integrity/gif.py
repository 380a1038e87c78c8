"""Tier 2 of GIF: the blocks and sub-blocks up to the trailer.

Source: GIF89a specification, sections 17 to 27 and appendix F (code sizes).
"""

from typing import Final

from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Finding

MAX_SUB_BLOCKS: Final = 524_288
"""A 32 MiB file in full sub-blocks of 255 bytes has 131,600."""

_SCREEN_LENGTH: Final = 13  # signature, version and logical screen descriptor
_IMAGE_LENGTH: Final = 10  # separator and image descriptor
_EXTENSION: Final = 0x21
_IMAGE: Final = 0x2C
_TRAILER: Final = 0x3B
_TABLE_FLAG: Final = 0x80
_MAX_CODE_SIZE: Final = 11  # codes have at most 12 bits, one more than the smallest


def examine_gif(data: bytes) -> tuple[Finding, ...]:
    """Return the failed tier 2 checks of a GIF."""
    end = _walk(data)
    if isinstance(end, Finding):
        return (end,)
    if end < len(data):
        return (Finding.of(Reason.TRAILING_BYTES, f"{len(data) - end} bytes after the trailer"),)
    return ()


def _walk(data: bytes) -> int | Finding:
    """Return where the trailer ends."""
    if len(data) < _SCREEN_LENGTH:
        return Finding.of(Reason.GIF_HEADER_INVALID, "the bytes end within the screen descriptor")
    at = _SCREEN_LENGTH + _table_length(data[10])
    left = MAX_SUB_BLOCKS
    images = 0
    try:
        while (kind := data[at]) != _TRAILER:
            if kind == _IMAGE:
                images += 1
                at += _IMAGE_LENGTH + _table_length(data[at + 9])
                if not 0 < data[at] <= _MAX_CODE_SIZE:
                    return Finding.of(Reason.GIF_BLOCK_INVALID, f"impossible code size at {at}")
                at += 1
            elif kind == _EXTENSION:
                at += 2
            else:
                return Finding.of(Reason.GIF_BLOCK_INVALID, f"no block begins at {at}")
            while length := data[at]:
                at += length + 1
                left -= 1
                if left < 0:
                    return Finding.of(
                        Reason.GIF_TOO_MANY_BLOCKS, f"more than {MAX_SUB_BLOCKS} sub-blocks"
                    )
            at += 1
            left -= 1
            if left < 0:
                return Finding.of(Reason.GIF_TOO_MANY_BLOCKS, f"more than {MAX_SUB_BLOCKS} blocks")
    except IndexError:
        return Finding.of(
            Reason.GIF_BLOCK_TRUNCATED, f"the bytes end at {len(data)}, before the trailer"
        )
    if not images:
        return Finding.of(Reason.GIF_IMAGE_MISSING, "the trailer comes before any image")
    return at + 1


def _table_length(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & _TABLE_FLAG else 0
