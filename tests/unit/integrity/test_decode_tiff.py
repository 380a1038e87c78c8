"""Tier 3 of TIFF: what libtiff reports, page by page, and what is not judged."""

import struct
import zlib
from typing import Any

import pytest
from PIL import Image, ImageDraw

from docwarden.integrity.deep import decode_tiff as module
from docwarden.integrity.deep.decode_tiff import decode_tiff
from docwarden.integrity.formats.tiff import MAX_DIRECTORIES, MAX_ENTRIES, TiffReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.tiers import inspect_bytes

DAMAGED = [Reason.IMAGE_UNDECODABLE]


def reasons(data):
    return [reason for reason, _ in decode_tiff(data, 3)]


def words(data):
    return [detail for _, detail in decode_tiff(data, 3)]


def pages(*given):
    """Return a TIFF of grey pages of 64 by 48, each of a compression and its one strip."""
    out, link = bytearray(b"II*\0\0\0\0\0"), 4
    for compression, data, *changes in given:
        out += b"\0" * (len(out) & 1)
        at = len(out)
        out += data + b"\0" * (len(data) & 1)
        struct.pack_into("<I", out, link, len(out))
        tags = {256: (3, 64), 257: (3, 48), 258: (3, 8), 259: (3, compression), 262: (3, 1)}
        tags |= {273: (4, at), 277: (3, 1), 278: (4, 48), 279: (4, len(data))}
        given_tags: dict[int, Any] = tags | (changes[0] if changes else {})
        listed = sorted((tag, *value) for tag, value in given_tags.items() if value is not None)
        out += struct.pack("<H", len(listed))
        out += b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in listed)
        link = len(out)
        out += bytes(4)
    return bytes(out)


GOOD = (8, zlib.compress(bytes(64 * 48)))
BAD = (8, b"x\x9cbroken" * 20)


def test_pages_of_whole_strips_pass():
    assert reasons(pages(GOOD, GOOD, (1, bytes(64 * 48)))) == []


@pytest.mark.parametrize("compression", [34712, 34713, 34892])
def test_page_of_a_compression_that_is_not_judged_hides_no_page_behind_it(compression):
    other = (compression, b"any" * 50)
    assert reasons(pages(other, GOOD)) == []
    assert reasons(pages(other, BAD)) == DAMAGED
    assert reasons(pages(BAD, other)) == DAMAGED


def test_page_of_a_compression_that_nobody_writes_is_damaged():
    assert reasons(pages((6148, b"any" * 50))) == DAMAGED


def test_page_beyond_the_budget_is_not_judged_and_hides_no_page_behind_it(monkeypatch):
    monkeypatch.setattr(module, "MAX_DECODED", 64 * 48)
    monkeypatch.setattr(module, "MAX_PIECE", 64 * 48)
    large = (8, zlib.compress(bytes(640 * 480)), {256: (3, 6400), 257: (3, 48), 278: (4, 48)})
    assert reasons(pages(large, BAD)) == DAMAGED


NO_TOOL_READS = {
    "width of zero": {256: (3, 0)},
    "width of an unknown kind": {256: (0x13, 64)},
    "bits as text": {258: (2, 8)},
    "no size": {256: None},
    "no pixels in a sample": {277: (3, 0)},
    "colours of an unknown kind": {262: (0x13, 1)},
    "more rows than the strip has": {257: (3, 4800), 278: (4, 4800)},
    "more strips than there are": {278: (4, 8)},
    "no strips": {273: None, 279: None},
}


@pytest.mark.parametrize("kind", NO_TOOL_READS)
def test_directory_that_no_tool_reads_is_damaged_on_any_page(kind):
    odd = (*GOOD, NO_TOOL_READS[kind])
    assert Reason.IMAGE_UNDECODABLE in reasons(pages(GOOD, odd))
    found = [finding.reason for finding in inspect_bytes(pages(odd), Policy())[1]]
    assert found or Reason.IMAGE_UNDECODABLE in reasons(pages(odd))


def test_private_tag_is_nothing_odd_and_a_tag_of_the_wrong_kind_is_observed():
    assert reasons(pages((*GOOD, {65_000: (4, 7)}))) == []
    assert reasons(pages((*GOOD, {282: (2, 7)}))) == [TiffReason.DIRECTORY_ODD]


def fax(compression, saved):
    image = Image.new("1", (864, 400), 1)
    for y in range(20, 380, 20):
        ImageDraw.Draw(image).text((40, y), f"the quick brown fox jumps over line {y} " * 3, fill=0)
    return saved(image, "TIFF", compression=compression)


def flipped(data, at, bit):
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def test_one_bit_of_a_group_4_strip_is_damage(saved):
    data = fax("group4", saved)
    assert reasons(data) == []
    caught = sum(reasons(flipped(data, at, 8)) == DAMAGED for at in range(40, 240))
    assert caught >= 180


def test_noisy_lines_of_a_group_3_fax_are_observed(saved):
    data = fax("group3", saved)
    assert reasons(data) == []
    found = [reasons(flipped(data, at, 8)) for at in range(400, 500)]
    assert [TiffReason.FAX_LINES_DAMAGED] in found
    assert all(each in ([], [TiffReason.FAX_LINES_DAMAGED]) for each in found)


@pytest.mark.parametrize("tags", [(324, 325), (273, 279)])
def test_tiles_that_stand_in_the_tags_of_strips_pass(tags):
    out = bytearray(b"II*\0\0\0\0\0" + bytes(range(256)) * 16)  # four tiles of 32 x 32
    lists = len(out)
    out += struct.pack("<8I", *(8 + 1024 * n for n in range(4)), *[1024] * 4)
    struct.pack_into("<I", out, 4, len(out))
    fields = {256: 50, 257: 40, 258: 8, 259: 1, 262: 1, 277: 1, 322: 32, 323: 32}
    entries = [(tag, 3, 1, value) for tag, value in fields.items()]
    entries += [(tags[0], 4, 4, lists), (tags[1], 4, 4, lists + 16)]
    out += struct.pack("<H", len(entries))
    out += b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries)) + bytes(4)
    assert inspect_bytes(bytes(out), Policy())[1] == ()
    assert reasons(bytes(out)) == []


def test_sparse_piece_is_not_judged():
    assert reasons(pages(GOOD, (1, b"", {273: (4, 0), 279: (4, 0)}))) == []


def test_lzw_of_the_old_kind_warns_of_its_age_only(documents):
    assert reasons(documents["tiff-lzw"]) == []


def test_tiff_of_thousands_of_pages_passes(tiff_of):
    data = tiff_of(*[{}] * 9_000)
    assert inspect_bytes(data, Policy())[1] == ()
    assert reasons(data) == []


def test_tiff_of_endless_pages_or_entries_is_refused(tiff_of):
    looped = tiff_of(*[{}] * (MAX_DIRECTORIES + 1))
    assert inspect_bytes(looped, Policy())[1][0].reason is TiffReason.DIRECTORY_LOOP
    many = dict.fromkeys(range(1000, 61000), (3, 1))
    entries = tiff_of(*[many] * (MAX_ENTRIES // 60_000 + 1))
    assert inspect_bytes(entries, Policy())[1][0].reason is TiffReason.DIRECTORY_LOOP


def test_what_is_told_names_the_page_and_libtiff_s_words():
    assert words(pages(GOOD, BAD))[0].startswith("page 1: ZIPDecode: ")


def test_lack_of_memory_passes_through(monkeypatch):
    def refuse(*_):
        raise MemoryError

    monkeypatch.setattr("ctypes.create_string_buffer", refuse)
    with pytest.raises(MemoryError):
        decode_tiff(pages(GOOD), 3)
