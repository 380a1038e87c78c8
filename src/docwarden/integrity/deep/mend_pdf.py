"""Corrects mistakes of PDF writers that every reader tolerates, in place.

A parser that repairs files would hide what docwarden is there to find. So the strict parser
decides, and gets a copy in which only these mistakes are corrected, without moving any offset. Any
other fault remains.

Source: ISO 32000-1, 7.3.8.1 (the length of a stream), 7.5.4 (entries of 20 bytes).
"""

import re
from typing import Final

from docwarden.integrity.formats.pdf import PdfReason
from docwarden.integrity.record import Failures

MAX_STREAMS: Final = 20_000
MAX_TABLES: Final = 256
MAX_HEAD: Final = 4_096
"""Bytes before the word `stream` that are searched for its dictionary."""

_TABLE: Final = re.compile(rb"(?<![a-z])xref\s+(?=\d)")
_SUBSECTION: Final = re.compile(rb"(\d{1,10})\s+(\d{1,7})\s+")
_ENTRY: Final = re.compile(rb"(\d{10})\s(\d{5})\s([nf])\s{1,4}")
_STREAM: Final = re.compile(rb">>\s{0,8}stream\r?\n")
_LENGTH: Final = re.compile(rb"/Length\s{1,8}(\d{1,10})(?!\d|\s+\d+\s+R)")
_END: Final = re.compile(rb"\s{0,2}endstream")
_FURTHER_END: Final = re.compile(rb"\r?\n?endstream")


def mend(data: bytes) -> tuple[bytes, Failures]:
    """Return a copy of a PDF without these mistakes, and those that were found."""
    mended = bytearray(data)
    found: Failures = []
    tables = _mend_tables(data, mended)
    if tables:
        found.append((PdfReason.TABLE_ODD, f"{tables} tables"))
    lengths = _mend_lengths(data, mended)
    if lengths:
        found.append((PdfReason.STREAM_LENGTH_WRONG, f"{lengths} streams"))
    return bytes(mended), found


def _mend_tables(data: bytes, mended: bytearray) -> int:
    """Rewrite the tables whose entries do not take 20 bytes. Returns their number."""
    count = 0
    for number, start in enumerate(_TABLE.finditer(data)):
        if number >= MAX_TABLES:
            break
        written, end = _written(data, start.end())
        length = end - start.start()
        if written and b"xref\n" + written != data[start.start() : end]:
            if len(written) + 5 > length:
                continue  # shorter entries: the parser reads those
            mended[start.start() : end] = (b"xref\n" + written).ljust(length)
            count += 1
    return count


def _written(data: bytes, at: int) -> tuple[bytes, int]:
    """Return the subsections at `at` in their proper form, and where they end."""
    parts: list[bytes] = []
    while (head := _SUBSECTION.match(data, at)) is not None:
        at = head.end()
        entries = []
        for _ in range(int(head[2])):
            entry = _ENTRY.match(data, at)
            if entry is None:
                return b"", at
            entries.append(b"%b %b %b \n" % entry.groups())
            at = entry.end()
        parts += (b"%b %b\n" % head.groups(), *entries)
    return b"".join(parts), at


def _mend_lengths(data: bytes, mended: bytearray) -> int:
    """Correct the lengths that do not lead to `endstream`. Returns their number."""
    count = 0
    for number, stream in enumerate(_STREAM.finditer(data)):
        if number >= MAX_STREAMS:
            break
        head = max(0, stream.start() - MAX_HEAD, data.rfind(b"obj", 0, stream.start()))
        found = [*_LENGTH.finditer(data, head, stream.start())]
        start = stream.end()
        if len(found) != 1 or _END.match(data, start + int(found[0][1])):
            continue
        end = _FURTHER_END.search(data, start)
        if end is None:
            continue
        right = b"%d" % (end.start() - start)
        wrong = found[0]
        room = wrong.end(1) - wrong.start(1)
        if len(right) <= room:
            mended[wrong.start(1) : wrong.end(1)] = right.rjust(room)
            count += 1
    return count
