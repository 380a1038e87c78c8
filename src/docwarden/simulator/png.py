"""PNG files made with zlib alone, so that no imaging library is loaded at start."""

import math
import random
import struct
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"

_IDAT_BYTES = 8192  # what libpng writes by default
_HEADER_END = len(SIGNATURE) + 25  # signature and the whole IHDR chunk
_GREY, _RGB = 0, 2  # colour types, PNG specification 11.2.2


def picture_pixels(width: int, height: int) -> bytes:
    """Draw an evening landscape with camera noise, as RGB rows without filter bytes."""
    noise = random.Random(48).randbytes(width * height)  # noqa: S311 - noise, not a secret
    sun_x, sun_y, sun_radius = width * 0.7, height * 0.35, height * 0.12
    ridge = [
        height * (0.68 + 0.08 * math.sin(x / 19) + 0.04 * math.sin(x / 7)) for x in range(width)
    ]
    pixels = bytearray()
    position = 0
    for y in range(height):
        red, green, blue = 70 + 150 * y // height, 90 + 60 * y // height, 150 - 60 * y // height
        for x in range(width):
            grain = noise[position] & 15
            position += 1
            if y > ridge[x]:
                pixels += bytes((30 + grain, 60 + grain - (y & 7), 40 + grain))
            elif (x - sun_x) ** 2 + (y - sun_y) ** 2 < sun_radius**2:
                pixels += bytes((235 + grain, 200 + grain, 120 + grain))
            else:
                pixels += bytes((red + grain, green + grain, blue + grain))
    return bytes(pixels)


def picture(width: int = 256, height: int = 182) -> bytes:
    """Make the usual picture as a PNG of about 48 KB."""
    return _encode(width, height, _RGB, picture_pixels(width, height), level=6)


def noise_of_size(size: int) -> bytes:
    """Make a valid PNG of exactly `size` bytes that does not compress.

    Raises:
        ValueError: `size` is too small for it.
    """
    if size < 512:
        raise ValueError(f"a PNG of {size} bytes cannot be made: 512 at least")
    width = min(1024, size // 4)
    height = size // (width + 8)
    while True:
        pixels = random.Random(size).randbytes(width * height)  # noqa: S311 - noise, not a secret
        png = _encode(width, height, _GREY, pixels, level=0)
        missing = size - len(png)
        if missing >= 32:
            padding = _chunk(b"tEXt", b"Comment\0" + b"." * (missing - 20))
            return png[:_HEADER_END] + padding + png[_HEADER_END:]
        height -= 1


def numbered(png: bytes, number: int) -> bytes:
    """Give a PNG a serial number in a tEXt chunk: another valid file with the same picture."""
    chunk = _chunk(b"tEXt", b"Serial\0%016d" % number)
    return png[:_HEADER_END] + chunk + png[_HEADER_END:]


def _encode(width: int, height: int, colour: int, pixels: bytes, *, level: int) -> bytes:
    stride = len(pixels) // height
    rows = b"".join(b"\0" + pixels[y * stride : (y + 1) * stride] for y in range(height))
    data = zlib.compress(rows, level)
    parts = [SIGNATURE, _chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))]
    parts += [
        _chunk(b"IDAT", data[start : start + _IDAT_BYTES])
        for start in range(0, len(data), _IDAT_BYTES)
    ]
    parts.append(_chunk(b"IEND", b""))
    return b"".join(parts)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
