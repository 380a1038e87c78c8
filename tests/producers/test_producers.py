"""Documents of real producers through the real commands: byte for byte, or refused when broken.

Run by `make test-producers`, which has the documents made first.
"""

import asyncio
import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import pikepdf
import pytest
from PIL import Image

FOLDER = Path(".cache/producers")
TYPES = {
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".gif": "image/gif",
    ".webp": "image/webp",
    ".tif": "image/tiff",
}
DOCUMENTS = (
    "chromium.pdf",
    "chromium.png",
    "libreoffice.pdf",
    "photograph-lossless.webp",
    "photograph-progressive.jpg",
    "photograph.gif",
    "photograph.jpg",
    "photograph.png",
    "photograph.tif",
    "photograph.webp",
    "qpdf-encrypted.pdf",
    "qpdf-linearized.pdf",
    "qpdf-object-streams.pdf",
    "updated.pdf",
)
# The time limits of a slow and busy host, and room for what grows by being mangled: what is asked
# here is whether the bytes are right.
GENEROUS: Mapping[str, str] = {
    "request_timeout": "30s",
    "attempt_timeout": "10s",
    "max_document_bytes": "64MiB",
}

pytestmark = pytest.mark.timeout(300)


def _flipped(data: bytes) -> bytes:
    """Flip one bit at a place that the format can check."""
    if data.startswith(b"%PDF"):
        at, bit = data.rfind(b"startxref") + len("startxref\n"), 1  # the first digit
    elif data.startswith(b"\x89PNG"):
        at, bit = len(data) // 2, 1
    elif data.startswith(b"\xff\xd8"):
        frame = b"\xff\xc2" if b"\xff\xc2" in data else b"\xff\xc0"
        at, bit = data.index(frame) + 1, 0x40  # the marker of the frame header
    elif data.startswith(b"GIF"):
        at, bit = len(data) - 1, 1  # the trailer
    else:
        # The highest byte of RIFF's size, or of the offset of a TIFF's first directory.
        at, bit = 7, 0x40
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "first half only": lambda data: data[: len(data) // 2],
    "last 64 bytes gone": lambda data: data[:-64],
    "last byte gone": lambda data: data.rstrip(b"\n")[:-1],
    "through UTF-8": lambda data: data.decode("utf-8", "replace").encode(),
    "LF to CRLF": lambda data: data.replace(b"\n", b"\r\n"),
    "4 KiB lost": lambda data: data[: len(data) // 3] + data[len(data) // 3 + 4096 :],
    "bit flipped": _flipped,
}


DELIVERED = "delivered"
"""Whole but for its closing mark, or a byte of padding: every reader shows it."""


def _reasons(*reasons: str) -> dict[str, str]:
    return dict(zip(DAMAGES, reasons, strict=True))


PDF = _reasons(
    "end-missing",
    "end-missing",
    DELIVERED,
    "pdf-startxref-wrong",
    "pdf-startxref-wrong",
    "pdf-startxref-wrong",
    "pdf-startxref-wrong",
)
PNG = _reasons(
    "end-missing",
    "end-missing",
    "end-missing",
    "signature-damaged",
    "signature-damaged",
    "png-crc-mismatch",
    "png-crc-mismatch",
)
JPEG = _reasons(
    "image-undecodable",
    "image-undecodable",
    DELIVERED,
    "signature-damaged",
    "image-undecodable",
    "image-undecodable",
    "jpeg-marker-missing",
)
WEBP = _reasons(
    "webp-size-wrong",
    "webp-size-wrong",
    "webp-chunk-truncated",
    "signature-damaged",
    "image-undecodable",
    "webp-size-wrong",
    "webp-size-wrong",
)
REASONS = {
    ".pdf": PDF,
    ".png": PNG,
    ".jpg": JPEG,
    ".webp": WEBP,
    ".gif": _reasons(
        "gif-block-truncated",
        "gif-block-truncated",
        DELIVERED,
        "gif-block-invalid",
        "gif-block-invalid",
        "gif-block-invalid",
        "gif-block-invalid",
    ),
    ".tif": _reasons(
        "tiff-directory-truncated",
        "tiff-value-outside",
        "tiff-value-outside",
        "tiff-directory-truncated",
        "tiff-directory-truncated",
        "tiff-directory-truncated",
        "tiff-directory-truncated",
    ),
    # The mark that ends a linearized file's first page, or the older revision, is still there.
    "qpdf-linearized.pdf": PDF
    | dict.fromkeys(("first half only", "last 64 bytes gone"), "pdf-update-unfinished")
    | dict.fromkeys(("through UTF-8", "LF to CRLF", "4 KiB lost"), "pdf-section-wrong"),
    "updated.pdf": PDF | {"last 64 bytes gone": "pdf-update-unfinished"},
    # Its first half ends within the first of several scans.
    "photograph-progressive.jpg": JPEG | {"first half only": "end-missing"},
    # What is mangled here is the size, which now ends within the picture.
    "photograph-lossless.webp": WEBP
    # The last byte is padding.
    | {"last byte gone": DELIVERED, "through UTF-8": "webp-chunk-truncated"},
}


class Upstream:
    """Serves bodies by id, declaring a length that may be another one than it sends."""

    def __init__(self, bodies: list[bytes], declared: list[int] | None = None) -> None:
        self.bodies = bodies
        self.declared = declared or [len(body) for body in bodies]

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            request = await reader.readuntil(b"\r\n\r\n")
            number = int(request.split()[1][1:])
            head = f"HTTP/1.1 200 OK\r\nContent-Length: {self.declared[number]}\r\n"
            writer.write(head.encode() + b"Content-Type: application/octet-stream\r\n")
            writer.write(b"Connection: close\r\n\r\n" + self.bodies[number])
            await writer.drain()
        writer.close()


@pytest.fixture
def serve_bodies(stack, serve):
    """Start the gateway in front of an upstream that holds these bodies."""

    async def start(*bodies, declared=None):
        upstream = Upstream(list(bodies), declared)
        server = await asyncio.start_server(upstream, "127.0.0.1", 0)
        stack.callback(server.close)
        port = server.sockets[0].getsockname()[1]
        return await serve(f"http://127.0.0.1:{port}/{{id}}", **GENEROUS)

    return start


@pytest.fixture
def serve_folder(start_process, serve):
    """Start the gateway in front of `docwarden simulate --documents`."""

    async def start(*options, settings=GENEROUS):
        anywhere = ("--listen", "127.0.0.1:0", "--control", "off", "--documents", str(FOLDER))
        simulator = await start_process("simulate", *anywhere, *options)
        return await serve(f"http://127.0.0.1:{simulator.port}/{{id}}", **settings)

    return start


@pytest.fixture(scope="module")
def held():
    """Name by digest."""
    return {hashlib.sha256(file.read_bytes()).hexdigest(): file.name for file in FOLDER.iterdir()}


def name_of(answer, held):
    """Return the name of the document delivered, having looked at its headers."""
    assert answer.status == 200, answer.body[:500]
    name = held[hashlib.sha256(answer.body).hexdigest()]
    assert answer.headers["content-type"] == TYPES[Path(name).suffix]
    assert int(answer.headers["content-length"]) == len(answer.body)
    return name


def test_documents_are_what_their_names_say(held):
    assert sorted(held.values()) == sorted(DOCUMENTS)
    for name in DOCUMENTS:
        path = FOLDER / name
        if path.suffix != ".pdf":
            with Image.open(path) as image:
                expected = (4000, 3000) if name.startswith("photograph") else image.size
                assert image.size == expected
    made_by = {}
    for name in ("chromium.pdf", "libreoffice.pdf", "qpdf-linearized.pdf"):
        with pikepdf.open(FOLDER / name) as pdf:
            made_by[name] = str(pdf.docinfo.Producer).split()[0]
            assert pdf.pages[0].get_images(), f"{name} shows no picture"
            assert pdf.is_linearized == ("linearized" in name)
    assert made_by["chromium.pdf"] == "Skia/PDF"
    assert made_by["libreoffice.pdf"] == "LibreOffice"
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(FOLDER / "qpdf-encrypted.pdf")


async def test_every_document_comes_through_with_the_default_settings(serve_folder, ask, held):
    gateway = await serve_folder("--mix", "file=1", settings={})
    seen: Counter[str] = Counter()
    for number in range(300):
        seen[name_of(await ask(gateway.port, f"/{number}"), held)] += 1
        if len(seen) == len(DOCUMENTS):
            break
    assert sorted(seen) == sorted(DOCUMENTS)


async def test_a_broken_one_in_ten_is_fetched_again_and_never_delivered(serve_folder, ask, held):
    gateway = await serve_folder("--seed", "1")
    answers = [await ask(gateway.port, f"/{number}") for number in range(150)]
    assert {name_of(answer, held) for answer in answers} <= set(DOCUMENTS)
    retried = (await ask(gateway.admin_port, "/metrics")).body
    (line,) = (
        line
        for line in retried.decode().splitlines()
        if line.startswith('docwarden_upstream_attempts_total{result="corrupt"}')
    )
    assert float(line.split()[1]) > 5


async def test_broken_ones_alone_are_all_refused(serve_folder, ask):
    gateway = await serve_folder("--mix", "corrupt-file=1")
    for number in range(20):
        answer = await ask(gateway.port, f"/{number}")
        assert (answer.status, answer.slug) == (502, "document-corrupt")
        assert answer.problem["attempts"] == 4


def _end(answer):
    """Return why a document was refused, or that it was not."""
    if answer.status == 200:
        return DELIVERED
    assert (answer.status, answer.slug) == (502, "document-corrupt")
    return json.loads(answer.body)["reason"]


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_each_damage_is_refused_with_its_reason(name, serve_bodies, ask, held):
    data = (FOLDER / name).read_bytes()
    gateway = await serve_bodies(data, *(damage(data) for damage in DAMAGES.values()))
    assert name_of(await ask(gateway.port, "/0"), held) == name
    answers = [await ask(gateway.port, f"/{number}") for number in range(1, len(DAMAGES) + 1)]
    ends = dict(zip(DAMAGES, map(_end, answers), strict=True))
    assert ends == REASONS.get(name, REASONS[Path(name).suffix])


@pytest.mark.parametrize("name", DOCUMENTS)
async def test_a_cut_in_transit_is_refused(name, serve_bodies, ask):
    data = (FOLDER / name).read_bytes()
    gateway = await serve_bodies(data[:-1], declared=[len(data)])
    answer = await ask(gateway.port, "/0")
    assert answer.status == 502
    assert answer.problem["reason"] == "body-truncated"
