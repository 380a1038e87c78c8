"""Small PDFs are proven without the strict parser, and never where the parser would refuse them."""

import io
import random
import zlib

import pikepdf
import pytest

from docwarden.integrity.deep.decode_pdf import decode_pdf
from docwarden.integrity.formats import pdf_plain as module
from docwarden.integrity.formats.pdf_plain import decode_small_pdf
from docwarden.simulator.documents import make

INFO = {"/Title": pikepdf.String("a title"), "/Big": 1.5, "/Yes": True}


def written(*, pages=2, **options):
    """Return a PDF of qpdf's with fonts and contents that are compressed."""
    pdf = pikepdf.new()
    font = pdf.make_indirect(
        pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, Info=INFO)
    )
    for number in range(pages):
        page = pdf.add_blank_page()
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        drawing = zlib.compress(b"BT /F1 9 Tf (%d) Tj ET" % number)
        page.Contents = pikepdf.Stream(pdf, drawing, Filter=pikepdf.Name.FlateDecode)
    target = io.BytesIO()
    pdf.save(target, static_id=True, **options)
    return target.getvalue()


TABLE = written(object_stream_mode=pikepdf.ObjectStreamMode.disable)
STREAMS = written(object_stream_mode=pikepdf.ObjectStreamMode.generate)


def assembled(*, trailer=b"", entry=b"%010d 00000 n \n", **changed):
    """Return a PDF with a table, of objects that can be changed: `_3` is the page."""
    objects = {
        1: b"<< /Type /Catalog /Pages 2 0 R >>",
        2: b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        3: b"<< /Type /Page /Parent 2 0 R /Resources << /Font << /F 5 0 R >> >> /Contents 4 0 R >>",
        4: b"<< /Length 6 0 R >>\nstream\n0 0 m\nendstream",
        5: b"<< /Type /Font /Name (a) /Matrix [1 0.5 -.5 <0A>] /Yes true >>",
        6: b"5",
    }
    objects |= {int(name[1:]): body for name, body in changed.items()}
    out = b"%PDF-1.7\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    for number, body in sorted(objects.items()):
        table += entry % len(out)
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    end = b"trailer\n<< /Size %d /Root 1 0 R %b >>\nstartxref\n%d\n%%%%EOF\n"
    return out + table + end % (len(objects) + 1, trailer, len(out))


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        STREAMS,
        make("pdf").body,
        assembled(),
        assembled(_3=b"<</Type/Page/Parent 2 0 R/Contents[4 0 R 4 0 R]>>"),
        assembled(_3=b"<</Type/Page/Parent 2 0 R>>"),
        assembled(_4=b"<< /Length 0 /Filter /FlateDecode >>\nstream\n\nendstream"),
        assembled(_2=b"<</Type/Pages/Kids 7 0 R/Count 1>>", _7=b"[3 0 R]"),
    ],
    ids=[
        "table",
        "streams",
        "simulator",
        "assembled",
        "two-contents",
        "blank",
        "empty",
        "kids-apart",
    ],
)
def test_what_writers_write_is_proven(data):
    assert decode_small_pdf(data, 3) == []
    assert decode_small_pdf(bytearray(data), 3) == []
    assert decode_pdf(data, 3) == []


@pytest.mark.parametrize(
    "data",
    [
        assembled(trailer=b"/Prev 9"),
        assembled(trailer=b"/Encrypt 9 0 R"),
        assembled(trailer=b"/Root 1 0 R"),
        assembled(entry=b"%010d 00000 n\n"),
        assembled(entry=b"%010d 00001 n \n"),
        assembled(_2=b"<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 >>"),
        assembled(_2=b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"),
        assembled(_2=b"<< /Type /Pages /Kids [9 0 R] /Count 1 >>"),
        assembled(_2=b"<< /Type /Pages /Kids [] /Count 0 >>"),
        assembled(_2=b"<< /Type /Pages /Kids [3 0 R] /Count % one\n1 >>"),
        assembled(_2=b"<< /Type /Pages /K#69ds [3 0 R] /Count 1 >>"),
        assembled(_4=b"<< /Length 4 0 R >>\nstream\n0 0 m\nendstream"),
        assembled(_4=b"<< /Length 4 >>\nstream\n0 0 m\nendstream"),
        assembled(_4=b"<< /Length 5 /Filter /LZWDecode >>\nstream\n0 0 m\nendstream"),
        assembled(_4=b"<< /Length 5 /Filter /FlateDecode >>\nstream\n0 0 m\nendstream"),
        assembled(_4=b"<< /Length 1 /Filter /FlateDecode >>\nstream\nx\nendstream"),
        assembled(_4=b"<< /Length 5 /F (elsewhere) >>\nstream\n0 0 m\nendstream"),
        assembled(_4=b"<< /Length 5 >>"),
        assembled(_3=b"<< /Type /Page /Type /Page /Parent 2 0 R >>"),
        assembled(_5=b"<< /Type [ << [ << [ ] >> ] >> ] >>"),
        assembled(_5=b"<< /Type /Font"),
        assembled(_5=b"<< /Type >>"),
        assembled(_5=b"null"),
        assembled(_6=b"/five"),
        assembled()[:-7],
        b" " + assembled(),
    ],
)  # fmt: skip
def test_what_is_unusual_is_left_to_the_parser(data):
    assert decode_small_pdf(data, 3) is None


def test_large_ones_and_other_tiers_are_left_to_the_parser(monkeypatch):
    assert decode_small_pdf(TABLE, 4) is None
    for name, least in (("MAX_BYTES", len(TABLE)), ("MAX_PAGES", 2)):
        monkeypatch.setattr(module, name, least)
        assert decode_small_pdf(TABLE, 3) == []
        monkeypatch.setattr(module, name, least - 1)
        assert decode_small_pdf(TABLE, 3) is None
        monkeypatch.undo()
    monkeypatch.setattr(module, "MAX_INFLATED", 2 << 10)
    assert decode_small_pdf(TABLE, 3) is None


def test_section_that_is_read_from_the_middle_of_its_number_is_none():
    """A byte lost before object 17 makes startxref point at "7 0 obj"."""
    data = written(pages=8, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    at = data.rindex(b" 0 obj")
    assert data[at - 2 : at].isdigit(), "the section has a number of two digits"
    moved = data[:9] + data[10:]
    assert decode_small_pdf(moved, 3) is None
    assert decode_pdf(moved, 3) != []


def test_section_whose_length_stands_elsewhere_is_left_to_the_parser():
    at = STREAMS.rindex(b"/Length ")
    digits = STREAMS[at + 8 : STREAMS.index(b" ", at + 8)]
    data = STREAMS.replace(b"/Length " + digits + b" ", b"/Length 1 0 R ")
    assert data != STREAMS
    assert decode_small_pdf(data, 3) is None


def test_streams_whose_lengths_lead_on_and_on_are_left_to_the_parser(monkeypatch):
    """Each length names the next stream; readers of all of them would recurse 250 deep."""
    body = b"<< /Length %d 0 R >>\nstream\n0 0 m\nendstream"
    chain = {f"_{number}": body % (number + 1) for number in range(6, 254)}
    read = []
    at = module._Document._read_at

    def read_at(*given):
        read.append(given[1])
        return at(*given)

    monkeypatch.setattr(module._Document, "_read_at", read_at)
    assert decode_small_pdf(assembled(**chain, _254=b"5"), 3) is None
    assert len(read) < 10


KEYWORDS = (
    b"/Kids", b"/Type", b"/Page", b"/Pages", b"/Contents", b"/Length", b"/Font", b"/Resources",
    b"/Filter", b"/First", b"/N", b"endobj", b"endstream", b" obj", b"0 R", b"null", b"/Count",
)  # fmt: skip


def mutated(data, chance):
    """Return a PDF with one thing changed, most often where objects begin."""
    changed = bytearray(data)
    at = chance.randrange(len(changed))
    if chance.random() < 0.6:
        at = min(max(0, changed.find(b"obj", at) + chance.randrange(-8, 80)), len(changed) - 1)
    kind = chance.randrange(5)
    if kind == 0:
        changed[at] ^= 1 << chance.randrange(8)
    elif kind == 1:
        changed[at] = chance.choice(b"0123456789 /<>[]()R\n")
    elif kind == 2:
        del changed[at : at + chance.choice((1, 2, 5))]
    elif kind == 3:
        changed[at:at] = bytes(chance.choices(b"0123456789 /<>[]()R\nab", k=2))
    else:
        word, other = chance.choice(KEYWORDS), chance.choice(KEYWORDS)
        found = changed.find(word, at)
        if found >= 0:
            changed[found : found + len(word)] = other.ljust(len(word))[: len(word)]
    return bytes(changed)


def test_nothing_is_proven_that_the_parser_refuses():
    chance = random.Random(16)
    proven = refused = 0
    for number in range(4000):
        data = mutated((TABLE, STREAMS, assembled())[number % 3], chance)
        if decode_small_pdf(data, 3) == []:
            proven += 1
            assert decode_pdf(data, 3) == [], data
        elif number % 20 == 0:
            refused += decode_pdf(data, 3) != []
    assert proven > 500, "too few are left whole to compare"
    assert refused > 30, "too few are broken to compare"
