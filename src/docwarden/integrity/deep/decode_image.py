"""Tier 3 of WebP, by Pillow. Runs in the deep checker's process only.

Every frame is decoded until the budget of pixels is used up; what is left is not judged, and an
image that exceeds the budget alone is not decoded at all. Pillow's binding to libwebp does that,
and not its WebPImageFile, which takes a third more memory for a picture that is never shown.
"""

from typing import Final

from PIL import _webp

from docwarden.integrity.formats.webp import MAX_DECODED_PIXELS, canvas_pixels
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Failures

MAX_PIXELS: Final = 32_000_000
"""In all frames together: 128 MB as RGBA, about half a second."""
MAX_FRAMES: Final = 1_000


def decode_webp(data: bytes, _tier: int) -> Failures:
    """Return what a strict decoder rejects in a WebP."""
    if canvas_pixels(data) > MAX_DECODED_PIXELS:
        return []
    size = int.from_bytes(data[4:8], "little")
    if size & 1:
        # The padding of the last chunk is not counted, or not there; libwebp wants both.
        data = data[:4] + (size + 1).to_bytes(4, "little") + data[8 : size + 8] + b"\0"
    elif size + 8 == len(data) + 1:
        data += b"\0"
    try:
        decoder = _webp.WebPAnimDecoder(data)
    except OSError as error:
        return [(Reason.IMAGE_UNDECODABLE, str(error))]
    (width, height), _, _, frames, _ = decoder.get_info()
    for number in range(min(frames, MAX_FRAMES, MAX_PIXELS // max(width * height, 1))):
        try:
            decoder.get_next()
        except OSError as error:
            return [(Reason.IMAGE_UNDECODABLE, f"frame {number}: {error}")]
    return []
