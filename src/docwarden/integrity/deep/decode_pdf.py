"""Tiers 3 and 4 of PDF, by pikepdf (qpdf). Runs in the deep checker's process only.

A file that needs a password or a certificate, or is encrypted in a way that qpdf does not know, is
judged as far as it can be read without: its cross-reference sections and trailer, by tier 2.
"""

import re
import zlib
from io import BytesIO
from typing import Final

import pikepdf

from docwarden.integrity.formats.pdf import PdfReason, pdf_extent, pdf_header
from docwarden.integrity.record import Failures

MAX_NODES: Final = 20_000
"""How many nodes of the page tree are visited."""
MAX_STREAMS: Final = 2_000
MAX_INFLATED: Final = 64 << 20
"""Bytes that tier 4 inflates in one document."""

# qpdf's warnings that mean a lost object; the others tell of oddities that harm nothing.
_DAMAGE: Final = re.compile(r"expected (?:n n|\d+ \d+) obj|expected endstream|EOF|lacks /Length")
# qpdf's words (QPDF_encryption.cc) for encryption that it does not know, as with certificates.
_UNSUPPORTED: Final = re.compile(r"unsupported encryption filter|Unsupported /R or /V")
_HEADER_LENGTH: Final = len(b"%PDF-1.7")
_PIECE: Final = 1 << 20
_FAST_TIERS: Final = 3


def decode_pdf(data: bytes, tier: int) -> Failures:
    """Return why a strict parser takes offence at a PDF."""
    # What follows the end is the business of the check trailing-bytes.
    data = data[: pdf_extent(data)]
    failures = _decode(data, tier)
    base = pdf_header(data)
    if base > 0 and any(reason is PdfReason.UNREADABLE for reason, _ in failures):
        # qpdf counts offsets from the header. Move the header to where many writers count from.
        after = base + _HEADER_LENGTH
        return _decode(data[base:after] + b" " * base + data[after:], tier)
    return failures


def _decode(data: bytes, tier: int) -> Failures:
    """Return why a strict parser takes offence at a PDF whose offsets count from its header."""
    try:
        # To hand attributes down, qpdf repairs the page tree: what is lost of it would not be seen.
        with pikepdf.open(
            BytesIO(data),
            attempt_recovery=False,
            suppress_warnings=True,
            inherit_page_attributes=False,
        ) as pdf:
            failures = _decode_pages(pdf) or _read_warnings(pdf, PdfReason.PAGES_BROKEN)
            if tier > _FAST_TIERS:
                # Looking for streams, qpdf reads every object, needed by a page or not.
                failures += _decode_streams(pdf) or _read_warnings(pdf, PdfReason.OBJECT_DAMAGED)
            return failures
    except pikepdf.PasswordError:
        return []
    except pikepdf.PdfError as error:
        words = _words(error)
        return [] if _UNSUPPORTED.search(words) else [(PdfReason.UNREADABLE, words)]


def _decode_pages(pdf: pikepdf.Pdf) -> Failures:
    try:
        fault = _walk_pages(pdf)
    except (pikepdf.PdfError, TypeError, ValueError, KeyError, AttributeError) as error:
        fault = _words(error)
    return [(PdfReason.PAGES_BROKEN, fault)] if fault else []


def _walk_pages(pdf: pikepdf.Pdf) -> str:
    """Resolve every page and its contents, without the repairs that `Pdf.pages` makes.

    Returns what is wrong with the first node that is, or nothing. ISO 32000-1, 7.7.3.
    """
    root = pdf.Root.get("/Pages")
    if not isinstance(root, pikepdf.Dictionary):
        return "the catalog has no page tree"
    waiting: list[pikepdf.Object | None] = [root]
    seen: set[tuple[int, int]] = set()
    pages = visits = 0
    while waiting and len(seen) < MAX_NODES and visits < MAX_NODES:
        node = waiting.pop()
        visits += 1
        if not isinstance(node, pikepdf.Dictionary):
            return f"a node of the page tree is missing, page {pages}"
        again = node.is_indirect and node.objgen in seen
        seen.add(node.objgen)
        kids = node.get("/Kids")
        pages += not isinstance(kids, pikepdf.Array)
        if fault := _fault(node, again=again):
            return f"{fault}, page {pages}"
        if not again:
            _resolve_resources(node, seen)
        if isinstance(kids, pikepdf.Array):
            waiting.extend(kids)
    if not pages and root.get("/Count", 0) > 0:
        return "the page tree has no page, and should"
    return ""


def _fault(node: pikepdf.Object, *, again: bool) -> str:
    """Say what is wrong with a node of the page tree, which may have come before."""
    if isinstance(node.get("/Kids"), pikepdf.Array):
        return "a node with kids comes twice in the page tree" if again else ""
    if node.get("/Type") == "/Pages" and node.get("/Count"):
        return "a node of the page tree lost its kids"
    # Readers show a page twice that is listed twice.
    if not again and not _contents_resolve(node.get("/Contents")):
        return "the contents of a page do not resolve"
    return ""


def _resolve_resources(node: pikepdf.Object, seen: set[tuple[int, int]]) -> None:
    """Have qpdf read the fonts and images of a node; it warns of what it cannot read."""
    resources = node.get("/Resources")
    if not isinstance(resources, pikepdf.Dictionary):
        return
    if resources.is_indirect and resources.objgen in seen:
        return
    seen.add(resources.objgen)
    for kind in ("/Font", "/XObject"):
        named = resources.get(kind)
        if isinstance(named, pikepdf.Dictionary):
            for _ in named.items():
                pass


def _read_warnings(pdf: pikepdf.Pdf, reason: PdfReason) -> Failures:
    """Without recovery, qpdf takes a damaged object for null and leaves a warning, given once."""
    for warning in pdf.get_warnings():
        if _DAMAGE.search(str(warning)):
            return [(reason, _words(warning))]
    return []


def _words(error: object) -> str:
    """Return qpdf's words without the name that pikepdf gives to a stream."""
    return re.sub(r"^stream <[^>]*>:? ", "", str(error))


def _contents_resolve(contents: pikepdf.Object | None) -> bool:
    """Tell whether contents are streams; a reference to no object is null (ISO 32000-1, 7.3.10)."""
    parts = contents if isinstance(contents, pikepdf.Array) else (contents,)
    return all(part is None or isinstance(part, pikepdf.Stream) for part in parts)


def _decode_streams(pdf: pikepdf.Pdf) -> Failures:
    """Inflate every stream whose first filter is Flate, and compare its checksum."""
    left = MAX_INFLATED
    streams = 0
    for item in pdf.objects:
        if not isinstance(item, pikepdf.Stream) or not _is_flate(item):
            continue
        streams += 1
        if left <= 0 or streams > MAX_STREAMS:
            break
        try:
            left -= _inflate(item.read_raw_bytes(), left)
        except (zlib.error, pikepdf.PdfError) as error:
            return [(PdfReason.STREAM_DAMAGED, f"object {item.objgen[0]}: {error}")]
    return []


def _is_flate(stream: pikepdf.Object) -> bool:
    filters = stream.get("/Filter")
    if isinstance(filters, pikepdf.Array):
        filters = filters[0] if len(filters) else None
    return filters in {"/FlateDecode", "/Fl"}


def _inflate(raw: bytes, limit: int) -> int:
    """Return how many bytes `raw` inflates to, at least `limit` when it is more than that.

    No bytes at all are no bytes: so qpdf writes the contents of a blank page.

    Raises:
        zlib.error: The data or its checksum is wrong, or the data ends too early.
    """
    if not raw:
        return 0
    inflater = zlib.decompressobj()
    length = 0
    while not inflater.eof and length < limit:
        piece = inflater.decompress(raw, _PIECE)
        length += len(piece)
        raw = inflater.unconsumed_tail
        if not piece and not raw and not inflater.eof:
            raise zlib.error("the data ends before its checksum")
    return length
