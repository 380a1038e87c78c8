"""Tier 1: what the first bytes are.

The signatures are those that the formats' own specifications give: PNG 3rd edition section 5.2,
JPEG (ITU-T T.81) annex B, GIF89a section 17, RFC 9649 section 2.4 (WebP), TIFF 6.0 section 2 and
BigTIFF. ISO 32000-1 annex H, implementation note 13: `%PDF-` may come within the first 1024 bytes.
"""

import re
from typing import Final

from docwarden.integrity.checks import MediaType
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Data, Finding

PDF_HEADER_WITHIN: Final = 1024

_PDF: Final = b"%PDF-"
_SIGNATURES: Final = (
    (_PDF, MediaType.PDF),
    (b"\x89PNG\r\n\x1a\n", MediaType.PNG),
    (b"\xff\xd8\xff", MediaType.JPEG),
    ((b"GIF87a", b"GIF89a"), MediaType.GIF),
    (b"RIFF", MediaType.WEBP),
    ((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), MediaType.TIFF),
)

_HTML: Final = re.compile(
    rb"<!doctype html|<html|<head|<body|<title|<h1|<!--|<script", re.IGNORECASE
)
# The PNG and JPEG signatures as UTF-8 with replacements, as Latin-1 turned UTF-8, and as text with
# changed line ends or without its top bits; the rest of a signature is ASCII and survives. In a
# WebP the four bytes of the size stand between two words, which a decoder moves apart or together.
_DAMAGED: Final = re.compile(
    rb"(?:\xef\xbf\xbd|\xc2\x89|\xe2\x80\xb0|\x89|\t|\?)PNG[\r\n]"
    rb"|(?:\xef\xbf\xbd|\?){3}|\xc3\xbf\xc3\x98\xc3\xbf"
    rb"|RIFF(?s:.){2,12}?WEBP"
)


def sniff(data: Data) -> MediaType | None:
    """Return the allowed type that `data` begins like, or None."""
    for signature, media_type in _SIGNATURES:
        if data.startswith(signature):
            if media_type is MediaType.WEBP and not data.startswith(b"WEBP", 8):
                return None  # another kind of RIFF file
            return media_type
    return MediaType.PDF if pdf_header(data) >= 0 else None


def pdf_header(data: Data) -> int:
    """Return where the PDF header begins, or -1."""
    return data.find(_PDF, 0, PDF_HEADER_WITHIN + len(_PDF) - 1)


def explain_unknown(data: Data) -> Finding:
    """Say what came instead of a document of an allowed type."""
    head = bytes(data[:512]).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not data:
        return Finding.of(Reason.EMPTY_BODY, "no bytes")
    if not data[:512].strip(b"\0"):
        return Finding.of(Reason.ZEROS_INSTEAD, "the first bytes are all zero")
    if _HTML.match(head):
        return Finding.of(Reason.HTML_INSTEAD, "begins like an HTML page")
    if _DAMAGED.match(data):
        return Finding.of(Reason.SIGNATURE_DAMAGED, "a signature that went through a text decoder")
    if len(head) == len(_printable(head)):
        return Finding.of(Reason.TEXT_INSTEAD, "begins like text")
    return Finding.of(Reason.TYPE_UNKNOWN, f"begins with {data[:8].hex(' ')}")


def _printable(head: bytes) -> bytes:
    return head.translate(
        None, delete=bytes(range(9)) + b"\x0b\x0c" + bytes(range(14, 32)) + b"\x7f"
    )
