"""Documents that nobody has seen before: page scans, PDFs with tables, photographs.

Each names a serial number, which the upstream changes with every answer (`peers/go/fresh`).
"""

import io
import random
import zlib
from pathlib import Path
from typing import Final

import pikepdf
from PIL import Image, ImageDraw

SERIAL: Final = b"SERIAL-0000000000000000"
FOLDERS: Final = ("scans-and-pdfs", "pdfs", "photographs")

_SCAN: Final = (1239, 1754)  # A4 at 150 dpi; the assignment's own scan has this size and 48 KB
_PHOTOGRAPH: Final = (4000, 3000)


def write(root: Path) -> None:
    """Write the documents into one folder for each case, unless they are there."""
    documents = {
        "scans-and-pdfs": {"scan.png": scan, "table.pdf": table_pdf},
        "pdfs": {"table.pdf": table_pdf, "object-streams.pdf": object_stream_pdf},
        "photographs": {"photograph.jpg": photograph},
    }
    for folder, files in documents.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for name, make in files.items():
            if not (root / folder / name).exists():
                (root / folder / name).write_bytes(make())


def scan() -> bytes:
    """Return a page of figures, 1239 x 1754 RGBA, as a PNG of about 48 KB."""
    chance = random.Random(16)  # noqa: S311 - a picture, not a secret
    page = Image.new("RGBA", _SCAN, (255, 255, 255, 255))
    draw = ImageDraw.Draw(page)
    for line in range(34):
        words = (chance.randrange(10**6) for _ in range(6))
        draw.text(
            (110, 120 + 44 * line), "   ".join(f"{each:>9,}" for each in words), fill=(20,) * 3
        )
    png = _encoded(page, "PNG", optimize=True)
    text = b"tEXt" + b"Comment\0" + SERIAL
    chunk = (len(text) - 4).to_bytes(4, "big") + text + zlib.crc32(text).to_bytes(4, "big")
    return png[:33] + chunk + png[33:]


def table_pdf() -> bytes:
    """Return an invoice of three pages with a logo with a cross-reference table."""
    return _pdf(object_streams=False)


def object_stream_pdf() -> bytes:
    """Return the same with object streams and a cross-reference stream."""
    return _pdf(object_streams=True)


def photograph() -> bytes:
    """Return twelve megapixels of a landscape with grain, as a telephone's camera writes them."""
    small = Image.effect_noise((400, 300), 40).resize(_PHOTOGRAPH, Image.Resampling.BICUBIC)
    sky = Image.linear_gradient("L").resize(_PHOTOGRAPH)
    grain = Image.effect_noise(_PHOTOGRAPH, 14)
    picture = Image.merge("RGB", (Image.blend(small, sky, 0.6), sky, Image.blend(sky, grain, 0.2)))
    return _encoded(picture, "JPEG", quality=80, comment=SERIAL)


def _pdf(*, object_streams: bool) -> bytes:
    pdf = pikepdf.new()
    font = pdf.make_indirect(
        pikepdf.Dictionary(
            Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1, BaseFont=pikepdf.Name.Helvetica
        )
    )
    chance = random.Random(7)  # noqa: S311 - as above
    for number in range(3):
        page = pdf.add_blank_page()
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        lines = "".join(
            f"1 0 0 1 60 {760 - 14 * row} Tm ({row} item {chance.randrange(10**8)} EUR) Tj\n"
            for row in range(50)
        )
        page.Contents = pdf.make_stream(f"BT /F1 9 Tf\n{lines}ET\n% page {number}\n".encode())
        page.Note = pdf.make_indirect(pikepdf.Dictionary(Rows=pikepdf.Array(list(range(60)))))
    logo = pdf.make_stream(chance.randbytes(8000))
    logo.update(
        pikepdf.Dictionary(
            Type=pikepdf.Name.XObject,
            Subtype=pikepdf.Name.Image,
            Width=100,
            Height=80,
            BitsPerComponent=8,
            ColorSpace=pikepdf.Name.DeviceGray,
        )
    )
    pdf.pages[0].Resources.XObject = pikepdf.Dictionary(Logo=logo)
    # A stream that is not compressed: the serial number in it changes without moving anything.
    pdf.Root.Serial = pdf.make_stream(SERIAL)
    mode = pikepdf.ObjectStreamMode.generate if object_streams else pikepdf.ObjectStreamMode.disable
    target = io.BytesIO()
    pdf.save(target, object_stream_mode=mode, compress_streams=False, static_id=True)
    compressed = io.BytesIO()
    with pikepdf.open(target) as again:
        for item in again.objects:
            if isinstance(item, pikepdf.Stream) and item.read_bytes() != SERIAL:
                item.write(zlib.compress(item.read_bytes()), filter=pikepdf.Name.FlateDecode)
        again.save(compressed, object_stream_mode=mode, compress_streams=False, static_id=True)
    return compressed.getvalue()


def _encoded(picture: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    picture.save(target, kind, **options)
    return target.getvalue()
