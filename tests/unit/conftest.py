"""Documents for the tests of integrity, made by code each time."""

import io
import random
import struct
import zlib

import pikepdf
import pytest
from PIL import Image, ImageDraw


def _image(mode="RGB", size=(97, 83)):
    """A picture with structure and noise, so that no encoder finds it trivial."""
    rng = random.Random(7)
    noise = Image.frombytes("RGB", size, rng.randbytes(size[0] * size[1] * 3))
    image = Image.blend(Image.linear_gradient("L").resize(size).convert("RGB"), noise, 0.35)
    ImageDraw.Draw(image).ellipse((10, 10, 70, 60), fill=(200, 30, 30))
    return image.convert(mode)


def _saved(image, kind, **options):
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def _pdf(pages=4, **options):
    pdf = pikepdf.new()
    for number in range(pages):
        page = pdf.add_blank_page()
        drawing = b"".join(b"%d %d m %d 700 l S\n" % (n, number, n * 3 % 600) for n in range(400))
        page.Contents = pdf.make_stream(drawing)
    plain = io.BytesIO()
    pdf.save(plain)
    target = io.BytesIO()
    with pikepdf.open(plain) as again:
        again.save(target, **options)
    return target.getvalue()


def _updated(data):
    """Append an incremental update to a PDF that has a cross-reference table."""
    previous = data[data.rfind(b"startxref") + 9 :].split()[0].decode()
    with pikepdf.open(io.BytesIO(data)) as pdf:
        size, root = int(pdf.trailer.Size), pdf.Root.objgen[0]
    body = f"{size} 0 obj\n<< /Note (an update) >>\nendobj\n"
    table = f"xref\n{size} 1\n{len(data):010} 00000 n \n"
    trailer = f"trailer\n<< /Size {size + 1} /Root {root} 0 R /Prev {previous} >>\n"
    end = f"startxref\n{len(data) + len(body)}\n%%EOF\n"
    return data + (body + table + trailer + end).encode()


def _documents():
    table = pikepdf.ObjectStreamMode.disable
    streams = pikepdf.ObjectStreamMode.generate
    image = _image()
    classic = _pdf(object_stream_mode=table)
    return {
        "pdf-table": classic,
        "pdf-streams": _pdf(object_stream_mode=streams),
        "pdf-linearized": _pdf(object_stream_mode=table, linearize=True),
        "pdf-updated": _updated(classic),
        "png": _saved(image, "PNG"),
        "png-palette": _saved(_image("P"), "PNG"),
        "jpeg": _saved(image, "JPEG", quality=85),
        "jpeg-progressive": _saved(image, "JPEG", quality=85, progressive=True),
        "gif": _saved(_image("P"), "GIF"),
        "webp-lossy": _saved(image, "WEBP", quality=80),
        "webp-lossless": _saved(image, "WEBP", lossless=True),
        "tiff-raw": _saved(image, "TIFF"),
        "tiff-lzw": _saved(image, "TIFF", compression="tiff_lzw"),
    }


@pytest.fixture(scope="session")
def documents():
    """Return valid documents by name; the name's first word is the format."""
    return _documents()


@pytest.fixture(scope="session")
def picture():
    """Return the function that makes a picture of a mode and size."""
    return _image


@pytest.fixture(scope="session")
def saved():
    """Return the function that encodes a picture."""
    return _saved


@pytest.fixture(scope="session")
def png_of():
    """Return the function that makes a PNG of chunks, with the right CRCs."""

    def make(*chunks):
        return b"\x89PNG\r\n\x1a\n" + b"".join(
            len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")
            for kind, body in chunks
        )

    return make


# A page of 16 by 16 grey pixels in one strip that begins with the file: kind and value by tag.
_TIFF_PAGE = {256: (4, 16), 257: (4, 16), 258: (3, 8), 259: (3, 1), 262: (3, 1)}
_TIFF_PAGE |= {273: (4, 0), 277: (3, 1), 278: (4, 16), 279: (4, 256)}


@pytest.fixture(scope="session")
def tiff_of():
    """Return the function that makes a TIFF of pages, each given by how it differs."""

    def make(*pages):
        data = bytearray(b"II*\0" + struct.pack("<I", 264) + bytes(256))
        for page in pages:
            tags = sorted((_TIFF_PAGE | page).items())
            entries = [(tag, *value) for tag, value in tags if value is not None]
            data += struct.pack("<H", len(entries))
            for tag, kind, number in entries:
                data += struct.pack("<HHII", tag, kind, 1, number)
            data += struct.pack("<I", len(data) + 4)
        return bytes(data[:-4] + bytes(4))

    return make
