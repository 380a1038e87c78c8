"""Tier 2 of WebP: the RIFF container and its chunks.

Source: RFC 9649, sections 2.3 to 2.7 (container), RFC 6386 section 9.1 (VP8 frame header) and
RFC 9649 section 3.4 (VP8L signature).
"""

from struct import Struct
from typing import Final

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data


class WebpCheck(CheckSet):
    """The checks of a WEBP."""

    STRUCTURE = (
        "webp-structure",
        2,
        Mode.ENFORCE,
        "The RIFF size and its chunks agree with the bytes.",
    )


class WebpReason(ReasonSet):
    """Why a WEBP fails them."""

    SIZE_WRONG = (
        "webp-size-wrong",
        WebpCheck.STRUCTURE,
        "The RIFF header declares more bytes than there are.",
    )
    CHUNK_TRUNCATED = (
        "webp-chunk-truncated",
        WebpCheck.STRUCTURE,
        "A chunk reaches past the end of its container.",
    )
    CHUNK_INVALID = (
        "webp-chunk-invalid",
        WebpCheck.STRUCTURE,
        "A chunk's type or header is impossible.",
    )
    IMAGE_MISSING = ("webp-image-missing", WebpCheck.STRUCTURE, "There is no image.")
    TOO_MANY_CHUNKS = (
        "webp-too-many-chunks",
        WebpCheck.STRUCTURE,
        "More chunks than any encoder writes.",
    )


MAX_CHUNKS: Final = 65_536
"""Each frame of an animation is one chunk."""
MAX_DECODED_PIXELS: Final = 20_000_000
"""Largest frame that is decoded; it takes 240 MB, as Pillow uses libwebp's animation decoder for
stills too."""
BYTES_PER_PIXEL: Final = 12
"""What that decoder takes: two canvases, and a copy of one."""

_CHUNK: Final = Struct("<4sI")
_FIRST_CHUNK_AT: Final = 12
_FRAME_HEADER_LENGTH: Final = 16  # of an ANMF chunk, before the frame's own chunks
_VP8X_LENGTH: Final = 10
_FIRST_KINDS: Final = frozenset({b"VP8 ", b"VP8L", b"VP8X"})
_IMAGE_KINDS: Final = frozenset({b"VP8 ", b"VP8L", b"ANMF"})
_START_CODE: Final = b"\x9d\x01\x2a"
_LOSSLESS_SIGNATURE: Final = 0x2F


def walk_webp(data: Data) -> Walked:
    """Return where the container ends.

    Raises:
        BrokenError: The bytes are not a complete WebP.
    """
    if len(data) < _FIRST_CHUNK_AT + _CHUNK.size:
        raise BrokenError(WebpReason.CHUNK_TRUNCATED, "the bytes end within the first chunk")
    end = int.from_bytes(data[4:8], "little") + 8
    # Some encoders omit the last padding byte or do not count it; decoders accept that.
    missing = end - len(data)
    if missing > 1:
        detail = f"RIFF declares {end} bytes, {len(data)} are here"
        raise BrokenError(WebpReason.SIZE_WRONG, detail)
    _walk_chunks(data, min(end, len(data)))
    return end + (end & 1), ()


def canvas_pixels(data: Data) -> int:
    """Return the pixels of a frame, as the first chunk declares (RFC 9649 2.5 to 2.7)."""
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        width = int.from_bytes(body[4:7], "little") + 1
        height = int.from_bytes(body[7:10], "little") + 1
    elif kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:  # the other two bits scale, and decoders leave that to viewers (RFC 6386 9.1)
        width = int.from_bytes(body[6:8], "little") & 0x3FFF
        height = int.from_bytes(body[8:10], "little") & 0x3FFF
    return width * height


def decode_memory(data: Data) -> int:
    """Estimate the bytes that decoding takes."""
    pixels = canvas_pixels(data)
    return 2 * len(data) + (BYTES_PER_PIXEL * pixels if pixels <= MAX_DECODED_PIXELS else 0)


def _walk_chunks(data: Data, end: int) -> None:
    images = 0
    at = _FIRST_CHUNK_AT
    for number in range(MAX_CHUNKS):
        if at >= end:
            break
        if at + _CHUNK.size > end:
            raise BrokenError(WebpReason.CHUNK_TRUNCATED, f"{end - at} stray bytes at {at}")
        kind, length = _CHUNK.unpack_from(data, at)
        body = at + _CHUNK.size
        if body + length > end:
            raise BrokenError(WebpReason.CHUNK_TRUNCATED, f"the chunk at {at} is cut short")
        if number == 0 and kind not in _FIRST_KINDS:
            raise BrokenError(WebpReason.CHUNK_INVALID, "the first chunk is not an image header")
        if not _plausible(data, kind, body, length):
            raise BrokenError(WebpReason.CHUNK_INVALID, f"the chunk at {at} has a broken header")
        images += kind in _IMAGE_KINDS
        at = body + length + (length & 1)
    else:
        raise BrokenError(WebpReason.TOO_MANY_CHUNKS, f"more than {MAX_CHUNKS} chunks")
    if not images:
        raise BrokenError(WebpReason.IMAGE_MISSING, "no image chunk in the container")


def _plausible(data: Data, kind: bytes, body: int, length: int) -> bool:
    if kind == b"VP8 ":
        key_frame = length >= 10 and not data[body] & 1
        return key_frame and data[body + 3 : body + 6] == _START_CODE
    if kind == b"VP8L":
        return length >= 5 and data[body] == _LOSSLESS_SIGNATURE
    if kind == b"VP8X":
        return length >= _VP8X_LENGTH
    if kind == b"ANMF":
        return length >= _FRAME_HEADER_LENGTH + _CHUNK.size
    return True


FORMAT: Final = Format(
    name="WEBP",
    media_type="image/webp",
    extension="webp",
    signature=rb"RIFF.{4}WEBP",  # other RIFF files are not ours
    # A text decoder may change the length of the four bytes between the two words.
    mangled=rb"RIFF(?s:.){2,12}?WEBP",
    end_mark=None,
    walk=walk_webp,
    decoder="docwarden.integrity.deep.decode_image:decode_webp",
    decode_memory=decode_memory,
    checks=WebpCheck,
    reasons=WebpReason,
)
