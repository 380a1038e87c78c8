"""Tiers 3 and 4 of PDF, by pikepdf (qpdf). Runs in the deep checker's process only.

A file that needs a password or a certificate, or is encrypted in a way that qpdf does not know, is
judged as far as it can be read without: its cross-reference sections and trailer, by tier 2.
"""

import re
import zlib
from io import BytesIO
from typing import Final

import pikepdf

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import Mode
from docwarden.integrity.deep.decoders import guarded
from docwarden.integrity.deep.mend_pdf import mend
from docwarden.integrity.formats.pdf import PdfReason, distance, find_ending, pdf_header
from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.record import Failures

MAX_NODES: Final = 20_000
"""How many nodes of the page tree are visited."""
MAX_STREAMS: Final = 2_000
MAX_INFLATED: Final = 64 << 20
"""Bytes that tier 4 inflates in one document."""

_HEADER_LENGTH: Final = len(b"%PDF-1.7")
_PIECE: Final = 1 << 20
_ZLIB_HEADER: Final = 2
# Filters whose data qpdf proves when it decodes it.
_TEXT_FILTERS: Final = frozenset(
    {"/LZWDecode", "/LZW", "/ASCII85Decode", "/A85", "/ASCIIHexDecode", "/AHx"}
    | {"/RunLengthDecode", "/RL", "/FlateDecode", "/Fl"}
)
_FAST_TIERS: Final = 3
_ENCRYPT: Final = re.compile(rb"/Encrypt\s{0,8}(?:\d|<<)")
_ENCRYPT_HIDDEN: Final = b"/Encrxpt"
_REFERENCE: Final = re.compile(rb"(\d{1,10})\s(\d{1,5})\sR")
# What qpdf decrypts (QPDF_encryption.cc): the standard handler's versions and revisions.
_VERSIONS: Final = frozenset({1, 2, 4, 5})
_REVISIONS: Final = frozenset({2, 3, 4, 5, 6})


def decode_pdf(data: bytes, tier: int) -> Failures:
    """Return why a strict parser takes offence at a PDF."""
    try:
        data = _ended(data)
    except BrokenError as broken:  # its check observes
        return [(PdfReason.UNREADABLE, broken.finding.detail)]
    failures, data = _of_either_base(data)
    if failures:
        mended, mistakes = mend(data)
        if mistakes:
            others, mended = _of_either_base(mended)
            if not others:
                failures, data = mistakes, mended
    if tier > _FAST_TIERS and not any(_is_enforced(reason) for reason, _ in failures):
        failures = failures + guarded(_decode_deeper)(data)
    return failures


def _is_enforced(reason: ReasonSet) -> bool:
    return reason.check.default_mode is Mode.ENFORCE


def _ended(data: bytes) -> bytes:
    """Return a PDF that ends in an exact startxref and %%EOF.

    What follows the end, or is missing there, is the business of other checks.
    """
    ending = find_ending(data)
    base = max(pdf_header(data), 0)
    off = distance(data, ending.offset, base)
    if ending.marked and not off:
        return data[: ending.end]
    return data[: ending.start] + b"startxref\n%d\n%%%%EOF\n" % (ending.offset + off)


def _of_either_base(data: bytes) -> tuple[Failures, bytes]:
    """Return what is wrong with a PDF, and the bytes that were looked at."""
    failures = _decode(data)
    base = pdf_header(data)
    if base > 0 and any(reason is PdfReason.UNREADABLE for reason, _ in failures):
        # qpdf counts offsets from the header. Move the header to where many writers count from.
        after = base + _HEADER_LENGTH
        moved = data[base:after] + b" " * base + data[after:]
        return _decode(moved), moved
    return failures, data


def _open(data: bytes) -> pikepdf.Pdf:
    # To hand attributes down, qpdf repairs the page tree: what is lost of it would not be seen.
    return pikepdf.open(
        BytesIO(data),
        attempt_recovery=False,
        suppress_warnings=True,
        inherit_page_attributes=False,
    )


def _decode(data: bytes) -> Failures:
    """Return why a strict parser takes offence at a PDF whose offsets count from its header."""
    try:
        with _open(data) as pdf:
            failures = _decode_pages(pdf)
            warnings = pdf.get_warnings()
    except pikepdf.PasswordError:
        return []
    except pikepdf.PdfError as error:
        return [] if _is_encrypted_otherwise(data) else [(PdfReason.UNREADABLE, _words(error))]
    if warnings and not failures and _lost(data, after_pages=True):
        return [(PdfReason.PAGES_BROKEN, _words(warnings[0]))]
    return failures


def _decode_deeper(data: bytes) -> Failures:
    """Return what is wrong with the streams and with objects that no page needs."""
    try:
        with _open(data) as pdf:
            failures = _decode_streams(pdf)
            # Looking for streams, qpdf reads every object, needed by a page or not.
            warnings = pdf.get_warnings()
    except pikepdf.PdfError:
        return []  # it needs a password, or is encrypted in another way
    if warnings and not failures and _lost(data, after_pages=False):
        return [(PdfReason.OBJECT_DAMAGED, _words(warnings[0]))]
    return failures


def _lost(data: bytes, *, after_pages: bool) -> bool:
    """Tell whether an object is lost: without recovery, qpdf warns of it and takes it for null.

    Of the warnings themselves, which tell of harmless oddities too, each is given once, when the
    object is read first. So an object that the pages need is one that warns no more after them.
    """
    numbers = {(int(match[1]), int(match[2])) for match in _REFERENCE.finditer(data)}
    with _open(data) as pdf:
        size = int(pdf.trailer.get("/Size", 0))
        numbers |= {(number, 0) for number in range(min(size, MAX_NODES))}
        pdf.get_warnings()
        lost = [each for each in sorted(numbers) if _is_lost(pdf, each)]
    if not after_pages or not lost:
        return bool(lost)
    with _open(data) as pdf:
        _decode_pages(pdf)
        pdf.get_warnings()
        return not all(_is_lost(pdf, each) for each in lost)


def _is_lost(pdf: pikepdf.Pdf, number: tuple[int, int]) -> bool:
    try:
        found = pdf.get_object(number)
    except (pikepdf.PdfError, ValueError, OverflowError):
        return False
    return bool(pdf.get_warnings()) and found is None


def _is_encrypted_otherwise(data: bytes) -> bool:
    """Tell whether qpdf cannot read a PDF for its encryption alone.

    Under another name of its entry in the trailer, a PDF opens as if it were not encrypted; with
    object streams, in which the catalog may lie, it may not.
    """
    if not _ENCRYPT.search(data):
        return False
    try:
        with _open(data.replace(b"/Encrypt", _ENCRYPT_HIDDEN)) as pdf:
            encryption = pdf.trailer.get(_ENCRYPT_HIDDEN.decode())
            return isinstance(encryption, pikepdf.Dictionary) and not (
                encryption.get("/Filter") == "/Standard"
                and encryption.get("/V") in _VERSIONS
                and encryption.get("/R") in _REVISIONS
            )
    except pikepdf.PdfError:
        return b"/ObjStm" in data


def _decode_pages(pdf: pikepdf.Pdf) -> Failures:
    contents = _Contents()
    try:
        fault = _walk_pages(pdf, contents)
    except (pikepdf.PdfError, TypeError, ValueError, KeyError, AttributeError) as error:
        fault = _words(error)
    if fault:
        return [(PdfReason.PAGES_BROKEN, fault)]
    return [(PdfReason.CONTENTS_DAMAGED, contents.fault)] if contents.fault else []


def _walk_pages(pdf: pikepdf.Pdf, contents: "_Contents") -> str:
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
            contents.look(node.get("/Contents"))
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
            left -= inflate(item.read_raw_bytes(), left)
        except (zlib.error, pikepdf.PdfError) as error:
            return [(PdfReason.STREAM_DAMAGED, f"object {item.objgen[0]}: {error}")]
    return []


def _filters(stream: pikepdf.Object) -> tuple[str, ...]:
    """Return the names of a stream's filters, which may be references themselves."""
    named = stream.get("/Filter")
    listed = list(named) if isinstance(named, pikepdf.Array) else [named]
    return tuple(str(each) for each in listed if isinstance(each, pikepdf.Name))


def _is_flate(stream: pikepdf.Object) -> bool:
    return _filters(stream)[:1] in {("/FlateDecode",), ("/Fl",)}


class _Contents:
    """Looks at the data of pages' contents, each stream once, as far as the budget goes.

    Attributes:
        fault: What is wrong with the first that is, or nothing.
    """

    def __init__(self) -> None:
        self.fault = ""
        self._left = MAX_INFLATED
        self._seen: set[tuple[int, int]] = set()

    def look(self, contents: pikepdf.Object | None) -> None:
        """Look at the streams of one page."""
        parts = contents if isinstance(contents, pikepdf.Array) else (contents,)
        for part in parts:
            if isinstance(part, pikepdf.Stream) and part.objgen not in self._seen:
                self._seen.add(part.objgen)
                if self._left > 0 and not self.fault and (words := self._decode(part)):
                    self.fault = f"object {part.objgen[0]}: {words}"

    def _decode(self, stream: pikepdf.Object) -> str:
        filters = _filters(stream)
        try:
            if filters[:1] in {("/FlateDecode",), ("/Fl",)}:
                self._left -= inflate(stream.read_raw_bytes(), self._left, with_checksum=False)
            elif filters and set(filters) <= _TEXT_FILTERS:
                self._left -= len(stream.read_bytes())
        except (zlib.error, pikepdf.PdfError) as error:
            return _words(error)
        return ""


def inflate(raw: bytes, limit: int, *, with_checksum: bool = True) -> int:
    """Return how many bytes `raw` inflates to, at least `limit` when it is more than that.

    No bytes at all are no bytes: so qpdf writes the contents of a blank page.

    Raises:
        zlib.error: The data or its checksum is wrong, or the data ends too early.
    """
    if not raw:
        return 0
    if with_checksum:
        inflater = zlib.decompressobj()
    else:
        # Readers never look at the checksum, which four bytes after the data are.
        inflater, raw = zlib.decompressobj(-zlib.MAX_WBITS), raw[_ZLIB_HEADER:]
    length = 0
    while not inflater.eof and length < limit:
        piece = inflater.decompress(raw, _PIECE)
        length += len(piece)
        raw = inflater.unconsumed_tail
        if not piece and not raw and not inflater.eof:
            raise zlib.error("the data ends before its end mark")
    return length
