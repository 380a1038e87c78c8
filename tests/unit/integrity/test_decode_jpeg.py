"""Tier 3 of JPEG: what the decoder is asked for, and what of its words is damage."""

import pytest
import simplejpeg

from docwarden.integrity.checks import Mode
from docwarden.integrity.deep.decode_jpeg import decode_jpeg
from docwarden.integrity.formats.jpeg import MAX_EXTRA, JpegReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.registry import REASONS
from docwarden.integrity.tiers import inspect_bytes


def _lossless(code, side=64):
    """Return a lossless grey JPEG (T.81 annex H): every difference is 0 and takes one bit."""
    frame = b"\xff%c\0\x0b\x08\0%c\0%c\x01\x01\x11\0" % (code, side, side)
    table = b"\xff\xc4\0\x14\0\x01" + bytes(15) + b"\0"
    comment = b"\xff\xfe\0\x06\xff\xc0\xff\xd9"
    scan = b"\xff\xda\0\x08\x01\x01\0\x01\0\0" + bytes(side * side // 8)
    return b"\xff\xd8" + comment + table + b"\xff" + frame + scan + b"\xff\xd9"


@pytest.fixture
def decoded(monkeypatch):
    """Return what the decoder was asked to decode; it decodes nothing."""
    asked = []
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda data, **_: asked.append(data))
    return asked


@pytest.mark.parametrize("code", [0xC3, 0xC7, 0xCB, 0xCF])
def test_lossless_frame_is_not_judged_since_the_decoder_does_not_scale_it(decoded, code):
    assert decode_jpeg(_lossless(code), 3) == []
    assert decoded == []


@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive"])
def test_other_frames_are_decoded_without_words_about_them(decoded, documents, name):
    data = documents[name]
    assert decode_jpeg(data, 3) == []
    after_jfif = 4 + int.from_bytes(data[4:6], "big")
    assert decoded == [data[:2] + data[after_jfif:]]


def test_frame_that_only_a_thumbnail_has_is_not_the_picture_s(decoded, documents):
    thumbnail = b"Exif\0\0" + _lossless(0xC3)
    data = documents["jpeg"]
    app = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    assert decode_jpeg(data[:2] + app + data[2:], 3) == []
    assert len(decoded) == 1


def test_jpeg_that_is_cut_within_its_scan_is_undecodable(documents):
    cut = documents["jpeg"][:-400] + b"\xff\xd9"
    assert [reason for reason, _ in decode_jpeg(cut, 3)] == [Reason.IMAGE_UNDECODABLE]


@pytest.mark.parametrize("bound", ["MAX_PIXELS", "MAX_COEFFICIENTS", "MAX_SIDE"])
def test_progressive_jpeg_beyond_a_bound_is_not_judged(decoded, documents, monkeypatch, bound):
    monkeypatch.setattr(f"docwarden.integrity.deep.decode_jpeg.{bound}", 90)
    assert decode_jpeg(documents["jpeg-progressive"], 3) == []
    assert decoded == []
    unclosed = documents["jpeg-progressive"][:-2]
    assert [reason for reason, _ in decode_jpeg(unclosed, 3)] == [Reason.END_MISSING]


def _outcome(data, tier=3):
    """Return the reasons of all tiers, and whether one of them is enforced."""
    policy = Policy.parse(tier=tier)
    found = [finding.reason for finding in inspect_bytes(data, policy)[1]]
    found += [reason for reason, _ in decode_jpeg(data, tier)] if tier > 2 else []
    enforced = any(
        policy.modes[reason.check] is Mode.ENFORCE for reason in REASONS if reason in found
    )
    return found, enforced


def _changed(data, marker, offset, value):
    at = data.index(marker) + offset
    return data[:at] + bytes([value]) + data[at + 1 :]


HEADERS = {
    "Huffman counts": (b"\xff\xc4", 6, 0xFF),
    "Huffman codes that do not fit": (b"\xff\xc4", 5, 3),
    "Huffman number": (b"\xff\xc4", 4, 0xEF),
    "Huffman length": (b"\xff\xc4", 3, 0x20),
    "quantisation number": (b"\xff\xdb", 4, 0x0D),
    "quantisation length": (b"\xff\xdb", 3, 0x44),
    "no quantisation table": (b"\xff\xc0", 12, 3),
    "sampling": (b"\xff\xc0", 11, 0xFF),
    "component number": (b"\xff\xc0", 13, 0),
    "precision": (b"\xff\xc0", 4, 9),
    "twelve bits in a baseline frame": (b"\xff\xc0", 4, 12),
    "component of the scan": (b"\xff\xda", 5, 9),
    "component twice in the scan": (b"\xff\xda", 7, 1),
    "table of the scan": (b"\xff\xda", 6, 0x33),
    "length of the scan header": (b"\xff\xda", 3, 0x0A),
    "components of the scan": (b"\xff\xda", 4, 2),
    "no frame": (b"\xff\xc0", 1, 0xE9),
}


@pytest.mark.parametrize("damage", HEADERS)
def test_header_that_no_decoder_can_work_by_is_refused(documents, damage):
    data = _changed(documents["jpeg"], *HEADERS[damage])
    found, enforced = _outcome(data, tier=2)
    assert enforced, found


@pytest.mark.parametrize(("offset", "value"), [(7, 40), (8, 64), (9, 0x31), (9, 0x0E)])
def test_progression_that_no_decoder_can_work_by_is_refused(documents, offset, value):
    data = documents["jpeg-progressive"]
    second = data.index(b"\xff\xda", data.index(b"\xff\xda") + 2)
    damaged = data[:second] + _changed(data[second:], b"\xff\xda", offset, value)
    assert _outcome(damaged, tier=2)[1]


def test_sequential_scan_with_odd_parameters_is_observed(documents):
    odd = _changed(documents["jpeg"], b"\xff\xda", 12, 0)
    assert odd != documents["jpeg"]
    assert _outcome(odd) == ([JpegReason.SCAN_PARAMETERS_ODD], False)


def test_few_bytes_between_segments_are_observed_and_many_are_damage(documents):
    data = documents["jpeg"]
    at = data.index(b"\xff\xc4")
    few = data[:at] + bytes(MAX_EXTRA) + data[at:]
    assert _outcome(few) == ([JpegReason.EXTRA_BYTES], False)
    many = data[:at] + bytes(MAX_EXTRA + 1) + data[at:]
    assert _outcome(many, tier=2) == ([JpegReason.MARKER_MISSING], True)


@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive"])
def test_whole_jpeg_without_its_end_mark_is_observed_where_a_decoder_can_tell(documents, name):
    for unclosed in (documents[name][:-2], documents[name][:-1]):
        assert _outcome(unclosed) == ([Reason.CLOSING_MARK_MISSING], False)
        assert _outcome(unclosed, tier=2) == ([Reason.END_MISSING], True)


@pytest.mark.parametrize("name", ["jpeg", "jpeg-progressive"])
def test_jpeg_that_is_cut_anywhere_else_is_refused(documents, name):
    data = documents[name]
    whole = len(data) - 2
    boundaries = {at + step for at in range(whole) if data[at] == 0xFF for step in (0, 1, 2)}
    lengths = {length for length in boundaries if 3 <= length < whole} | {whole - 1, whole - 2}
    passed = [length for length in lengths if not _outcome(data[:length])[1]]
    # The last byte of a scan may hold nothing but padding.
    assert passed in ([], [whole - 1])


def test_sampling_that_the_first_decoder_does_not_know_is_judged_by_another(documents):
    data = _changed(documents["jpeg"], b"\xff\xc0", 14, 0x12)
    assert simplejpeg_knows(documents["jpeg"])
    assert not simplejpeg_knows(data)
    assert _outcome(data) == ([], False)
    # It fills up what is missing, and so cannot tell whether a file without its end mark is whole.
    assert _outcome(data[:-2]) == ([Reason.CLOSING_MARK_MISSING, Reason.END_MISSING], True)


def simplejpeg_knows(data):
    try:
        simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return False
    return True
