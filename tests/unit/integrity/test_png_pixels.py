"""Tier 3 of PNG: pixels that are there in full, and pixels that are not."""

import io
import itertools
import random
import struct
import tracemalloc
import zlib

import pytest
from PIL import Image

from docwarden.integrity.formats import png_pixels as module
from docwarden.integrity.formats.png_checks import PngReason
from docwarden.integrity.formats.png_pixels import decode_png, decode_small, pixel_bytes
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.tiers import inspect_bytes

DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
KINDS = [
    (colour, depth, interlaced)
    for colour, depths in DEPTHS.items()
    for depth in depths
    for interlaced in (0, 1)
]
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
ADAM7 = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)


def reasons(data):
    return [reason for reason, _ in decode_png(data)]


def head(width, height, colour=0, depth=8, interlaced=0):
    return (b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlaced))


def rows(width, height, colour=0, depth=8, interlaced=0, *, filter_type=0):
    """Return the bytes of an image, pixel by pixel into the passes of PNG section 8."""
    passes = ADAM7 if interlaced else ((0, 0, 1, 1),)
    data = b""
    for left, top, across, down in passes:
        columns = len(range(left, width, across))
        lines = len(range(top, height, down)) if columns else 0
        length = (columns * CHANNELS[colour] * depth + 7) // 8
        data += (bytes((filter_type,)) + bytes(length)) * lines
    return data


def split(data, at=7):
    return [(b"IDAT", data[start : start + at]) for start in range(0, len(data), at)]


def frame(number, width, height, left=0, top=0):
    return (b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, left, top, 1, 10, 0, 0))


@pytest.mark.parametrize(("colour", "depth", "interlaced"), KINDS)
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 7), (8, 8), (33, 17)])
def test_an_image_has_exactly_the_bytes_of_its_kind(png_of, size, colour, depth, interlaced):
    data = rows(size[0], size[1], colour, depth, interlaced, filter_type=4)
    header = head(size[0], size[1], colour, depth, interlaced)

    def png(pixels):
        return png_of(header, (b"PLTE", bytes(6)), *split(zlib.compress(pixels)), (b"IEND", b""))

    assert pixel_bytes(png(data)) == len(data)
    assert reasons(png(data)) == []
    assert reasons(png(data[:-1])) == [Reason.IMAGE_UNDECODABLE]
    assert reasons(png(data + b"\0")) == [PngReason.DATA_SURPLUS]
    wrong = rows(size[0], size[1], colour, depth, interlaced, filter_type=5)
    assert reasons(png(wrong)) == [Reason.IMAGE_UNDECODABLE]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_what_pillow_writes_passes(saved, picture, mode):
    assert reasons(saved(picture().convert(mode), "PNG")) == []


def test_every_row_is_looked_at_wherever_a_piece_ends(png_of):
    width, height = 1009, 400
    data = bytearray(rows(width, height))
    for row in (0, 1, module.PIECE // (width + 1), module.PIECE // (width + 1) + 1, height - 1):
        data[row * (width + 1)] = 9
        png = png_of(head(width, height), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
        assert reasons(png) == [Reason.IMAGE_UNDECODABLE]
        data[row * (width + 1)] = 0
    data[5] = 9  # a pixel, no filter type
    png = png_of(head(width, height), (b"IDAT", zlib.compress(data)), (b"IEND", b""))
    assert reasons(png) == []


def test_a_stream_that_is_cut_anywhere_or_has_a_wrong_byte_is_refused(png_of):
    noise = random.Random(4)
    data = b"".join(b"\0" + noise.randbytes(20) for _ in range(9))
    stream = zlib.compress(data)
    for cut in range(len(stream)):
        png = png_of(head(20, 9), (b"IDAT", stream[:cut]), (b"IEND", b""))
        assert reasons(png) == [Reason.IMAGE_UNDECODABLE], cut
    for at in itertools.chain(range(2), range(7, len(stream))):
        wrong = stream[:at] + bytes((stream[at] ^ 0x40,)) + stream[at + 1 :]
        png = png_of(head(20, 9), (b"IDAT", wrong), (b"IEND", b""))
        assert reasons(png) == [Reason.IMAGE_UNDECODABLE], at


def test_data_after_the_end_of_the_stream_is_a_surplus(png_of):
    stream = zlib.compress(rows(20, 9))
    for chunks in ([(b"IDAT", stream + b"x")], [(b"IDAT", stream), (b"IDAT", b"x")]):
        assert reasons(png_of(head(20, 9), *chunks, (b"IEND", b""))) == [PngReason.DATA_SURPLUS]
    endless = zlib.compress(rows(20, 9) + bytes(64 << 20))
    png = png_of(head(20, 9), (b"IDAT", endless), (b"IEND", b""))
    assert reasons(png) == [PngReason.DATA_SURPLUS]


def animation(png_of, *frames, default_is_frame=True, start=0):
    """Return an APNG of 20 x 9 with frames as (number, control, compressed data)."""
    chunks = [head(20, 9), (b"acTL", struct.pack(">II", 2, 0))]
    if default_is_frame:
        chunks.append(frame(start, 20, 9))
    chunks.append((b"IDAT", zlib.compress(rows(20, 9))))
    for number, control, data in frames:
        chunks += [control, (b"fdAT", struct.pack(">I", number) + data)]
    return png_of(*chunks, (b"IEND", b""))


def test_every_frame_of_an_animation_is_judged(png_of):
    whole, lacking = (zlib.compress(bytes(7 * count)) for count in (4, 3))
    small = (6, 4, 1, 2)
    assert reasons(animation(png_of, (2, frame(1, *small), whole))) == []
    assert reasons(animation(png_of, (2, frame(1, *small), lacking))) == [Reason.IMAGE_UNDECODABLE]
    third = animation(png_of, (2, frame(1, *small), whole), (4, frame(3, *small), lacking))
    assert reasons(third) == [Reason.IMAGE_UNDECODABLE]
    apart = animation(png_of, (1, frame(0, *small), lacking), default_is_frame=False)
    assert reasons(apart) == [Reason.IMAGE_UNDECODABLE]


@pytest.mark.parametrize("disorder", ["sequence", "size", "control", "number"])
def test_an_animation_that_is_out_of_order_shows_its_default_image(png_of, disorder):
    lacking = zlib.compress(bytes(7))
    control = {
        "sequence": frame(7, 6, 4),
        "size": frame(1, 6, 4, 15, 0),
        "control": (b"fcTL", struct.pack(">I", 1)),
        "number": frame(1, 6, 4),
    }[disorder]
    number = 9 if disorder == "number" else 2
    assert reasons(animation(png_of, (number, control, lacking))) == []


def test_an_animation_of_pillow_passes(picture, saved):
    more = [picture(), picture().transpose(Image.Transpose.ROTATE_180)]
    data = saved(picture(), "PNG", save_all=True, append_images=more)
    assert b"fdAT" in data
    assert reasons(data) == []
    at = data.rindex(b"fdAT")
    length = struct.unpack(">I", data[at - 4 : at])[0]
    lost = struct.pack(">I", length - 9) + data[at : at + 4 + length - 9] + bytes(4)
    assert reasons(data[: at - 4] + lost + data[at + 8 + length :]) == [Reason.IMAGE_UNDECODABLE]


def test_large_pictures_take_no_memory_and_are_judged(png_of):
    width, lines = 25_000, 128 * 10 + 10 * 1872 + 1
    squeeze = zlib.compressobj(1)
    noise = random.Random(1).randbytes(width)
    row, full = b"\0" + bytes(width), b"\0" + noise
    parts = [squeeze.compress(full * 10) for _ in range(128)]
    parts += [squeeze.compress(row * 1872) for _ in range(10)]
    for last, expected in ((row, []), (b"\5" + row[1:], [Reason.IMAGE_UNDECODABLE])):
        end = squeeze.copy()
        stream = b"".join((*parts, end.compress(last), end.flush()))
        png = png_of(head(width, lines), *split(stream, 1 << 20), (b"IEND", b""))
        source = io.BytesIO(png)
        tracemalloc.start()
        found = [reason for reason, _ in decode_png(source, 3)]
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert found == expected
        assert pixel_bytes(png) > 500_000_000
        assert peak < 1 << 20


def test_small_ones_are_told_by_their_bytes_their_header_and_their_frames(png_of, monkeypatch):
    data = animation(png_of, (2, frame(1, 6, 4), zlib.compress(bytes(28))))
    assert pixel_bytes(data) == 189
    for pixels, size, expected in (
        (189 + 28, len(data), []),
        (189 + 27, len(data), None),
        (188, len(data), None),
        (189 + 28, len(data) - 1, None),
    ):
        monkeypatch.setattr(module, "_SMALL_PIXEL_BYTES", pixels)
        monkeypatch.setattr(module, "_SMALL", size)
        assert decode_small(data) == expected
    assert pixel_bytes(b"\x89PNG") == 0


@pytest.mark.parametrize(
    "data", [b"", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n\0\0\0\x04IDATxxxx"]
)
def test_what_is_no_png_ends(data):
    assert reasons(data) == [Reason.IMAGE_UNDECODABLE]


def test_a_surplus_is_observed_and_damage_is_enforced():
    policy = Policy()
    assert policy.modes[PngReason.DATA_SURPLUS.check] == "observe"
    assert policy.modes[Reason.IMAGE_UNDECODABLE.check] == "enforce"
    assert inspect_bytes(b"", policy)[0] is None
