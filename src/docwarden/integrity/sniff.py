"""Tier 1: the format by its first bytes, from the signatures of the records."""

import re
from typing import Final

from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Format
from docwarden.integrity.registry import FORMATS
from docwarden.integrity.verdict import Data, Finding

_SIGNATURES: Final = re.compile(
    b"|".join(b"(" + each.signature + b")" for each in FORMATS), re.DOTALL
)
_LED: Final = tuple(each for each in FORMATS if each.leading)
_MANGLED: Final = re.compile(
    b"|".join(b"(?:%b)" % each.mangled for each in FORMATS if each.mangled)
)
_HTML: Final = re.compile(
    rb"<!doctype html|<html|<head|<body|<title|<h1|<!--|<script", re.IGNORECASE
)


def sniff(data: Data) -> tuple[Format | None, int]:
    """Return the format whose signature `data` has, or None, and the bytes before it."""
    found = _SIGNATURES.match(data)
    if found is not None and found.lastindex is not None:
        return FORMATS[found.lastindex - 1], 0
    for each in _LED:
        start = each.starts_at(data)
        if start >= 0:
            return each, start
    return None, 0


def explain_unknown(data: Data) -> Finding:
    """Return what the bytes are instead of a document of an allowed type."""
    head = bytes(data[:512]).lstrip(b"\xef\xbb\xbf \t\r\n")
    if not data:
        return Finding.of(Reason.EMPTY_BODY, "no bytes")
    if not data[:512].strip(b"\0"):
        return Finding.of(Reason.ZEROS_INSTEAD, "the first bytes are all zero")
    if _HTML.match(head):
        return Finding.of(Reason.HTML_INSTEAD, "begins like an HTML page")
    if _MANGLED.match(data):
        return Finding.of(Reason.SIGNATURE_DAMAGED, "a signature that went through a text decoder")
    if len(head) == len(_printable(head)):
        return Finding.of(Reason.TEXT_INSTEAD, "begins like text")
    return Finding.of(Reason.TYPE_UNKNOWN, f"begins with {data[:8].hex(' ')}")


def _printable(head: bytes) -> bytes:
    return head.translate(
        None, delete=bytes(range(9)) + b"\x0b\x0c" + bytes(range(14, 32)) + b"\x7f"
    )
