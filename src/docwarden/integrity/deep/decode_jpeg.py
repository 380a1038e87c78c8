"""Tier 3 of JPEG, by simplejpeg (libjpeg-turbo). Runs in the deep checker's process only.

The picture is decoded at an eighth of its size: every entropy-coded bit is read just the same, and
most of the arithmetic and memory is saved. libjpeg's warnings count as errors, so it is not given
anything that it would warn of needlessly: segments of metadata are left out, and every sequential
scan gets the parameters that it must have.

The headers decide what is not judged, never the decoder's messages: frames of a process that it
does not know (lossless, hierarchical, 12 bits), and pictures beyond the bounds below. Lossless
frames have no DCT to scale (T.81 annex H), so libjpeg-turbo decodes them at full size, while
simplejpeg makes room for the scaled picture alone and has the rest written beyond the end of it.
"""

from io import BytesIO
from typing import Final

import simplejpeg
from PIL import JpegImagePlugin

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.formats.jpeg import Picture
from docwarden.integrity.formats.jpeg_headers import HIERARCHICAL, LOSSLESS, PROGRESSIVE, Headers
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Failures

MAX_PIXELS: Final = 100_000_000
MAX_COEFFICIENTS: Final = 64_000_000
"""Of a picture in several scans, which a decoder keeps as a whole: two bytes each."""
MAX_SIDE: Final = 65_500
"""libjpeg's JPEG_MAX_DIMENSION."""

_MADE_FOR: Final = {"CMYK": "CMYK", "YCCK": "CMYK", "Gray": "GRAY"}
_SOS: Final = 0xDA
_SEQUENTIAL: Final = b"\0\x3f\0"  # table B.3
_SCALE: Final = 8


def decode_jpeg(data: bytes, _tier: int) -> Failures:
    """Return what a strict decoder rejects in a JPEG."""
    picture = Picture(data)
    try:
        picture.walk()
    except BrokenError as broken:  # its check observes
        return [(Reason.IMAGE_UNDECODABLE, broken.finding.detail)]
    if not _is_judged(picture.headers):
        return [] if picture.closed else [_unproven()]
    plain = _plain(data, picture)
    try:
        _, _, colours, _ = simplejpeg.decode_jpeg_header(plain, strict=True)
    except ValueError:
        # The headers are right: they have a sampling that simplejpeg does not know.
        return _decode_by_pillow(plain, picture)
    try:
        simplejpeg.decode_jpeg(
            plain,
            colorspace=_MADE_FOR.get(colours, "RGB"),
            fastdct=True,
            fastupsample=True,
            min_height=1,
            min_width=1,
            min_factor=_SCALE,
            strict=True,
        )
    except ValueError as error:
        return [(Reason.IMAGE_UNDECODABLE, str(error))]
    return []


def _unproven() -> tuple[Reason, str]:
    return Reason.END_MISSING, "there is no EOI, and the decoder cannot tell whether all is there"


def _is_judged(headers: Headers) -> bool:
    return (
        headers.frame not in LOSSLESS | HIERARCHICAL
        and headers.precision == 8
        and not headers.announced
        and len(headers.components) in {1, 3, 4}
        and max(headers.width, headers.height) <= MAX_SIDE
        and headers.width * headers.height <= MAX_PIXELS
        and not (_in_several_scans(headers) and headers.coefficients > MAX_COEFFICIENTS)
        and _samples_evenly(headers)
    )


def _in_several_scans(headers: Headers) -> bool:
    return headers.frame in PROGRESSIVE or headers.scans > 1


def _samples_evenly(headers: Headers) -> bool:
    """Whether every component's sampling divides the largest; decoders support no others."""
    across = max(each.across for each in headers.components)
    down = max(each.down for each in headers.components)
    return not any(across % each.across or down % each.down for each in headers.components)


def _plain(data: bytes, picture: Picture) -> bytes:
    """Return the picture as the decoder needs it, EOI included."""
    parts = [b"\xff\xd8"]
    for code, start, end in picture.kept:
        parts += (b"\xff", bytes((code,)))
        if code == _SOS and picture.headers.odd_scans:
            after = start + int.from_bytes(data[start : start + 2], "big")
            parts += (data[start : after - 3], _SEQUENTIAL, data[after:end])
        else:
            parts.append(data[start:end])
    return b"".join((*parts, b"\xff\xd9"))


def _decode_by_pillow(plain: bytes, picture: Picture) -> Failures:
    """Decode by Pillow, which reports errors but no warnings: it fills up what is missing."""
    headers = picture.headers
    if not picture.closed:
        return [_unproven()]
    try:
        with JpegImagePlugin.JpegImageFile(BytesIO(plain)) as image:
            image.draft(image.mode, (headers.width // _SCALE, headers.height // _SCALE))
            image.load()
    except (SyntaxError, OSError) as error:
        return [(Reason.IMAGE_UNDECODABLE, str(error))]
    return []
