"""Tier 3 of GIF: the codes of every frame stand for its pixels, no fewer and no more."""

import struct

import pytest
from PIL import Image

from docwarden.integrity.checks import Mode
from docwarden.integrity.deep import decode_gif as module
from docwarden.integrity.deep.decode_gif import decode_gif, larger_shape
from docwarden.integrity.formats.gif import GifReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.tiers import inspect_bytes

HEAD = b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0x81, 0, 0) + bytes(12)
EMPTY = b"," + bytes(9) + b"\2\0"


def reasons(data):
    return [reason for reason, _ in decode_gif(data, 3)]


def frame(width, height, codes):
    """Return a frame of codes of three bits, each preceded by a clear."""
    bits = "".join(f"{code:03b}"[::-1] for each in codes for code in (4, each)) + "101"
    bits += "0" * (-len(bits) % 8)
    data = bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    head = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\2"
    return head + bytes([len(data)]) + data + b"\0"


GOOD = frame(4, 2, [0, 1, 2, 3, 0, 1, 2, 3])


@pytest.mark.parametrize("before", [b"", EMPTY, GOOD])
def test_frame_of_no_area_ends_the_judgement_of_none_behind_it(before):
    assert reasons(HEAD + before + GOOD + b";") == []
    for bad, reason in (
        (frame(4, 2, [0] * 7), Reason.IMAGE_UNDECODABLE),
        (frame(4, 2, [0] * 9), GifReason.EXTRA_PIXELS),
        (frame(4, 2, [0, 7, 0, 0, 0, 0, 0, 0]), Reason.IMAGE_UNDECODABLE),
    ):
        assert reasons(HEAD + before + bad + b";") == [reason]
        assert reasons(HEAD + bad + before + b";") == [reason]


@pytest.mark.parametrize("interlace", [0, 1])
@pytest.mark.parametrize("size", [(1, 1), (97, 83), (300, 7), (1, 2000), (2000, 1)])
def test_every_size_has_its_exact_number_of_pixels(saved, size, interlace):
    image = Image.linear_gradient("L").resize(size).convert("P")
    assert reasons(saved(image, "GIF", interlace=interlace)) == []


@pytest.mark.parametrize("pixels", [1, 2, 60_000, 65_535, 65_536, 4_000_037, 65_535**2 - 1])
def test_larger_shape_is_larger_by_little(pixels):
    width, height = larger_shape(pixels)
    assert max(width, height) <= 65_535
    assert pixels < width * height <= pixels + max(50, pixels // 1000)


def test_frame_beyond_the_budget_is_not_judged_and_ends_nothing(monkeypatch):
    monkeypatch.setattr(module, "MAX_PIXELS", 9)
    large = frame(5, 2, [0] * 5)
    assert reasons(HEAD + large + GOOD + b";") == []
    assert reasons(HEAD + large + frame(4, 2, [0] * 7) + b";") == [Reason.IMAGE_UNDECODABLE]


def enforced(data):
    policy = Policy()
    findings = inspect_bytes(data, policy)[1]
    return [f.reason for f in findings if policy.modes[f.check] is Mode.ENFORCE]


def test_still_picture_without_its_trailer_is_observed(documents):
    data = documents["gif"]
    assert [f.reason for f in inspect_bytes(data[:-1], Policy())[1]] == ["closing-mark-missing"]
    assert enforced(data[:-1]) == []


def test_still_picture_that_is_cut_anywhere_else_is_refused(documents):
    data = documents["gif"]
    passed = [length for length in range(14, len(data) - 1) if not enforced(data[:length])]
    assert passed == []


@pytest.mark.parametrize("options", [{"loop": 0}, {"duration": 80}, {"loop": 3, "duration": 40}])
def test_animation_that_is_cut_anywhere_is_refused(saved, picture, options):
    frames = [picture("P", (31, 23)).rotate(angle) for angle in (0, 90, 180)]
    data = saved(frames[0], "GIF", save_all=True, append_images=frames[1:], **options)
    passed = [length for length in range(14, len(data)) if not enforced(data[:length])]
    assert passed == []
