"""Tier 3 of JPEG, by simplejpeg (libjpeg-turbo). Runs in the deep checker's process only.

The picture is decoded at an eighth of its size: every entropy-coded bit is read just the same,
and most of the arithmetic and memory is saved. Lossless frames are not judged: they have no DCT to
scale (T.81 annex H), so libjpeg-turbo decodes them at full size, while simplejpeg makes room for
the scaled picture alone and has the rest written beyond the end of it.
"""

from typing import Final

import simplejpeg

from docwarden.integrity.deep.decoders import Failures
from docwarden.integrity.formats.jpeg import frame_code
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
    "insufficient memory",  # for the coefficients of a large progressive picture
)
# SOF3, SOF7, SOF11 and SOF15 (T.81 table B.1); without a frame header nothing is sure.
_UNSCALED: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF, None})


def decode_jpeg(data: bytes, _tier: int) -> Failures:
    """Return why a strict decoder takes offence at a JPEG."""
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data, strict=True)
        if height * width > MAX_PIXELS or frame_code(data) in _UNSCALED:
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
