"""Tier 3 of JPEG, by simplejpeg (libjpeg-turbo). Runs in the deep checker's process only.

The picture is decoded at an eighth of its size: every entropy-coded bit is read just the same,
and most of the arithmetic and memory is saved.
"""

from typing import Final

import simplejpeg

from docwarden.integrity.reasons import Reason

MAX_PIXELS: Final = 100_000_000

_MADE_FOR: Final = {"CMYK": "CMYK", "YCCK": "CMYK", "Gray": "GRAY"}
# libjpeg's words (jerror.h) for what it does not support, and for oddities that harm no picture.
_NO_DAMAGE: Final = (
    "unsupported",
    "not supported",
    "not implemented",
    "sorry",
    "precision",
    "bad icc marker",
    "unknown jfif revision",
    "unknown adobe color transform",
    "invalid sos parameters",
    "maximum supported image dimension",
    "could not determine subsampling",
)


def judge_jpeg(data: bytes, _tier: int) -> list[tuple[Reason, str]]:
    """Return why a strict decoder takes offence at a JPEG."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if height * width > MAX_PIXELS:
            return []
        simplejpeg.decode_jpeg(
            data,
            colorspace=_MADE_FOR.get(colours, "RGB"),
            fastdct=True,
            fastupsample=True,
            min_height=1,
            min_width=1,
            min_factor=8,
            strict=True,
        )
    except ValueError as error:
        words = str(error)
        if any(known in words.lower() for known in _NO_DAMAGE):
            return []
        return [(Reason.IMAGE_UNDECODABLE, words)]
    return []
