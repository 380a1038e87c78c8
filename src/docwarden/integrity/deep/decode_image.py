"""Tier 3 of PNG and WebP, by Pillow. Runs in the deep checker's process only.

Every frame is decoded until the budget of pixels is used up; what is left is not judged, and an
image that exceeds the budget alone is not decoded at all.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Final

from PIL import Image, ImageFile, PngImagePlugin, WebPImagePlugin

from docwarden.integrity.formats.png import pixel_chunks
from docwarden.integrity.formats.webp import canvas_pixels
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Failures

MAX_PIXELS: Final = 32_000_000
"""In all frames together: 128 MB as RGBA, about half a second."""
MAX_FRAMES: Final = 1_000
MAX_WEBP_PIXELS: Final = 24_000_000
"""In one frame: Pillow decodes stills by libwebp's decoder of animations too, which takes up to 20
bytes a pixel as soon as a WebP is opened."""

Opener = Callable[[BytesIO], ImageFile.ImageFile]


def decode_png(data: bytes, _tier: int) -> Failures:
    """Return why a strict decoder takes offence at a PNG's pixels."""
    return _decode(pixel_chunks(data), PngImagePlugin.PngImageFile)


def decode_webp(data: bytes, _tier: int) -> Failures:
    """Return why a strict decoder takes offence at a WebP."""
    if canvas_pixels(data) > MAX_WEBP_PIXELS:
        return []
    size = int.from_bytes(data[4:8], "little")
    if size & 1:
        # The padding of the last chunk is not counted, or not there; libwebp wants both.
        data = data[:4] + (size + 1).to_bytes(4, "little") + data[8 : size + 8] + b"\0"
    elif size + 8 == len(data) + 1:
        data += b"\0"
    return _decode(data, WebPImagePlugin.WebPImageFile)


def _decode(data: bytes, opener: Opener) -> Failures:
    Image.MAX_IMAGE_PIXELS = None  # the budget below is stricter, and no warning is wanted
    try:
        image = opener(BytesIO(data))
    except (SyntaxError, OSError, ValueError) as error:
        return [(Reason.IMAGE_UNDECODABLE, str(error))]
    with image:
        return _decode_frames(image)


def _decode_frames(image: ImageFile.ImageFile) -> Failures:
    left = MAX_PIXELS
    for number in range(MAX_FRAMES):
        try:
            image.seek(number)
            left -= image.width * image.height
            if left < 0:
                break
            image.load()
        except EOFError:
            break
        except (SyntaxError, OSError) as error:
            # A PNG whose animation is out of order shows its first image (APNG, "error handling").
            if number and isinstance(image, PngImagePlugin.PngImageFile):
                break
            return [(Reason.IMAGE_UNDECODABLE, f"frame {number}: {error}")]
    return []
