"""Tier 3 of PNG, GIF, WebP and TIFF: what is damage, what is not judged."""

import zlib
from struct import pack

import pytest
from PIL import Image

from docwarden.integrity.deep.decoders import load_decoder
from docwarden.integrity.formats.webp import MAX_DECODED_PIXELS, canvas_pixels
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.sniff import sniff
from docwarden.integrity.tiers import inspect_bytes

# Pillow warns of odd TIFF directories before it refuses them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def decode(data):
    kind, _ = sniff(data)
    assert kind is not None
    return load_decoder(kind.media_type)(data, 3)


def reasons(data):
    return [reason for reason, _ in decode(data)]


def _large(width, height, kind, saved):
    """Return a WebP whose header declares a canvas, and has no picture of that size."""
    if kind == "VP8X":
        data = saved(Image.new("RGBA", (9, 9), (9, 9, 9, 9)), "WEBP")
        size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
        return data[:24] + size + data[30:]
    data = saved(Image.new("RGB", (9, 9)), "WEBP", lossless=kind == "VP8L")
    if kind == "VP8L":
        bits = int.from_bytes(data[21:25], "little") >> 28 << 28 | height - 1 << 14 | width - 1
        return data[:21] + bits.to_bytes(4, "little") + data[25:]
    return data[:26] + width.to_bytes(2, "little") + height.to_bytes(2, "little") + data[30:]


@pytest.mark.parametrize("kind", ["VP8X", "VP8L", "VP8 "])
def test_webp_of_a_large_canvas_is_not_opened(saved, monkeypatch, kind):
    data = _large(5_000, 4_001, kind, saved)
    assert data[12:16].decode() == kind
    assert canvas_pixels(data) == 5_000 * 4_001 > MAX_DECODED_PIXELS
    monkeypatch.setattr("PIL._webp.WebPAnimDecoder", lambda _: pytest.fail("opened"))
    assert reasons(data) == []


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_webp_below_the_limit_is_decoded(saved, picture, mode, lossless):
    data = saved(picture(mode), "WEBP", lossless=lossless)
    assert canvas_pixels(data) == 97 * 83
    assert reasons(data) == []
    if lossless:  # a lossy one has no redundancy
        at = len(data) // 2
        assert reasons(data[:at] + bytes(len(data) - at)) == [Reason.IMAGE_UNDECODABLE]


PNG_HEAD = (b"IHDR", b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0")
PNG_BODY = (b"IDAT", b"x\x9cc\xf8\x0f\0\x01\x01\x01\0")
PNG_END = (b"IEND", b"")


@pytest.mark.parametrize("size", [1_500_000, 18 << 20])
@pytest.mark.parametrize("head", [b"iCCPa\0\0", b"zTXta\0\0", b"iTXta\0\x01\0\0\0"])
def test_png_with_a_large_profile_or_text_passes_wherever_it_stands(png_of, head, size):
    large = (head[:4], head[4:] + zlib.compress(bytes(size), 1))
    assert reasons(png_of(PNG_HEAD, large, PNG_BODY, PNG_END)) == []
    assert reasons(png_of(PNG_HEAD, PNG_BODY, large, PNG_END)) == []


def test_png_with_a_large_profile_is_judged_nevertheless(png_of):
    profile = (b"iCCP", b"a\0\0" + zlib.compress(bytes(1_500_000)))
    broken = (b"IDAT", PNG_BODY[1][:4])
    assert reasons(png_of(PNG_HEAD, profile, broken, PNG_END)) == [Reason.IMAGE_UNDECODABLE]


ODD_CHUNKS = {
    "iCCP of another method": (b"iCCP", b"ICC\0\1" + zlib.compress(b"x" * 99)),
    "iCCP empty": (b"iCCP", b""),
    "zTXt of another method": (b"zTXt", b"Comment\0\1" + zlib.compress(b"hi")),
    "zTXt without data": (b"zTXt", b"Comment\0\1zz"),
    "tRNS short": (b"tRNS", b"\0"),
    "acTL short": (b"acTL", bytes(4)),
    "gAMA short": (b"gAMA", bytes(2)),
    "cHRM short": (b"cHRM", bytes(16)),
    "pHYs short": (b"pHYs", bytes(8)),
    "sRGB empty": (b"sRGB", b""),
}


@pytest.mark.parametrize("odd", ODD_CHUNKS)
def test_png_chunk_that_decoders_may_skip_never_refuses_the_picture(png_of, odd):
    chunk = ODD_CHUNKS[odd]
    assert reasons(png_of(PNG_HEAD, chunk, PNG_BODY, PNG_END)) == []
    assert reasons(png_of(PNG_HEAD, PNG_BODY, chunk, PNG_END)) == []
    broken = (b"IDAT", PNG_BODY[1][:4])
    assert reasons(png_of(PNG_HEAD, chunk, broken, PNG_END)) == [Reason.IMAGE_UNDECODABLE]


def _webp_of_odd_length(saved):
    data = saved(Image.linear_gradient("L").resize((40, 30)).convert("RGB"), "WEBP")
    body = data[20 : 20 + int.from_bytes(data[16:20], "little")]
    body += b"" if len(body) & 1 else b"\0"

    def make(size, tail):
        return b"RIFF" + pack("<I", size) + b"WEBPVP8 " + pack("<I", len(body)) + body + tail

    return make(12 + len(body) + 1, b"\0"), make(12 + len(body), b""), make(12 + len(body), b"\0")


def test_webp_whose_last_padding_byte_is_missing_or_not_counted_passes(saved):
    for data in _webp_of_odd_length(saved):
        assert inspect_bytes(data, Policy())[1] == ()
        assert reasons(data) == []


def test_webp_of_odd_length_that_is_damaged_is_refused(saved):
    for data in _webp_of_odd_length(saved):
        damaged = data[:22] + b"\xff\xff\xff" + data[25:]
        found = [finding.reason for finding in inspect_bytes(damaged, Policy())[1]]
        assert found or reasons(damaged)
