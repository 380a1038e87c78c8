"""Tier 3 of GIF, by Pillow. Runs in the deep checker's process only.

Each frame's codes must stand for exactly as many pixels as the frame has: LZW has no checksum, but
a code that changed stands for a run of another length. Pillow's decoder reports codes for too few,
and never looks at those that follow the last pixel. So each frame is decoded twice, as a picture of
its own: once at its size, and once, with another shape, at the smallest size above, for which there
must be too few. A frame without area holds nothing and is not judged.
"""

from io import BytesIO
from math import isqrt
from struct import Struct
from typing import Final

from PIL import GifImagePlugin, Image

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.formats.gif import GifReason, frames_of
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Failures

MAX_PIXELS: Final = 32_000_000
"""In all frames together; a frame beyond is not judged."""
MAX_FRAMES: Final = 5_000

_MAX_SIDE: Final = 65_535
_HEAD: Final = Struct("<6sHHBBBcHHHHB")


def decode_gif(data: bytes, _tier: int) -> Failures:
    """Return the first frame whose codes stand for too few pixels, or too many."""
    Image.MAX_IMAGE_PIXELS = None  # the budget above is stricter, and needs no warning
    try:
        frames = frames_of(data)
    except BrokenError as broken:  # its check observes
        return [(Reason.IMAGE_UNDECODABLE, broken.finding.detail)]
    left = MAX_PIXELS
    for number, frame in enumerate(frames[:MAX_FRAMES]):
        pixels = frame.width * frame.height
        if not pixels or pixels > left:
            continue
        left -= pixels
        codes = data[frame.start : frame.end]
        fault = _fault(frame.width, frame.height, codes)
        if fault is not None:
            return [(Reason.IMAGE_UNDECODABLE, f"frame {number}: {fault}")]
        if _fault(*larger_shape(pixels), codes) is None:
            return [(GifReason.EXTRA_PIXELS, f"frame {number} of {pixels} pixels")]
    return []


def larger_shape(pixels: int) -> tuple[int, int]:
    """Return width and height of the smallest picture with more than `pixels`."""
    for size in range(pixels + 1, pixels + _MAX_SIDE):
        for width in range(isqrt(size), max(0, (size - 1) // _MAX_SIDE), -1):
            if size % width == 0:
                return width, size // width
    return _MAX_SIDE, pixels // _MAX_SIDE + 1


def _fault(width: int, height: int, codes: bytes) -> str | None:
    """Return why a frame of this size cannot be decoded from `codes`."""
    head = _HEAD.pack(b"GIF89a", width, height, 0, 0, 0, b",", 0, 0, width, height, 0)
    try:
        with GifImagePlugin.GifImageFile(BytesIO(head + codes + b";")) as image:
            image.load()
    except (OSError, SyntaxError, EOFError) as error:
        return str(error)
    return None
