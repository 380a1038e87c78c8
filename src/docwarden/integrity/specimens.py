"""One small intact document of each type, to warm up every check before the first request.

The pictures are eight pixels wide and one grey; the PDF has one empty page.
"""

import base64
from collections.abc import Iterator
from typing import Final

_PICTURES: Final = {
    "image/png": (
        "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR4nGOsYIAAJgaKGAAj0ACI5/8d"
        "TgAAAABJRU5ErkJggg=="
    ),
    "image/jpeg": (
        "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqg"
        "tObDoKrarYqMyP/L2u71////m8H////6/+b9//j/wAALCAAIAAgBAREA/8QAFAABAAAAAAAAAAAAAAAA"
        "AAAAAv/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AL//Z"
    ),
    "image/gif": ("R0lGODdhCAAIAIEAAHh4eAAAAAAAAAAAACwAAAAACAAIAAAIDwABCBxIsKDBgwgTKkwYEAA7"),
    "image/webp": ("UklGRiQAAABXRUJQVlA4IBgAAAAwAQCdASoIAAgAAsBMJaQAA3AA/sPgAAA="),
    "image/tiff": (
        "SUkqAAgAAAAJAAABBAABAAAACAAAAAEBBAABAAAACAAAAAIBAwABAAAACAAAAAMBAwABAAAAAQAAAAYB"
        "AwABAAAAAQAAABEBBAABAAAAegAAABYBBAABAAAACAAAABcBBAABAAAAQAAAABwBAwABAAAAAQAAAAAA"
        "AAB4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4eHh4"
        "eHh4eHh4"
    ),
}
_PDF_OBJECTS: Final = (
    b"<< /Type /Catalog /Pages 2 0 R >>",
    b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 8 8] /Resources << >> /Contents 4 0 R >>",
    b"<< /Length 0 >>\nstream\n\nendstream",
)


def specimens() -> Iterator[tuple[str, bytes]]:
    """Yield each media type with an intact document of it."""
    yield "application/pdf", _pdf()
    for media_type, text in _PICTURES.items():
        yield media_type, base64.b64decode(text)


def _pdf() -> bytes:
    body = b"%PDF-1.4\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(_PDF_OBJECTS) + 1)
    for number, content in enumerate(_PDF_OBJECTS, start=1):
        table += b"%010d 00000 n \n" % len(body)
        body += b"%d 0 obj\n%b\nendobj\n" % (number, content)
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\n" % (len(_PDF_OBJECTS) + 1)
    return body + table + trailer + b"startxref\n%d\n%%%%EOF\n" % len(body)
