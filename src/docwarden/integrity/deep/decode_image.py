"""Tier 3 of PNG, GIF, WebP and TIFF, by Pillow. Runs in the deep checker's process only.

Every frame is decoded until the budget of pixels is used up; what is left is not judged, and an
image that exceeds the budget alone is not decoded at all.
"""

from collections.abc import Callable
from io import BytesIO
from typing import Final

from PIL import GifImagePlugin, Image, ImageFile, PngImagePlugin, TiffImagePlugin, WebPImagePlugin

from docwarden.integrity.deep.decoders import Failures
from docwarden.integrity.formats.webp import canvas_pixels
from docwarden.integrity.reasons import Reason

MAX_PIXELS: Final = 32_000_000
"""In all frames together: 128 MB as RGBA, about half a second."""
MAX_FRAMES: Final = 1_000
MAX_WEBP_PIXELS: Final = 24_000_000
"""In one frame: Pillow decodes stills by libwebp's decoder of animations too, which takes up to 20
bytes a pixel as soon as a WebP is opened."""
MAX_TEXT: Final = 16 << 20
"""Bytes that one text or colour profile of a PNG may inflate to; Pillow says 1 MiB."""

# TIFF compressions that every build of Pillow decodes; others are not judged.
_TIFF_COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 32773, 32946})
_COMPRESSION_TAG: Final = 259
# Pillow's words for texts beyond its limits: of one, and of all together.
_TOO_MUCH_TEXT: Final = ("Decompressed data too large", "Too much memory used in text chunks")


Opener = Callable[[BytesIO], ImageFile.ImageFile]


def decode_png(data: bytes, _tier: int) -> Failures:
    """Return why a strict decoder takes offence at a PNG."""
    PngImagePlugin.MAX_TEXT_CHUNK = MAX_TEXT
    return _decode(data, PngImagePlugin.PngImageFile)


def decode_gif(data: bytes, _tier: int) -> Failures:
    """Return why a strict decoder takes offence at a GIF."""
    return _decode(data, GifImagePlugin.GifImageFile)


def decode_webp(data: bytes, _tier: int) -> Failures:
    """Return why a strict decoder takes offence at a WebP."""
    return (
        []
        if canvas_pixels(data) > MAX_WEBP_PIXELS
        else _decode(data, WebPImagePlugin.WebPImageFile)
    )


def decode_tiff(data: bytes, _tier: int) -> Failures:
    """Return why a strict decoder takes offence at a TIFF."""
    return _decode(data, TiffImagePlugin.TiffImageFile)


def _decode(data: bytes, opener: Opener) -> Failures:
    Image.MAX_IMAGE_PIXELS = None  # the budget below is stricter, and no warning is wanted
    try:
        image = opener(BytesIO(data))
    except (SyntaxError, OSError, ValueError) as error:
        # TIFF has more kinds of pixels than Pillow knows.
        if opener is TiffImagePlugin.TiffImageFile or str(error).startswith(_TOO_MUCH_TEXT):
            return []
        return [(Reason.IMAGE_UNDECODABLE, str(error))]
    with image:
        return _decode_frames(image)


def _decode_frames(image: ImageFile.ImageFile) -> Failures:
    left = MAX_PIXELS
    for number in range(MAX_FRAMES):
        try:
            image.seek(number)
        except EOFError:
            break
        except MemoryError:
            raise
        except Exception as error:
            if _ends_quietly(image, number):
                break
            if isinstance(error, SyntaxError | OSError):
                return [(Reason.IMAGE_UNDECODABLE, f"frame {number}: {error}")]
            raise
        left -= image.width * image.height
        if left < 0 or not _supported(image):
            break
        try:
            image.load()
        except (OSError, SyntaxError, EOFError) as error:
            return [(Reason.IMAGE_UNDECODABLE, f"frame {number}: {error}")]
        except (ValueError, IndexError):
            # Lost bytes have other names. These are for a frame without area (GIF), and for large
            # texts and odd chunks behind the pixels (PNG), which are right by their CRC.
            break
    return []


def _ends_quietly(image: ImageFile.ImageFile, number: int) -> bool:
    """Tell whether a frame that cannot be reached is not judged, with all that follow.

    A later page of a TIFF, like its first, may be of a kind that Pillow does not know, and Pillow
    has many ways to say so. A PNG whose animation is out of order shows its first image (APNG,
    "error handling").
    """
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return True
    return number > 0 and isinstance(image, PngImagePlugin.PngImageFile)


def _supported(image: ImageFile.ImageFile) -> bool:
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return True
    return image.tag_v2.get(_COMPRESSION_TAG, 1) in _TIFF_COMPRESSIONS
