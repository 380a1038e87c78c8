"""Tier 3 of WebP, by Pillow. Runs in the deep checker's process only.

Every frame is decoded until the budget of pixels is used up; what is left is not judged, and an
image that exceeds the budget alone is not decoded at all.
"""

from io import BytesIO
from typing import Final

from PIL import Image, ImageFile, WebPImagePlugin

from docwarden.integrity.formats.webp import canvas_pixels
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Failures

MAX_PIXELS: Final = 32_000_000
"""In all frames together: 128 MB as RGBA, about half a second."""
MAX_FRAMES: Final = 1_000
MAX_WEBP_PIXELS: Final = 24_000_000
"""In one frame: Pillow decodes stills by libwebp's decoder of animations too, which takes up to 20
bytes a pixel as soon as a WebP is opened."""


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
    Image.MAX_IMAGE_PIXELS = None  # the budget below is stricter, and no warning is wanted
    try:
        image = WebPImagePlugin.WebPImageFile(BytesIO(data))
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
            return [(Reason.IMAGE_UNDECODABLE, f"frame {number}: {error}")]
    return []
