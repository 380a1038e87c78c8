"""Valid but unusual documents pass; broken ones are told apart by their reason."""

import re
import tracemalloc
from io import BytesIO
from struct import pack
from typing import Any

import pikepdf
import pytest

from docwarden.integrity.deep.decode_pdf import decode_pdf
from docwarden.integrity.formats.gif import GifReason
from docwarden.integrity.formats.jpeg import JpegReason
from docwarden.integrity.formats.pdf import PdfReason
from docwarden.integrity.formats.png_checks import PngReason
from docwarden.integrity.formats.tiff import TiffReason
from docwarden.integrity.formats.webp import WebpReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.tiers import inspect_bytes

IHDR = b"\0\0\0\x01\0\0\0\x01\x08\0\0\0\0"
IDAT = b"x\x9cc\xf8\x0f\0\x01\x01\x01\0"
PALETTE_IHDR = b"\0\0\0\x01\0\0\0\x01\x08\x03\0\0\0"


def reasons(data):
    return [finding.reason for finding in inspect_bytes(data, Policy())[1]]


def test_png_with_one_byte_chunks_and_ancillary_chunks_passes(png_of):
    parts = [(b"IDAT", bytes([byte])) for byte in IDAT]
    chunks = [(b"IHDR", IHDR), (b"tEXt", b"a\0b"), *parts, (b"tIME", bytes(7)), (b"IEND", b"")]
    assert reasons(png_of(*chunks)) == []


@pytest.mark.parametrize(
    ("chunks", "reason"),
    [
        ([(b"IHDR", IHDR), (b"IEND", b"")], PngReason.ORDER_INVALID),
        ([(b"IHDR", bytes(13)), (b"IDAT", IDAT), (b"IEND", b"")], PngReason.HEADER_INVALID),
        ([(b"tEXt", b"a\0" + bytes(20)), (b"IEND", b"")], PngReason.HEADER_INVALID),
        (
            [(b"IHDR", IHDR), (b"IDAT", IDAT), (b"tEXt", b"a\0"), (b"IDAT", b""), (b"IEND", b"")],
            PngReason.ORDER_INVALID,
        ),
        ([(b"IHDR", PALETTE_IHDR), (b"IDAT", IDAT), (b"IEND", b"")], PngReason.ORDER_INVALID),
        (
            [(b"IHDR", IHDR), (b"CgBI", b""), (b"IDAT", IDAT), (b"IEND", b"")],
            PngReason.CHUNK_INVALID,
        ),
        ([(b"IHDR", IHDR), (b"IDAT", IDAT), (b"IHDR", IHDR), (b"IEND", b"")], "png-chunk-invalid"),
    ],
)
def test_png_that_breaks_a_rule_is_rejected_for_it(png_of, chunks, reason):
    assert reasons(png_of(*chunks)) == [reason]


def test_png_of_endless_chunks_is_refused_in_bounded_time(png_of):
    flood = png_of((b"IHDR", IHDR), *[(b"IDAT", b"")] * 70_000, (b"IEND", b""))
    assert reasons(flood) == [PngReason.TOO_MANY_CHUNKS]


def test_jpeg_with_fill_bytes_comments_and_restarts_passes(saved, picture):
    data = saved(picture(), "JPEG", restart_marker_rows=1, comment=b"\xff\xd9 in a comment")
    filled = data[:2] + b"\xff\xff\xff" + data[2:]
    assert reasons(filled) == []


@pytest.mark.parametrize(
    "companion",
    [b"\0" * 4096, b"second", b"\0\0\0\x18ftypmp42" + bytes(100), b"\0" * 8 + b"second"],
)
def test_jpeg_with_companions_of_a_phone_camera_passes(documents, companion):
    companion = companion.replace(b"second", documents["jpeg-progressive"])
    assert reasons(documents["jpeg"] + companion) == []


def test_jpeg_with_cut_companion_counts_as_trailing_bytes(documents):
    assert reasons(documents["jpeg"] + documents["jpeg"][:-40]) == [Reason.TRAILING_BYTES]


def test_jpeg_with_height_in_a_later_segment_passes(documents):
    data = documents["jpeg"]
    frame = data.index(b"\xff\xc0") + 5
    zeroed = data[:frame] + b"\0\0" + data[frame + 2 :]
    assert reasons(zeroed) == [JpegReason.FRAME_INVALID]
    announced = zeroed[:-2] + b"\xff\xdc\0\x04\0\x53" + zeroed[-2:]
    assert reasons(announced) == []


def test_jpeg_without_scan_or_frame_is_rejected():
    assert reasons(b"\xff\xd8\xff\xd9") == [JpegReason.SCAN_MISSING]
    scan = b"\xff\xd8\xff\xda\0\x08\x01\x01\0\0\x3f\0\0\xff\xd9"
    assert reasons(scan) == [JpegReason.FRAME_INVALID]


def test_gif_without_image_is_rejected():
    assert reasons(b"GIF89a\x01\0\x01\0\0\0\0;") == [GifReason.IMAGE_MISSING]


def test_webp_without_its_last_padding_byte_passes(documents):
    data = documents["webp-lossy"] + b"note" + pack("<I", 5) + b"12345\0"
    counted = data[:4] + pack("<I", len(data) - 8) + data[8:]
    uncounted = data[:4] + pack("<I", len(data) - 9) + data[8:]
    for variant in (counted, counted[:-1], uncounted, uncounted[:-1]):
        assert reasons(variant) == []
    assert reasons(counted[:-2]) == [WebpReason.SIZE_WRONG]


def test_other_kinds_of_riff_are_of_no_allowed_type():
    assert inspect_bytes(b"RIFF\x24\0\0\0WAVEfmt " + bytes(28), Policy())[0] is None


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_of_both_byte_orders_and_widths_passes_and_loops_are_found(order, big):
    def make(following, strip=8):
        number = "Q" if big else "I"
        entries = [(256, 1), (257, 1), (273, strip), (279, 1)]
        magic = (b"II" if order == "<" else b"MM") + pack(order + "H", 43 if big else 42)
        head = magic + (pack(order + "HHQ", 8, 0, 24) if big else pack(order + "I", 16))
        head = head.ljust(24 if big else 16, b"\0")
        body = pack(order + ("Q" if big else "H"), len(entries))
        for tag, value in entries:
            kind = 16 if big else 4
            body += pack(f"{order}HH{number}{number}", tag, kind, 1, value)
        return head + body + pack(order + number, following)

    start = 24 if big else 16
    assert inspect_bytes(make(0), Policy()) == ("image/tiff", ())
    assert reasons(make(start)) == [TiffReason.DIRECTORY_LOOP]
    assert reasons(make(999_999)) == [TiffReason.DIRECTORY_TRUNCATED]
    assert reasons(make(0, strip=999_999)) == [TiffReason.DATA_OUTSIDE]


@pytest.mark.parametrize("junk", [b"\n", b" \r\n\t", b"x" * 1023])
def test_pdf_behind_leading_bytes_passes_with_offsets_of_either_base(documents, junk):
    shifted = junk + documents["pdf-table"]
    assert reasons(shifted) == [Reason.LEADING_BYTES]
    data = documents["pdf-table"]
    offset = int(data[data.rfind(b"startxref") + 9 :].split()[0])
    from_start = shifted.replace(b"startxref\n%d" % offset, b"startxref\n%d" % (offset + len(junk)))
    assert reasons(from_start) == [Reason.LEADING_BYTES]


def test_pdf_header_beyond_the_first_kilobyte_is_no_pdf(documents):
    assert inspect_bytes(b"x" * 1024 + documents["pdf-table"], Policy())[0] is None


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n", b"\r", b"\0" * 3000, b"\x1a", b"\n\n \n"])
def test_pdf_with_padding_after_its_end_passes(documents, ending):
    assert reasons(documents["pdf-streams"].rstrip() + ending) == []


def test_pdf_with_other_bytes_after_its_end_is_observed(documents):
    assert reasons(documents["pdf-streams"] + b"<!-- served by a proxy -->") == ["trailing-bytes"]


def test_pdf_with_white_space_before_its_table_passes(documents):
    data = documents["pdf-table"]
    table = data.rfind(b"xref\n0")
    offset = int(data[data.rfind(b"startxref") + 9 :].split()[0])
    assert table == offset
    spaced = data[:table] + b"\r\n  " + data[table:]
    assert reasons(spaced) == []


def test_pdf_whose_chain_of_sections_is_a_loop_ends(documents):
    data = documents["pdf-updated"]
    newest = data[data.rfind(b"startxref") + 9 :].split()[0]
    looped = re.sub(rb"/Prev \d+", b"/Prev " + newest, data)
    assert reasons(looped) == []


def test_pdf_whose_older_section_is_gone_is_rejected(documents):
    data = documents["pdf-updated"]
    lost = re.sub(rb"/Prev \d+", lambda match: b"/Prev 17".ljust(len(match[0])), data)
    assert reasons(lost) == [PdfReason.SECTION_WRONG]


def test_pdf_without_catalog_is_rejected(documents):
    assert reasons(documents["pdf-table"].replace(b"/Root", b"/Ruut")) == ["pdf-trailer-broken"]


def test_pdf_object_that_no_page_needs_is_seen_by_the_highest_tier_alone():
    pdf = pikepdf.new()
    pdf.add_blank_page()
    pdf.Root.Outlines = pdf.make_indirect(pikepdf.Dictionary(Title="a heading of the outline"))
    target = BytesIO()
    pdf.save(target, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    data = target.getvalue()
    end = data.index(b"heading of the outline")
    start = data.rindex(b" obj", 0, end) - 3
    assert decode_pdf(data, 4) == []
    # Nothing where it should stand, or another object than the one looked for.
    for instead in (bytes(end - start), b"9" + data[start + 1 : end]):
        damaged = data[:start] + instead + data[end:]
        assert decode_pdf(damaged, 3) == []
        assert [reason for reason, _ in decode_pdf(damaged, 4)] == [PdfReason.OBJECT_DAMAGED]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty-body"),
        (b"\0" * 100, "zeros-instead"),
        (b"<!DOCTYPE HTML><p>no", "html-instead"),
        (b"\xef\xbb\xbf \n<html>", "html-instead"),
        (b'{"error": "not found"}', "text-instead"),
        (b"\n\n\n", "text-instead"),
        (b"\xef\xbf\xbdPNG\r\n\x1a\n", "signature-damaged"),
        (b"RIFF\xef\xbf\xbd\xef\xbf\xbd\x09\0WEBPVP8 ", "signature-damaged"),
        (b"RIFF\xc3\x9e\xc3\xad\n\0WEBPVP8 ", "signature-damaged"),
        (b"RIFF\xde\n\0WEBPVP8 ", "signature-damaged"),
        (b"RIFF\xde\xad\x09\0WAVEfmt ", "type-unknown"),
        (b"PK\x03\x04\x14\0\x06\0", "type-unknown"),
        (b"\x1f\x8b\x08\0\0\0\0\0", "type-unknown"),
    ],
)
def test_what_came_instead_of_a_document_is_named(data, reason):
    assert inspect_bytes(data, Policy())[0] is None
    assert reasons(data) == [reason]


def test_a_bytearray_is_judged_like_the_same_bytes(documents):
    """The upstream client reads large bodies into one."""
    for name, data in documents.items():
        mangled = data.decode("utf-8", "replace").encode()
        for body in (data, mangled, data[: len(data) // 2], data.replace(b"\n", b"\r\n")):
            filled: Any = bytearray(body)
            assert inspect_bytes(filled, Policy()) == inspect_bytes(body, Policy()), name


def test_webp_through_utf8_is_a_damaged_one_and_no_other_type(documents):
    data = documents["webp-lossy"]
    sized = data[:4] + b"\xde\xad\x81\0" + data[8:]
    for mangled in (sized.decode("utf-8", "replace").encode(), sized.decode("latin-1").encode()):
        assert reasons(mangled) == [Reason.SIGNATURE_DAMAGED]


def _pdf_with(trailer, after=b""):
    """Return what tier 2 looks at of a PDF: a table, its trailer, what follows the end."""
    head = b"%PDF-1.7\nxref\n0 1\n0000000000 65535 f \n"
    return head + b"trailer\n<< " + trailer + b" >>\nstartxref\n9\n%%EOF\n" + after


def test_pdf_objects_after_the_end_are_looked_for_where_an_update_would_begin():
    root = b"/Root 1 0 R"
    assert reasons(_pdf_with(root, b"9 0 obj\n")) == [PdfReason.UPDATE_UNFINISHED]
    assert reasons(_pdf_with(root, b"x" * 65_000 + b"\n9 0 obj\n")) == ["pdf-update-unfinished"]
    assert reasons(_pdf_with(root, b"x" * 65_536 + b"\n9 0 obj\n")) == [Reason.TRAILING_BYTES]


def test_pdf_trailer_is_looked_at_as_far_as_an_honest_one_goes():
    assert reasons(_pdf_with(b"/X (" + b"x" * 1_000_000 + b") /Root 1 0 R")) == []
    assert reasons(_pdf_with(b"/X (" + b"x" * 1_048_576 + b") /Root 1 0 R")) == [
        PdfReason.TRAILER_BROKEN
    ]


@pytest.mark.parametrize(("updates", "passes"), [(1, True), (30_000, True), (140_000, False)])
def test_pdf_cross_reference_stream_of_many_updates_passes(updates, passes):
    index = b"".join(b"%d 1 " % number for number in range(1, 2 * updates, 2))
    dictionary = b"<< /Type /XRef /Root 1 0 R /Index [" + index + b"] /Length 0 >>"
    data = b"%PDF-1.7\n1 0 obj\n" + dictionary + b"\nstream\n\nendstream\nendobj\n"
    found = reasons(data + b"startxref\n9\n%%EOF\n")
    assert found == ([] if passes else [PdfReason.STARTXREF_WRONG])


def test_pdf_trailer_of_endless_entries_takes_no_memory():
    data = _pdf_with(b"/Root 1 0 R " + b"/Prev 9" * 300_000)
    tracemalloc.start()
    try:
        assert reasons(data) == []
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


def test_gif_with_zero_bytes_between_its_blocks_passes(documents):
    gif = documents["gif"]
    first = gif.index(b"\x2c\0\0\0\0")
    assert reasons(gif[:first] + bytes(3) + gif[first:-1] + bytes(2) + b";") == []
    assert reasons(gif[:first] + b"\x01" + gif[first:]) == [GifReason.BLOCK_INVALID]
    assert reasons(gif[:-1] + bytes(5)) == [GifReason.BLOCK_TRUNCATED]
    # A hole of this size is lost data.
    assert reasons(gif[:-1] + bytes(512) + b";") == [GifReason.BLOCK_INVALID]


@pytest.mark.parametrize("tag", [34665, 34853, 40965])
def test_tiff_directory_of_a_camera_may_be_empty_and_has_no_next_one(tiff_of, tag):
    data = tiff_of({tag: (4, 0x7FFF)})
    at = len(data)
    data = data.replace(pack("<I", 0x7FFF), pack("<I", at))
    entry = pack("<HHI4s", 0x9000, 7, 4, b"0230")
    beyond = b"\xde\xad\xbe\xef"
    assert reasons(data + pack("<H", 1) + entry + beyond) == []
    assert reasons(data + pack("<H", 0) + beyond) == []
    assert reasons(data + pack("<H", 0)) == []
    assert reasons(data + pack("<H", 2) + entry) == [TiffReason.DIRECTORY_TRUNCATED]
    outside = pack("<HHII", 0x9000, 7, 5, 0x7FFF)
    assert reasons(data + pack("<H", 1) + outside + beyond) == [TiffReason.VALUE_OUTSIDE]


def test_tiff_subdirectory_is_followed_and_may_not_be_empty(tiff_of):
    data = tiff_of({330: (4, 0x7FFF)})
    data = data.replace(pack("<I", 0x7FFF), pack("<I", len(data)))
    entry = pack("<HHI4s", 0x9000, 7, 4, b"0230")
    assert reasons(data + pack("<H", 1) + entry + bytes(4)) == []
    for bad in (pack("<H", 0) + bytes(4), pack("<H", 1) + entry + b"\xde\xad\xbe\xef"):
        assert reasons(data + bad) == [TiffReason.DIRECTORY_TRUNCATED]


@pytest.mark.parametrize(
    "trailer",
    [
        b"/Info << /Title (see /Prev 12) >> /Root 1 0 R",
        b"/Title (an \\( open \\\\ one, (nested (deeply)) /Prev 12) /Root 1 0 R",
        b"/Outlines << /Inner << /Prev 3 >> /Prev 3 0 R >> /Root 1 0 R",
        b"/Root % the catalog, not /Prev 12\r\n 1 0 R",
        b"/ID [<AB><CD>] /X <</Y <AB>/Prev 3>>/Root 1 0 R",
        b"/Root <</Type /Catalog /Prev 3>>",
        b"/Empty <<>> /Root 1 0 R",
    ],
)
def test_pdf_trailer_is_read_apart_from_its_strings_comments_and_inner_dictionaries(trailer):
    assert reasons(_pdf_with(trailer)) == []
    assert reasons(_pdf_with(trailer + b" /Prev 12")) == [PdfReason.SECTION_WRONG]
    assert reasons(_pdf_with(b"/Prev 12 " + trailer)) == [PdfReason.SECTION_WRONG]


def test_pdf_root_that_only_a_string_names_is_none():
    assert reasons(_pdf_with(b"/Title (/Root 1 0 R)")) == [PdfReason.TRAILER_BROKEN]


@pytest.mark.parametrize("comment", [b" % signed\n", b"\r% one\r% two\r", b"%\n"])
def test_pdf_with_a_comment_behind_startxref_passes(comment):
    data = _pdf_with(b"/Root 1 0 R")
    assert reasons(data.replace(b"startxref\n", b"startxref" + comment)) == []
    assert reasons(data.replace(b"startxref\n9", b"startxref" + comment)) == [
        PdfReason.STARTXREF_MISSING
    ]


def test_pdf_offset_that_is_far_behind_startxref_is_none():
    data = _pdf_with(b"/Root 1 0 R")
    far = data.replace(b"startxref\n", b"startxref" + b" " * 100_000)
    assert reasons(far) == [PdfReason.STARTXREF_MISSING]
