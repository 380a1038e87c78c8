"""PDF files made with zlib alone: an invoice with a logo, as an invoicing system prints it."""

import random
import zlib

_SERIAL = b"/Serial (%016d)"
_SERIAL_MARK = b"/Serial ("

_GOODS = (
    ("Document scanner, duplex", 2, 41900),
    ("Archive box, acid free", 40, 385),
    ("Label roll, 500 pieces", 12, 1290),
    ("Maintenance, second quarter", 1, 78000),
    ("Toner cartridge, black", 6, 8450),
    ("Paper, 80 g, 500 sheets", 25, 499),
    ("On-site installation", 3, 9500),
    ("Folder, grey, A4", 60, 115),
    ("Shelf, steel, 200 cm", 4, 13900),
    ("Freight", 1, 4900),
)


def invoice() -> bytes:
    """Make the usual invoice, a PDF of about 13 KB."""
    return _write(_logo(70, 70))


def noise_of_size(size: int) -> bytes:
    """Make a valid PDF of exactly `size` bytes whose picture does not compress.

    Raises:
        ValueError: `size` is too small for it.
    """
    smallest = len(_write(_noise(16, 1), padding=32))
    if size < smallest + 256:
        raise ValueError(f"a PDF of {size} bytes cannot be made: {smallest + 256} at least")
    width = min(1024, (size - smallest) // 4)
    height = max(1, (size - smallest) // (width + 8))
    while True:
        bare = len(_write(_noise(width, height)))
        if size - bare >= 2 or height == 1:
            break
        height -= 1
    # The offset in the trailer may gain a digit from the padding; take that off again.
    pdf = _write(_noise(width, height), padding=size - bare)
    return (
        pdf
        if len(pdf) == size
        else _write(_noise(width, height), padding=2 * size - bare - len(pdf))
    )


def numbered(pdf: bytes, number: int) -> bytes:
    """Write a serial number into one of the PDFs made here, intact or mangled; offsets stay."""
    start = pdf.index(_SERIAL_MARK)
    return pdf[:start] + _SERIAL % number + pdf[start + len(_SERIAL % 0) :]


def _write(image: bytes, padding: int = 0) -> bytes:
    objects = (
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources 9 0 R>>",
        _stream(b"", zlib.compress(_page(), 9)),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica-Bold/Encoding/WinAnsiEncoding>>",
        image,
        b"<</Title(Invoice 2026-0412)/Producer(docwarden simulator)%b>>" % (_SERIAL % 0),
        b"<</Font<</F1 5 0 R/F2 6 0 R>>/XObject<</Logo 7 0 R>>>>",
    )
    out = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, content in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    if padding:
        out += b"%" + b"." * (padding - 2) + b"\n"
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer\n<</Size %d/Root 1 0 R/Info 8 0 R>>\n" % (len(objects) + 1)
    out += b"startxref\n%d\n%%%%EOF\n" % table
    return bytes(out)


def _stream(entries: bytes, data: bytes) -> bytes:
    return b"<<%b/Filter/FlateDecode/Length %d>>\nstream\n%b\nendstream" % (
        entries,
        len(data),
        data,
    )


def _image(width: int, height: int, space: bytes, data: bytes) -> bytes:
    entries = b"/Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/%b/BitsPerComponent 8" % (
        width,
        height,
        space,
    )
    return _stream(entries, data)


def _logo(width: int, height: int) -> bytes:
    noise = random.Random(13).randbytes(width * height)  # noqa: S311 - noise, not a secret
    pixels = bytearray()
    for position, grain in enumerate(noise):
        y, x = divmod(position, width)
        inside = (x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 2.2) ** 2
        light = (grain & 63) // (1 if inside else 4)
        tint = (20 + x, 90 + y, 150) if inside else (235, 235, 235)
        pixels += bytes(min(255, part + light + (grain >> 6)) for part in tint)
    return _image(width, height, b"DeviceRGB", zlib.compress(bytes(pixels), 9))


def _noise(width: int, height: int) -> bytes:
    pixels = random.Random(width).randbytes(width * height)  # noqa: S311 - noise, not a secret
    return _image(width, height, b"DeviceGray", zlib.compress(pixels, 0))


def _page() -> bytes:
    lines = [
        b"q 90 0 0 90 455 715 cm /Logo Do Q",
        _text(60, 760, 22, "Invoice 2026-0412", bold=True),
        _text(60, 735, 10, "Nordlicht Archive Supplies, Hafenstrasse 12, 24103 Kiel"),
        _text(60, 690, 10, "To: City Library, Records Department, Am Markt 1, 23552 Luebeck"),
        _text(60, 672, 10, "Date: 2 January 2026     Due: 1 February 2026     Customer: 40 117"),
        b"0.5 w 60 640 m 535 640 l S",
    ]
    lines += [
        _text(x, 646, 9, title, bold=True)
        for x, title in ((60, "Item"), (310, "Quantity"), (390, "Each"), (470, "Total"))
    ]
    total = 0
    for row, (name, quantity, cents) in enumerate(_GOODS):
        y = 622 - row * 20
        total += quantity * cents
        lines += [
            _text(60, y, 9, name),
            _text(310, y, 9, str(quantity)),
            _text(390, y, 9, f"{cents / 100:,.2f}"),
            _text(470, y, 9, f"{quantity * cents / 100:,.2f}"),
            b"0.2 w 60 %d m 535 %d l S" % (y - 6, y - 6),
        ]
    lines.append(_text(390, 400, 11, f"Sum     EUR {total / 100:,.2f}", bold=True))
    lines.append(_text(60, 80, 8, "Payable within 30 days without deduction. Thank you."))
    return b"\n".join(lines)


def _text(x: int, y: int, points: int, text: str, *, bold: bool = False) -> bytes:
    font = 2 if bold else 1
    return b"BT /F%d %d Tf %d %d Td (%b) Tj ET" % (font, points, x, y, text.encode("ascii"))
