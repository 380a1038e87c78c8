"""Tier 3 of PDF: what is damage of the page tree, the offsets and the encryption, and what not."""

import re
import zlib

import pytest

from docwarden.integrity.checks import Mode
from docwarden.integrity.deep import decode_pdf as module
from docwarden.integrity.deep.decode_pdf import decode_pdf
from docwarden.integrity.deep.decoders import load_decoder
from docwarden.integrity.formats.pdf import PdfReason
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.tiers import inspect_bytes

DRAWING = b"<< /Length 9 >>\nstream\n0 0 m 1 1\nendstream"
FONT = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"
CATALOG = b"<< /Type /Catalog /Pages 2 0 R >>"


def page(contents=b"/Contents 6 0 R"):
    return b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << >> " + contents + b" >>"


def tree(kids, count, more=b""):
    return b"<< /Type /Pages /Kids [%b] /Count %d %b >>" % (kids, count, more)


def build(*, trailer=b"", before=b"", entry=b"%010d 00000 n \n", **changed):
    """Return a PDF with a table whose offsets count from the first byte; `_2` is object 2."""
    objects = {1: CATALOG, 2: tree(b"3 0 R 4 0 R", 2), 3: page(), 4: page(), 5: FONT, 6: DRAWING}
    objects |= {int(name[1:]): body for name, body in changed.items()}
    out = before + b"%PDF-1.7\n"
    table = b"xref\n0 %d\n" % (len(objects) + 1)
    table += (entry % 0).replace(b"00000 n", b"65535 f")
    for number, body in sorted(objects.items()):
        table += entry % len(out)
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


def outcome(data, tier=3):
    """Return the reasons of all tiers, and whether one of them is enforced."""
    policy = Policy.parse(tier=tier)
    findings = inspect_bytes(data, policy)[1]
    found = [(finding.reason, finding.check) for finding in findings]
    if tier > 2:
        found += [(reason, reason.check) for reason, _ in decode_pdf(data, tier)]
    enforced = any(policy.modes[check] is Mode.ENFORCE for _, check in found)
    return [reason for reason, _ in found], enforced


def flate(data, **entries):
    more = b"".join(b"/%b %b " % (key.encode(), value) for key, value in entries.items())
    length = b"" if "Length" in entries else b"/Length %d " % len(data)
    return b"<< %b%b/Filter /FlateDecode >>\nstream\n%b\nendstream" % (length, more, data)


LINES = zlib.compress(b"".join(b"%d %d m 9 9 l S\n" % (n, n * n) for n in range(200)))


@pytest.mark.parametrize("tail", [b"", b"%", b"%%", b"%%E", b"%%EO", b"%EOF\n", b"\n\n"])
@pytest.mark.parametrize("tier", [2, 3, 4])
def test_pdf_whole_but_for_its_end_mark_is_observed(tail, tier):
    data = build().removesuffix(b"%%EOF\n") + tail
    assert outcome(data, tier) == ([Reason.CLOSING_MARK_MISSING], False)


@pytest.mark.parametrize("name", ["pdf-table", "pdf-streams", "pdf-linearized", "pdf-updated"])
def test_pdf_that_is_cut_at_any_boundary_before_its_last_number_is_refused(documents, name):
    data = documents[name]
    number = re.compile(rb"startxref\s+\d+").search(data, data.rindex(b"startxref"))
    assert number is not None
    # The older revision of an updated one is whole as soon as its own last number is there.
    whole = documents["pdf-table"].rpartition(b"%%EOF")[0].rstrip()
    older = whole if name == "pdf-updated" else None
    boundaries = {m.end() for m in re.finditer(rb"\s|endobj|startxref|%%EOF|\d(?=\s)", data)}
    lengths = {at + step for at in boundaries for step in (-1, 0, 1)}
    for length in sorted(length for length in lengths if 9 < length < number.end()):
        cut = data[:length]
        tail = cut.removeprefix(older) if older is not None and cut.startswith(older) else None
        if tail is None or b" obj" in tail:  # what is left of an update tells that there was one
            assert outcome(cut, 2)[1], length


@pytest.mark.parametrize("off", [-3, -2, 2, 3])
def test_startxref_that_misses_its_table_by_little_is_observed(off):
    data = build()
    at = int(data[data.rindex(b"startxref") + 9 :].split()[0])
    moved = data.replace(b"startxref\n%d" % at, b"startxref\n%d" % (at + off))
    assert outcome(moved, 4) == ([PdfReason.STARTXREF_OFF], False)
    further = data.replace(b"startxref\n%d" % at, b"startxref\n%d" % (at + 3 * off))
    assert outcome(further)[1]


def test_entries_of_21_bytes_are_observed_and_hide_no_damage():
    data = build(entry=b"%010d 00000 n \r\n")
    assert outcome(data, 4) == ([PdfReason.TABLE_ODD], False)
    for before, after in ((b"3 0 obj", b"3 0 abj"), (b"/Kids", b"/kids"), (b"\nxref", b"\nxraf")):
        assert outcome(data.replace(before, after))[1]


@pytest.mark.parametrize("wrong", [b"%03d" % n for n in (1, 99, 900)])
def test_length_that_does_not_lead_to_the_end_of_its_stream_is_observed(wrong):
    data = build(_6=flate(LINES, Length=wrong))
    assert outcome(data, 4) == ([PdfReason.STREAM_LENGTH_WRONG], False)
    assert outcome(data.replace(b"4 0 obj", b"4 0 abj"))[1]
    assert outcome(data.replace(b"endstream", b"endstraem"))[1]
    damaged = data.replace(LINES[40:44], bytes(4))
    assert outcome(damaged) == ([PdfReason.CONTENTS_DAMAGED], True) or outcome(damaged)[1]


@pytest.mark.parametrize("contents", [b"/Contents 6 0 R", b"/Contents [5 0 R 6 0 R]"])
def test_damaged_data_of_a_page_s_contents_is_refused(contents):
    def made(data):
        return build(_3=page(contents), _5=DRAWING, _6=flate(data))

    assert outcome(made(LINES), 4) == ([], False)
    for damaged in (LINES[:40] + bytes(4) + LINES[44:], LINES[:-9], LINES[: len(LINES) // 2]):
        assert outcome(made(damaged)) == ([PdfReason.CONTENTS_DAMAGED], True)


@pytest.mark.parametrize("data", [LINES[:-1] + b"\0", LINES[:-4], LINES + b"\r\n", b""])
def test_checksum_of_contents_is_observed_by_the_highest_tier_alone(data):
    made = build(_6=flate(data))
    assert outcome(made) == ([], False)
    assert not outcome(made, 4)[1]


def test_contents_of_another_filter_are_decoded_too():
    def made(data, name):
        return build(_6=flate(data).replace(b"/FlateDecode", name))

    lzw = b"\x80\x0b\x60\x50\x22\x0c\x0c\x85\x01"  # ISO 32000-1, 7.4.4.2, example
    assert outcome(made(lzw, b"/LZWDecode"), 4) == ([], False)
    assert outcome(made(b"\x80\x0b\xff\xff\xff\x0c", b"/LZWDecode"))[1]
    assert outcome(made(b"30203020>", b"/ASCIIHexDecode"), 4) == ([], False)
    assert outcome(made(b"30zz>", b"/ASCIIHexDecode"))[1]


@pytest.mark.parametrize("filters", [b"7 0 R", b"[7 0 R]", b"[/FlateDecode]", b"8 0 R"])
@pytest.mark.parametrize("tier", [3, 4])
def test_filter_that_is_a_reference_is_followed(filters, tier):
    def made(data):
        body = flate(data).replace(b"/Filter /FlateDecode", b"/Filter " + filters)
        return build(_6=body, _7=b"/FlateDecode", _8=b"[7 0 R]")

    assert outcome(made(LINES), tier) == ([], False)
    assert outcome(made(LINES[:40] + bytes(4) + LINES[44:]), tier)[1]


def test_error_that_nobody_foresaw_is_a_defect_and_leaves_the_word_to_the_other_tiers(monkeypatch):
    def fail(_):
        raise TypeError("Can't hash indirect object")

    monkeypatch.setattr(module, "decode_streams", fail)
    assert outcome(build(), 4) == ([Reason.DECODER_DEFECT], False)
    assert outcome(entry_freed(build(), 3), 4)[1]
    monkeypatch.setattr(module, "_of_either_base", fail)
    decode = load_decoder("application/pdf")
    assert [reason for reason, _ in decode(build(), 3)] == [Reason.DECODER_DEFECT]


def test_oddity_that_the_parser_warns_of_is_no_lost_object():
    odd = build(_5=FONT.replace(b"/Helvetica", b"/Helvetica /BaseFont /Helvetica"))
    resources = b"/Resources << /Font << /F1 5 0 R >> >>"
    odd = build(_2=tree(b"3 0 R 4 0 R", 2, resources), _5=FONT.replace(b">>", b"/X 1 /X 2 >>"))
    assert outcome(odd, 4) == ([], False)
