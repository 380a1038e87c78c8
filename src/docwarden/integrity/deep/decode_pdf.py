"""Tiers 3 and 4 of PDF, by pikepdf (qpdf). Runs in the deep checker's process only.

A file that needs a password or a certificate, or is encrypted in a way that qpdf does not support,
is judged only by tier 2, which reads its cross-reference sections and trailer.
"""

import re
from io import BytesIO
from typing import Final

import pikepdf

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import Mode
from docwarden.integrity.deep.decoders import guarded
from docwarden.integrity.deep.mend_pdf import mend
from docwarden.integrity.deep.pdf_pages import decode_pages, words_of
from docwarden.integrity.deep.pdf_streams import decode_streams
from docwarden.integrity.formats.pdf import PdfReason, distance, find_ending, pdf_header
from docwarden.integrity.reasons import ReasonSet
from docwarden.integrity.record import Failures

MAX_OBJECTS: Final = 20_000
"""How many object numbers are looked up in addition to those referenced in the file."""

_HEADER_LENGTH: Final = len(b"%PDF-1.7")
_FAST_TIERS: Final = 3
_ENCRYPT: Final = re.compile(rb"/Encrypt\s{0,8}(?:\d|<<)")
_ENCRYPT_HIDDEN: Final = b"/Encrxpt"
_REFERENCE: Final = re.compile(rb"(\d{1,10})\s(\d{1,5})\sR")
# What qpdf decrypts (QPDF_encryption.cc): the standard handler's versions and revisions.
_VERSIONS: Final = frozenset({1, 2, 4, 5})
_REVISIONS: Final = frozenset({2, 3, 4, 5, 6})


def decode_pdf(data: bytes, tier: int) -> Failures:
    """Return what a strict parser rejects in a PDF."""
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

    Other checks deal with what follows the end, or is missing there.
    """
    ending = find_ending(data)
    base = max(pdf_header(data), 0)
    off = distance(data, ending.offset, base)
    if ending.marked and not off:
        return data[: ending.end]
    return data[: ending.start] + b"startxref\n%d\n%%%%EOF\n" % (ending.offset + off)


def _of_either_base(data: bytes) -> tuple[Failures, bytes]:
    """Return what is wrong with a PDF, and the bytes that were parsed."""
    failures = _decode(data)
    base = pdf_header(data)
    if base > 0 and any(reason is PdfReason.UNREADABLE for reason, _ in failures):
        # qpdf counts offsets from the header. Move the header to where many writers count from.
        after = base + _HEADER_LENGTH
        moved = data[base:after] + b" " * base + data[after:]
        return _decode(moved), moved
    return failures, data


def _open(data: bytes) -> pikepdf.Pdf:
    # To inherit attributes, qpdf repairs the page tree, which would hide what is missing.
    return pikepdf.open(
        BytesIO(data),
        attempt_recovery=False,
        suppress_warnings=True,
        inherit_page_attributes=False,
    )


def _decode(data: bytes) -> Failures:
    """Return what a strict parser rejects in a PDF whose offsets count from its header."""
    try:
        with _open(data) as pdf:
            failures = decode_pages(pdf)
            warnings = pdf.get_warnings()
    except pikepdf.PasswordError:
        return []
    except pikepdf.PdfError as error:
        return [] if _is_encrypted_otherwise(data) else [(PdfReason.UNREADABLE, words_of(error))]
    if warnings and not failures and _lost(data, after_pages=True):
        return [(PdfReason.PAGES_BROKEN, words_of(warnings[0]))]
    return failures


def _decode_deeper(data: bytes) -> Failures:
    """Return what is wrong with the streams and with objects that no page needs."""
    try:
        with _open(data) as pdf:
            failures = decode_streams(pdf)
            # Looking for streams, qpdf reads every object, needed by a page or not.
            warnings = pdf.get_warnings()
    except pikepdf.PdfError:
        return []  # it needs a password, or is encrypted in another way
    if warnings and not failures and _lost(data, after_pages=False):
        return [(PdfReason.OBJECT_DAMAGED, words_of(warnings[0]))]
    return failures


def _lost(data: bytes, *, after_pages: bool) -> bool:
    """Whether an object is lost: without recovery, qpdf warns of it and takes it for null.

    Warnings alone do not tell, as some are of harmless oddities. Each is given once, when the
    object is first read, so an object that the pages need no longer warns after them.
    """
    numbers = {(int(match[1]), int(match[2])) for match in _REFERENCE.finditer(data)}
    with _open(data) as pdf:
        size = int(pdf.trailer.get("/Size", 0))
        numbers |= {(number, 0) for number in range(min(size, MAX_OBJECTS))}
        pdf.get_warnings()
        lost = [each for each in sorted(numbers) if _is_lost(pdf, each)]
    if not after_pages or not lost:
        return bool(lost)
    with _open(data) as pdf:
        decode_pages(pdf)
        pdf.get_warnings()
        return not all(_is_lost(pdf, each) for each in lost)


def _is_lost(pdf: pikepdf.Pdf, number: tuple[int, int]) -> bool:
    try:
        found = pdf.get_object(number)
    except (pikepdf.PdfError, ValueError, OverflowError):
        return False
    return bool(pdf.get_warnings()) and found is None


def _is_encrypted_otherwise(data: bytes) -> bool:
    """Whether qpdf cannot read a PDF only because of its encryption.

    With the entry in its trailer renamed, a PDF opens as if it were not encrypted; one with object
    streams, which may hold the catalog, may not.
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
