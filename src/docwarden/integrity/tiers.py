"""Tiers 1 and 2 of one document: pure functions of its bytes.

Nothing here raises or loops on any bytes: every walk ends at the end of the data or at a bound of
its own, which stands in the format's module.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import MediaType, Mode
from docwarden.integrity.formats.gif import walk_gif
from docwarden.integrity.formats.jpeg import walk_jpeg
from docwarden.integrity.formats.pdf import walk_pdf
from docwarden.integrity.formats.png import walk_png
from docwarden.integrity.formats.sniff import explain_unknown, pdf_header, sniff
from docwarden.integrity.formats.tiff import walk_tiff
from docwarden.integrity.formats.webp import walk_webp
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Data, Finding

_WALKS: Final[Mapping[MediaType, Callable[[Data], int]]] = MappingProxyType(
    {
        MediaType.PDF: walk_pdf,
        MediaType.PNG: walk_png,
        MediaType.JPEG: walk_jpeg,
        MediaType.GIF: walk_gif,
        MediaType.WEBP: walk_webp,
        MediaType.TIFF: walk_tiff,
    }
)
# The closing mark of each format that has one: %%EOF (ISO 32000-1 7.5.5), the IEND chunk with its
# CRC, the EOI marker, the GIF trailer.
_END_MARKS: Final[Mapping[MediaType, bytes]] = MappingProxyType(
    {
        MediaType.PDF: b"%%EOF",
        MediaType.PNG: b"\0\0\0\0IEND\xaeB`\x82",
        MediaType.JPEG: b"\xff\xd9",
        MediaType.GIF: b";",
    }
)


def inspect_bytes(data: Data, policy: Policy) -> tuple[MediaType | None, tuple[Finding, ...]]:
    """Look at `data` with tiers 1 and 2.

    Returns:
        The type that the bytes have, None for none of the allowed ones, and the failed checks.
        What follows an enforced failure is not looked at.
    """
    media_type = sniff(data)
    if media_type is None:
        return None, (explain_unknown(data),)
    findings = _tier_one(data, media_type)
    if policy.tier > 1 and not (findings and _stops(findings, policy)):
        findings += _tier_two(data, media_type)
    return media_type, findings


def _tier_one(data: Data, media_type: MediaType) -> tuple[Finding, ...]:
    findings: tuple[Finding, ...] = ()
    if media_type is MediaType.PDF and not data.startswith(b"%PDF-"):
        findings += (
            Finding.of(Reason.LEADING_BYTES, f"{pdf_header(data)} bytes before the header"),
        )
    mark = _END_MARKS.get(media_type)
    # Nearly always the mark is at the very end, and the search from there is short.
    if mark is not None and data.rfind(mark) < 0:
        findings += (Finding.of(Reason.END_MISSING, "the closing mark is nowhere in the bytes"),)
    return findings


def _tier_two(data: Data, media_type: MediaType) -> tuple[Finding, ...]:
    try:
        end = _WALKS[media_type](data)
    except BrokenError as broken:
        return (broken.finding,)
    if end >= len(data):
        return ()
    return (Finding.of(Reason.TRAILING_BYTES, f"{len(data) - end} bytes after the end at {end}"),)


def _stops(findings: tuple[Finding, ...], policy: Policy) -> bool:
    return any(policy.modes[finding.check] is Mode.ENFORCE for finding in findings)
