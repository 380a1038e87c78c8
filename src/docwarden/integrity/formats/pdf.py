"""Tier 2 of PDF: walks from the end of the file to every cross-reference section.

Source: ISO 32000-1, 7.5 (file structure), 7.5.8 (cross-reference streams), annex F (linearized)
and annex H, implementation notes 13 to 18 (what readers tolerate). Offsets count from the header
or, as many writers have it, from the first byte of the file; both pass.

A byte that was lost, added or moved anywhere before a section makes some offset miss. What tier 2
cannot see: bytes that changed in place outside the sections, and a file that was cut exactly at
the end of an older revision, which is that revision, whole.
"""

import re
from typing import Final, NamedTuple

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.formats.pdf_plain import decode_small_pdf
from docwarden.integrity.reasons import Reason, ReasonSet
from docwarden.integrity.record import Format, Walked
from docwarden.integrity.verdict import Data, Finding


class PdfCheck(CheckSet):
    """The checks of a PDF."""

    STRUCTURE = (
        "pdf-structure",
        2,
        Mode.ENFORCE,
        "The last startxref, and every link to an older section, points to a section.",
    )
    PARSE = (
        "pdf-parse",
        3,
        Mode.ENFORCE,
        "A strict parser reads the file without repairing it, and every page resolves.",
    )
    STREAMS = (
        "pdf-streams",
        4,
        Mode.OBSERVE,
        "Every object can be read and every Flate checksum is right; readers tolerate errors.",
    )
    STARTXREF = (
        "pdf-startxref",
        2,
        Mode.OBSERVE,
        "The last startxref is exact; readers also search a few bytes around it.",
    )
    ENTRIES = (
        "pdf-entries",
        3,
        Mode.OBSERVE,
        "Entries of cross-reference tables are 20 bytes long; readers accept other lengths.",
    )
    STREAM_LENGTH = (
        "pdf-stream-length",
        3,
        Mode.OBSERVE,
        "The Length of every stream is right; otherwise readers search for its end.",
    )
    CONTENTS = (
        "pdf-contents",
        3,
        Mode.ENFORCE,
        "The data of every page's contents inflates to its end, checksums aside.",
    )


class PdfReason(ReasonSet):
    """Why a PDF fails them."""

    STARTXREF_MISSING = (
        "pdf-startxref-missing",
        PdfCheck.STRUCTURE,
        "There is no startxref with a number before the last %%EOF.",
    )
    STARTXREF_WRONG = (
        "pdf-startxref-wrong",
        PdfCheck.STRUCTURE,
        "The last startxref points to no cross-reference section: bytes were lost or added.",
    )
    SECTION_WRONG = (
        "pdf-section-wrong",
        PdfCheck.STRUCTURE,
        "A Prev or XRefStm entry points to no cross-reference section.",
    )
    TRAILER_BROKEN = (
        "pdf-trailer-broken",
        PdfCheck.STRUCTURE,
        "A cross-reference section has no trailer, or no trailer names the catalog.",
    )
    UPDATE_UNFINISHED = (
        "pdf-update-unfinished",
        PdfCheck.STRUCTURE,
        "Objects follow the last %%EOF: an update, or the file itself, was cut short.",
    )
    STARTXREF_OFF = (
        "pdf-startxref-off",
        PdfCheck.STARTXREF,
        "The last startxref misses its cross-reference table by up to three bytes.",
    )
    TABLE_ODD = (
        "pdf-table-odd",
        PdfCheck.ENTRIES,
        "The entries of a cross-reference table are not 20 bytes long.",
    )
    STREAM_LENGTH_WRONG = (
        "pdf-stream-length-wrong",
        PdfCheck.STREAM_LENGTH,
        "A stream's Length is wrong, while all offsets are right.",
    )
    CONTENTS_DAMAGED = (
        "pdf-contents-damaged",
        PdfCheck.CONTENTS,
        "The data of a page's contents is damaged or cut short.",
    )
    UNREADABLE = (
        "pdf-unreadable",
        PdfCheck.PARSE,
        "A strict parser cannot open the file without repairing it.",
    )
    PAGES_BROKEN = (
        "pdf-pages-broken",
        PdfCheck.PARSE,
        "The page tree is damaged, or a page cannot be resolved.",
    )
    OBJECT_DAMAGED = (
        "pdf-object-damaged",
        PdfCheck.STREAMS,
        "An object that no page needs, such as a form field or a heading's tag, cannot be read.",
    )
    STREAM_DAMAGED = (
        "pdf-stream-damaged",
        PdfCheck.STREAMS,
        "A Flate stream's checksum is wrong, or its data cannot be inflated.",
    )


MAX_SECTIONS: Final = 256
"""How many sections are followed, newest first; others are not checked."""
MAX_PASSES: Final = 2
"""How often, on average, a byte may be read while the sections are followed."""
MAX_TRAILER: Final = 1 << 20
"""How much of a trailer or of a cross-reference stream's dictionary is searched: usual ones take
less than a kilobyte, /Index in files of many updates some hundred, and a search holds up all other
threads."""
MAX_READ_TRAILER: Final = 8_192
"""Largest trailer in which strings, comments and inner dictionaries are skipped."""
MAX_AFTER: Final = 65_536
"""Bytes after the last %%EOF that are searched for objects: an update begins with one."""
MAX_OFF: Final = 3
"""Bytes by which the last startxref may miss its table."""
_EOF: Final = b"%%EOF"
_GAP: Final = rb"(?:[\s\0]|%[^\r\n]{0,256}+(?=[\r\n])){0,1024}+"  # white space and comments
_STARTXREF: Final = re.compile(rb"startxref" + _GAP + rb"(\d{1,19})")
_UNMARKED: Final = re.compile(
    rb"startxref" + _GAP + rb"(\d{1,19})[\s\0]{0,1024}%{0,2}(?:E(?:OF?)?)?[\s\0]{0,1024}\Z"
)
_TABLE: Final = re.compile(rb"[\s\0]{0,32}xref[\s\0]{1,32}\d{1,10}[\s\0]{1,32}\d{1,10}")
_STREAM: Final = re.compile(rb"[\s\0]{0,32}\d{1,10}[\s\0]{1,32}\d{1,5}[\s\0]{1,32}obj")
_OTHERS: Final = (
    re.compile(rb"/Prev[\s\0]{0,32}(\d{1,19})"),
    re.compile(rb"/XRefStm[\s\0]{0,32}(\d{1,19})"),
)
_ROOT: Final = re.compile(rb"/Root[\s\0]{0,32}(?:\d|<<)")
_BODY: Final = re.compile(rb"(?:^|[\s\0])\d{1,10}[\s\0]+\d{1,5}[\s\0]+obj\b|\bxref[\s\0]|startxref")
# Strings, of which parentheses within parentheses are a part, and comments (ISO 32000-1, 7.2.3 and
# 7.3.4.2). An unclosed one matches as far as it goes, so that nothing is scanned again.
_TEXT: Final = rb"[^()\\]|\\."
_INNER: Final = rb"\((?:" + _TEXT + rb")*+\)"
_WORDS: Final = re.compile(
    rb"%[^\r\n]*+|\((?:" + _TEXT + rb"|\((?:" + _TEXT + rb"|" + _INNER + rb")*+\))*+\)?+", re.DOTALL
)
_DICTIONARY: Final = re.compile(rb"<<(?:[^<>]|<(?!<)|>(?!>))*+>>")
_DEPTH: Final = 8  # of dictionaries in dictionaries
_PADDING: Final = b"\r\n\t \0\x0c\x1a"


_Section = tuple[int, list[int], bool]
"""Of a cross-reference section: the bytes that were read for it, the offsets of further ones, and
whether it names the catalog."""


class Ending(NamedTuple):
    """The end of a PDF.

    Attributes:
        start: Where the last `startxref` begins.
        offset: The number after it.
        end: Where the last %%EOF ends, or would.
        marked: Whether there is one.
    """

    start: int
    offset: int
    end: int
    marked: bool


def walk_pdf(data: Data) -> Walked:
    """Return where the document ends: after the last %%EOF, padding included.

    Raises:
        BrokenError: The bytes are not a complete PDF.
    """
    _, offset, end, marked = _ending(data)
    findings: tuple[Finding, ...] = ()
    after: Data = b""
    if marked:
        after = data[end:].strip(_PADDING)
        if after and _BODY.search(after[:MAX_AFTER]):
            detail = f"objects follow the last %%EOF at {end}"
            raise BrokenError(PdfReason.UPDATE_UNFINISHED, detail)
    else:
        words = "the last startxref ends the bytes, without a whole %%EOF"
        findings = (Finding.of(Reason.CLOSING_MARK_MISSING, words),)
    off = _follow(data, offset)
    if off:
        findings += (Finding.of(PdfReason.STARTXREF_OFF, f"by {off} bytes"),)
    return (end if after else len(data)), findings


def find_ending(data: Data) -> Ending:
    """Return the end of a PDF. Raises `BrokenError` where there is none."""
    return Ending(*_ending(data))


def _ending(data: Data) -> tuple[int, int, int, bool]:
    """Return the fields of `Ending` as a plain tuple, which is faster: every PDF passes here."""
    end = data.rfind(_EOF)
    start = data.rfind(b"startxref", max(0, end))
    # Nothing but a part of %%EOF may follow: a cut leaves more, or less than the number.
    match = _UNMARKED.match(data, start) if start >= 0 else None
    if match is not None:
        return start, int(match[1]), len(data), False
    start = data.rfind(b"startxref", 0, end) if end >= 0 else -1
    match = _STARTXREF.match(data, start, end) if start >= 0 else None
    if match is None:
        raise BrokenError(PdfReason.STARTXREF_MISSING, "no startxref before the last %%EOF")
    return start, int(match[1]), end + 5, True


def pdf_header(data: Data) -> int:
    """Return where the PDF header begins, or -1."""
    return FORMAT.starts_at(data)


def _follow(data: Data, newest: int) -> int:
    """Follow the sections from the newest to the oldest.

    Returns by how many bytes the newest is off.
    """
    base = 0 if data.startswith(b"%PDF-") else max(pdf_header(data), 0)
    off = 0
    waiting = [newest]
    seen: set[int] = set()
    rooted = False
    left = MAX_PASSES * len(data)
    while waiting and len(seen) < MAX_SECTIONS and left > 0:
        offset = waiting.pop()
        if offset in seen:
            continue  # a loop is odd, but readers stop at it too
        section = _section(data, offset, base)
        if section is None and not seen and (off := distance(data, offset, base)):
            section = _section(data, offset + off, base)
        if section is None:
            reason = PdfReason.SECTION_WRONG if seen else PdfReason.STARTXREF_WRONG
            raise BrokenError(reason, f"no section at offset {offset} of {len(data)} bytes")
        seen.add(offset)
        length, others, names_catalog = section
        rooted |= names_catalog
        left -= length
        waiting += others
    if not rooted:
        raise BrokenError(PdfReason.TRAILER_BROKEN, "no trailer names the catalog")
    return off


def distance(data: Data, offset: int, base: int) -> int:
    """Return how far a table is from the `offset` of startxref, which readers look around."""
    for at in (offset, offset + base) if base else (offset,):
        if at < len(data) and (_TABLE.match(data, at) or _STREAM.match(data, at)):
            return 0
    for at in (offset, offset + base) if base else (offset,):
        nearby = data.find(b"xref", max(at - MAX_OFF, 0), at + MAX_OFF + 4)
        if nearby > 0 and data[nearby - 1] in b"\n\r ":
            return nearby - at
    return 0


def _section(data: Data, offset: int, base: int) -> _Section | None:
    """Return the section at `offset`, counted from the first byte or from the header."""
    for at in (offset, offset + base) if base else (offset,):
        if at >= len(data):
            continue
        if _TABLE.match(data, at):
            trailer = data.find(b"trailer", at)
            if trailer < 0:
                raise BrokenError(PdfReason.TRAILER_BROKEN, f"no trailer after the table at {at}")
            end = data.find(b"startxref", trailer)
            end = end if end >= 0 else len(data)
            return _read_section(data, trailer, end, length=end - at)
        if _STREAM.match(data, at):
            end = data.find(b"stream", at, at + MAX_TRAILER)
            if end >= 0 and data.find(b"/XRef", at, end) >= 0:
                return _read_section(data, at, end, length=end - at)
    return None


def _read_section(data: Data, start: int, end: int, *, length: int) -> _Section:
    end = min(end, start + MAX_TRAILER)
    if end - start <= MAX_READ_TRAILER and not _is_plain(data, start, end):
        data = _top_level(data[start:end])
        start, end = 0, len(data)
    # The first of a name counts. Some writers say /Prev 0 for "none".
    found = (pattern.search(data, start, end) for pattern in _OTHERS)
    others = [at for at in (int(match[1]) for match in found if match) if at]
    return length, others, _ROOT.search(data, start, end) is not None


def _is_plain(data: Data, start: int, end: int) -> bool:
    """Whether a trailer has neither strings in parentheses nor comments nor inner dictionaries."""
    return (
        data.find(b"(", start, end) < 0
        and data.find(b"%", start, end) < 0
        and data.count(b"<<", start, end) == 1
    )


def _top_level(trailer: Data) -> Data:
    """Return a trailer without its strings and comments, and with 0 for each inner dictionary."""
    text = _WORDS.sub(b" ", trailer[trailer.find(b"<<") + 2 :])
    for _ in range(_DEPTH):
        text, found = _DICTIONARY.subn(b" 0 ", text)
        if not found:
            break
    return text


FORMAT: Final = Format(
    name="PDF",
    media_type="application/pdf",
    extension="pdf",
    signature=rb"%PDF-",
    leading=1023,  # annex H, implementation note 13: the header may come within the first 1024
    end_mark=b"%%EOF",
    walk=walk_pdf,
    decoder="docwarden.integrity.deep.decode_pdf:decode_pdf",
    decode_small=decode_small_pdf,
    decode_check=PdfCheck.PARSE,
    checks=PdfCheck,
    reasons=PdfReason,
)
