"""Tier 3 of JPEG: what the decoder is asked for, and what of its words is damage."""

import pytest
import simplejpeg

from docwarden.integrity.deep.decode_jpeg import decode_jpeg
from docwarden.integrity.reasons import Reason


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
def test_other_frames_are_decoded(decoded, documents, name):
    assert decode_jpeg(documents[name], 3) == []
    assert decoded == [documents[name]]


def test_frame_that_only_a_thumbnail_has_is_not_the_picture_s(decoded, documents):
    thumbnail = b"Exif\0\0" + _lossless(0xC3)
    data = documents["jpeg"]
    app = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    assert decode_jpeg(data[:2] + app + data[2:], 3) == []
    assert len(decoded) == 1


def test_jpeg_that_is_cut_within_its_scan_is_undecodable(documents):
    cut = documents["jpeg"][:-400] + b"\xff\xd9"
    assert [reason for reason, _ in decode_jpeg(cut, 3)] == [Reason.IMAGE_UNDECODABLE]


def test_progressive_jpeg_that_needs_too_much_memory_is_not_judged(documents, monkeypatch):
    def refuse(_, **__):
        raise ValueError("Insufficient memory (case 4)")

    monkeypatch.setattr(simplejpeg, "decode_jpeg", refuse)
    assert decode_jpeg(documents["jpeg-progressive"], 3) == []
