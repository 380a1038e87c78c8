"""Tier 3 of PNG, GIF, WebP and TIFF: what is damage, what is not judged."""

import zlib

import pytest
from PIL import Image, TiffImagePlugin

from docwarden.integrity.deep import decode_image as module
from docwarden.integrity.deep.decode_image import MAX_WEBP_PIXELS
from docwarden.integrity.deep.decoders import load_decoder
from docwarden.integrity.formats.tiff import MAX_DIRECTORIES, MAX_ENTRIES, TiffReason
from docwarden.integrity.formats.webp import canvas_pixels
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.sniff import sniff
from docwarden.integrity.tiers import inspect_bytes

# Pillow warns of odd TIFF directories before it refuses them.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


def decode(data):
    kind = sniff(data)
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
    data = _large(6_000, 4_001, kind, saved)
    assert data[12:16].decode() == kind
    assert canvas_pixels(data) == 6_000 * 4_001 > MAX_WEBP_PIXELS
    monkeypatch.setattr(module, "_decode", lambda *_: pytest.fail("opened"))
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


@pytest.mark.parametrize("odd", [(b"gAMA", b""), (b"iCCP", b""), (b"tRNS", b"")])
def test_png_with_an_odd_chunk_behind_its_picture_passes(png_of, odd):
    assert reasons(png_of(PNG_HEAD, PNG_BODY, odd, PNG_END)) == []


def test_gif_frame_without_any_pixel_is_not_judged(documents):
    gif = documents["gif"]
    nothing = b"\x2c" + bytes(9) + b"\x02\x02\x4c\x01\0"
    assert reasons(gif[:-1] + nothing + b";") == []
    first = gif.index(b"\x2c\0\0\0\0")
    assert reasons(gif[:first] + nothing + gif[first:]) == []


ODD_KINDS = {
    "24 bits": {258: (3, 24)},
    "10 bits": {258: (3, 10)},
    "no compression known": {259: (3, 65_535)},
    "text for a number": {258: (2, 0x41)},
    "text for the size": {256: (2, 0x41)},
    "no size": {256: None},
    "a number for the strips": {277: (3, 0)},
    "photometric": {262: (3, 32_803)},
    "a size of zero": {257: (4, 0)},
}


@pytest.mark.parametrize("kind", ODD_KINDS)
def test_tiff_page_of_a_kind_that_is_not_known_is_not_judged(tiff_of, kind):
    assert reasons(tiff_of({}, ODD_KINDS[kind])) == []
    assert reasons(tiff_of(ODD_KINDS[kind], {})) == []


def test_tiff_page_before_an_unknown_one_is_judged(tiff_of):
    broken = {259: (3, 8)}  # Deflate, and what stands there is none
    assert reasons(tiff_of(broken, ODD_KINDS["24 bits"])) == [Reason.IMAGE_UNDECODABLE]


def test_error_that_a_library_makes_of_a_lack_of_memory_passes_through(tiff_of, monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr(TiffImagePlugin.TiffImageFile, "seek", refuse)
    with pytest.raises(MemoryError):
        decode(tiff_of({}, {}))


def test_tiff_of_thousands_of_pages_passes(tiff_of):
    data = tiff_of(*[{}] * 9_000)
    assert inspect_bytes(data, Policy())[1] == ()
    assert reasons(data) == []


def test_tiff_of_endless_pages_or_entries_is_refused(tiff_of):
    pages = tiff_of(*[{}] * (MAX_DIRECTORIES + 1))
    assert inspect_bytes(pages, Policy())[1][0].reason is TiffReason.DIRECTORY_LOOP
    many = dict.fromkeys(range(1000, 61000), (3, 1))
    entries = tiff_of(*[many] * (MAX_ENTRIES // 60_000 + 1))
    assert inspect_bytes(entries, Policy())[1][0].reason is TiffReason.DIRECTORY_LOOP
