import io
import zlib
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

from docwarden.simulator.documents import MEDIA_TYPES, SampleDocument, library, make

SIZES = [4096, 8192, 8193, 10_000, 65_537, 1_000_003]


def parses_strictly(pdf: bytes) -> bool:
    with pikepdf.open(io.BytesIO(pdf), attempt_recovery=False) as opened:
        page = opened.pages[0]
        logo = page.Resources.XObject.Logo
        return len(page.Contents.read_bytes()) > 100 and len(logo.read_bytes()) > 0


def loads_fully(image: bytes) -> tuple[str | None, tuple[int, int]]:
    with Image.open(io.BytesIO(image)) as opened:
        opened.load()
        return opened.format, opened.size


def test_usual_documents_have_about_the_sizes_that_an_invoice_has() -> None:
    assert 45_000 < len(make("png").body) < 51_000
    assert 12_000 < len(make("pdf").body) < 14_000


@pytest.mark.parametrize("kind", [kind for kind in MEDIA_TYPES if kind != "pdf"])
def test_image_loads_fully_with_pillow_and_is_made_the_same_each_time(kind: str) -> None:
    document = make(kind)
    form, (width, height) = loads_fully(document.body)
    assert (str(form).lower(), width > 100, height > 100) == (kind, True, True)
    assert document == make(kind)
    assert document.media_type == f"image/{kind}"


def test_pdf_opens_strictly_and_shows_an_invoice() -> None:
    body = make("pdf").body
    assert parses_strictly(body)
    with pikepdf.open(io.BytesIO(body), attempt_recovery=False) as opened:
        assert b"(Invoice 2026-0412) Tj" in opened.pages[0].Contents.read_bytes()


def test_pdf_offsets_are_exact() -> None:
    body = make("pdf").body
    table = int(body.rsplit(b"startxref\n", 1)[1].split(b"\n")[0])
    assert body[table : table + 5] == b"xref\n"
    count = int(body[table:].split(b"\n")[1].split()[1])
    for number in range(1, count):
        entry = body[table:].split(b"\n")[2 + number]
        assert body[int(entry.split()[0]) :].startswith(b"%d 0 obj\n" % number)


def test_corrupt_pdf_keeps_header_and_end_and_has_replacement_characters() -> None:
    intact = make("pdf")
    corrupt = intact.corrupted()
    assert corrupt.body.startswith(b"%PDF-1.4\n")
    assert corrupt.body.endswith(b"%%EOF\n")
    assert corrupt.body.count("\ufffd".encode()) > 1000
    assert corrupt.body == intact.body.decode("utf-8", errors="replace").encode("utf-8")
    assert (corrupt.kind, corrupt.intact, corrupt.media_type) == (
        "corrupt-pdf",
        False,
        "application/pdf",
    )


def test_corrupt_pdf_is_refused_by_a_strict_parser_and_its_streams_are_broken() -> None:
    body = make("pdf").corrupted().body
    with pytest.raises(pikepdf.PdfError):
        parses_strictly(body)
    for part in body.split(b"stream\n")[1::2]:
        with pytest.raises(zlib.error):
            zlib.decompress(part)


@pytest.mark.parametrize("size", SIZES)
def test_document_of_a_size_is_valid_and_has_exactly_that_size(size: int) -> None:
    png, pdf = make("png", size).body, make("pdf", size).body
    assert (len(png), len(pdf)) == (size, size)
    assert loads_fully(png)[0] == "PNG"
    assert parses_strictly(pdf)


@pytest.mark.parametrize(("kind", "size"), [("png", 100), ("pdf", 1000), ("gif", 5000)])
def test_size_that_cannot_be_had_is_refused(kind: str, size: int) -> None:
    with pytest.raises(ValueError, match="made"):
        make(kind, size)


def test_numbered_documents_are_valid_and_all_different() -> None:
    png, pdf = make("png"), make("pdf")
    bodies = [document.numbered(n) for document in (png, pdf) for n in (0, 1, 2, 10**12)]
    assert len(set(bodies)) == 8
    for n in (1, 10**12):
        assert loads_fully(png.numbered(n))[0] == "PNG"
        assert parses_strictly(pdf.numbered(n))
        assert len(pdf.numbered(n)) == len(pdf.body)
        assert "\ufffd".encode() in pdf.corrupted().numbered(n)


def test_document_without_room_for_a_number_says_so() -> None:
    with pytest.raises(ValueError, match="jpeg documents cannot be numbered"):
        make("jpeg").numbered(1)


def test_library_holds_what_was_asked_for_and_what_it_was_made_from() -> None:
    held = library(["corrupt-pdf", "gif"])
    assert [one.kind for one in held] == ["pdf", "corrupt-pdf", "gif"]


def test_folder_is_read_in_order_of_paths_by_suffix(tmp_path: Path) -> None:
    (tmp_path / "b.pdf").write_bytes(b"%PDF \xff")
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "z.tif").write_bytes(b"II \xff")
    (tmp_path / "c.txt").write_bytes(b"\xff")
    held = library(["file"], folder=tmp_path).of("file")
    assert [(one.media_type, one.body) for one in held] == [
        ("image/tiff", b"II \xff"),
        ("application/pdf", b"%PDF \xff"),
    ]


def test_folder_of_plain_text_cannot_be_made_corrupt(tmp_path: Path) -> None:
    (tmp_path / "plain.pdf").write_bytes(b"%PDF-1.4 only ASCII %%EOF")
    with pytest.raises(ValueError, match="plain text"):
        library(["corrupt-file"], folder=tmp_path)


@pytest.mark.parametrize("kind", ["poem", "corrupt-poem", "file"])
def test_kind_that_cannot_be_had_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match="kind"):
        library([kind])


def test_digest_is_of_the_bytes() -> None:
    empty = SampleDocument("pdf", "application/pdf", b"")
    assert empty.sha256.startswith("e3b0c44298fc1c14")
