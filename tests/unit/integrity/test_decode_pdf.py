"""Tier 3 of PDF: what is damage of the page tree, the offsets and the encryption, and what not."""

import pytest

from docwarden.integrity.deep.decode_pdf import decode_pdf
from docwarden.integrity.formats.pdf import PdfReason

DRAWING = b"<< /Length 9 >>\nstream\n0 0 m 1 1\nendstream"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def page(contents=b"/Contents 6 0 R"):
    return b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << >> " + contents + b" >>"


def tree(kids, count, more=b""):
    return b"<< /Type /Pages /Kids [%b] /Count %d %b >>" % (kids, count, more)


def build(*, trailer=b"", before=b"", **changed):
    """Return a PDF with a table whose offsets count from the first byte; `_2` is object 2."""
    objects = {1: CATALOG, 2: tree(b"3 0 R 4 0 R", 2), 3: page(), 4: page(), 5: FONT, 6: DRAWING}
    objects |= {int(name[1:]): body for name, body in changed.items()}
    out = before + b"%PDF-1.7\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for number, body in sorted(objects.items()):
        table += b"%010d 00000 n \n" % len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    end = b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n"
    return out + table + end % (len(objects) + 1, trailer, len(out))


def reasons(data, tier=3):
    return [reason for reason, _ in decode_pdf(data, tier)]


def entry_freed(data, number):
    """Flip one bit of an object's cross-reference entry: n turns f."""
    at = data.rindex(b"xref\n0 7\n") + len(b"xref\n0 7\n") + 20 * number + 17
    assert data[at : at + 1] == b"n"
    return data[:at] + b"f" + data[at + 1 :]


def test_pdf_of_two_pages_passes():
    assert reasons(build(), 4) == []


@pytest.mark.parametrize("number", [1, 2, 3, 4])
def test_one_flipped_bit_that_frees_a_page_or_the_tree_is_found(number):
    assert reasons(entry_freed(build(), number)) != []


def test_page_that_is_listed_twice_passes_and_an_inner_node_does_not():
    assert reasons(build(_2=tree(b"3 0 R 3 0 R 4 0 R", 3))) == []
    inner = tree(b"3 0 R", 1, b"/Parent 2 0 R")
    assert reasons(build(_2=tree(b"4 0 R 5 0 R", 2), _5=inner)) == []
    assert reasons(build(_2=tree(b"5 0 R 5 0 R", 2), _5=inner)) == [PdfReason.PAGES_BROKEN]
    assert reasons(build(_2=tree(b"2 0 R", 1))) == [PdfReason.PAGES_BROKEN]


def test_one_page_listed_very_often_ends():
    assert reasons(build(_2=tree(b"3 0 R " * 50_000, 50_000))) == []


def test_font_of_an_inner_node_that_cannot_be_read_is_found():
    resources = b"/Resources << /Font << /F1 5 0 R >> >>"
    whole = build(_2=tree(b"3 0 R 4 0 R", 2, resources))
    assert reasons(whole) == []
    assert reasons(whole.replace(b"5 0 obj", b"5 0 abj")) == [PdfReason.PAGES_BROKEN]


def test_inner_node_that_lost_its_kids_is_found():
    whole = build(_2=tree(b"5 0 R", 2), _5=tree(b"3 0 R 4 0 R", 2, b"/Parent 2 0 R"))
    assert reasons(whole) == []
    for name in (b"/Kids [3", b"/Kids [5"):
        assert reasons(whole.replace(name, name.replace(b"K", b"k"))) == [PdfReason.PAGES_BROKEN]


def test_inner_node_that_counts_no_page_may_lack_kids():
    empty = b"<< /Type /Pages /Parent 2 0 R /Count 0 >>"
    assert reasons(build(_2=tree(b"3 0 R 5 0 R", 1), _5=empty)) == []


@pytest.mark.parametrize("before", [b"\n", b"\xef\xbb\xbf", b"\x1b%-12345X@PJL\r\n", b"x" * 1000])
def test_offsets_behind_leading_bytes_count_from_the_header_or_the_first_byte(before):
    assert reasons(before + build(), 4) == []
    assert reasons(build(before=before), 4) == []


@pytest.mark.parametrize("before", [b"\n", b"x" * 1000])
def test_damage_behind_leading_bytes_is_found_with_offsets_of_either_base(before):
    for whole in (before + build(), build(before=before)):
        assert reasons(entry_freed(whole, 3)) == [PdfReason.PAGES_BROKEN]
        assert reasons(whole.replace(b"startxref\n", b"startxref\n1")) == [PdfReason.UNREADABLE]
        assert reasons(whole.replace(b"\nxref", b"\nxraf")) == [PdfReason.UNREADABLE]


def test_words_about_a_file_carry_no_address_of_memory():
    ((_, words),) = decode_pdf(entry_freed(build(), 1), 3)
    assert "0x" not in words


STANDARD = b"<< /Filter /Standard /V 6 /R 7 /Length 256 /P -4 /O <%b> /U <%b> /OE <%b> /UE <%b>" % (
    b"00" * 48,
    b"00" * 48,
    b"00" * 32,
    b"00" * 32,
)
CERTIFICATES = b"/SubFilter /adbe.pkcs7.s4 /V 2 /Length 128 /Recipients [<3080>] >>"
UNKNOWN_ENCRYPTION = {
    "certificates": b"<< /Filter /Adobe.PubSec " + CERTIFICATES,
    "a vendor's handler": b"<< /Filter /FOPN_fLock " + CERTIFICATES,
    "AES-GCM": STANDARD + b" /Perms <" + b"00" * 16 + b"> >>",
}


@pytest.mark.parametrize("kind", UNKNOWN_ENCRYPTION)
def test_encryption_that_the_parser_does_not_know_is_not_judged(kind):
    trailer = b"/Encrypt 7 0 R /ID [<00112233> <00112233>]"
    data = build(trailer=trailer, _7=UNKNOWN_ENCRYPTION[kind])
    assert reasons(data, 4) == []
    assert reasons(data.replace(b"\nxref", b"\nxraf")) == [PdfReason.UNREADABLE]


@pytest.mark.parametrize("contents", [b"9 0 R", b"[6 0 R 9 0 R]", b"[6 0 R null]", b"null", b"[]"])
def test_contents_that_refer_to_no_object_pass_as_readers_pass_them(contents):
    assert reasons(build(_3=page(b"/Contents " + contents))) == []


@pytest.mark.parametrize("contents", [b"5 0 R", b"[6 0 R 5 0 R]", b"(text)", b"[6 0 R 1]"])
def test_contents_that_are_no_stream_are_found(contents):
    assert reasons(build(_3=page(b"/Contents " + contents))) == [PdfReason.PAGES_BROKEN]


@pytest.mark.parametrize("contents", [b"6 0 R", b"[6 0 R 6 0 R]"])
def test_contents_whose_object_does_not_stand_where_it_should_are_found(contents):
    whole = build(_3=page(b"/Contents " + contents))
    assert reasons(whole.replace(b"6 0 obj", b"6 0 abj")) == [PdfReason.PAGES_BROKEN]
