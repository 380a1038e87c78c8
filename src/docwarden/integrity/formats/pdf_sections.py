"""Locates the objects of a plain PDF by its only cross-reference section.

Source: ISO 32000-1, 7.5.4 (table), 7.5.5 (trailer), 7.5.8 (stream).
"""

import re
from collections.abc import Callable
from typing import Final

from docwarden.integrity.formats.pdf_objects import (
    SPACE,
    Dictionary,
    NotPlainError,
    array,
    dictionary,
    entries,
    integer,
    matched,
)

MAX_OBJECTS: Final = 256
FREE: Final = 0
AT_OFFSET: Final = 1
IN_STREAM: Final = 2

_ENDING: Final = re.compile(rb"startxref\s{1,4}(\d{1,6})\s{1,4}%%EOF\s{0,4}\Z")
_ENDING_BYTES: Final = 64
_TABLE: Final = re.compile(
    rb"xref ?\r?\n0 (\d{1,3}) ?\r?\n((?:\d{10} \d{5} [nf](?: \r| \n|\r\n))++)trailer"
    + SPACE
    + rb"{0,4}(?=<<)"
)
_ENTRY: Final = 20
_STARTXREF: Final = re.compile(SPACE + rb"{1,4}startxref")
_NUMBER: Final = re.compile(rb"(\d{1,4}) ")
_FIELDS: Final = 3
_FIELD_BYTES: Final = 4
_ELSEWHERE: Final = frozenset((b"/Prev", b"/XRefStm", b"/Encrypt"))
_PREDICTORS: Final = range(10, 16)  # those of PNG: each row names its own
_UP: Final = 2


Row = tuple[int, int, int]
"""Where an object is: `FREE`, `AT_OFFSET` with the offset and the generation, or `IN_STREAM` with
the number of the object stream and the index in it."""

Section = tuple[list[Row], Dictionary]
"""The rows by object number, and the trailer."""


def locate(data: bytes, stream_at: Callable[[int], tuple[Dictionary, bytes]]) -> Section:
    """Return where a file's objects are.

    Args:
        data: The file.
        stream_at: Reads the stream at an offset: its dictionary and what it inflates to.

    Raises:
        NotPlainError: There is more than one section, or it is not plain.
    """
    ending = _ENDING.search(data, max(0, len(data) - _ENDING_BYTES))
    if ending is None or not data.startswith(b"%PDF-1."):
        raise NotPlainError
    offset = int(ending[1])
    table = _TABLE.match(data, offset)
    if table is None:
        trailer, inflated = stream_at(offset)
        rows = _stream_rows(trailer, inflated)
        # After a lost byte, "12 0 obj" would be read as "2 0 obj": compare with its own row.
        number = int(matched(_NUMBER, data, offset)[1])
        if number >= len(rows) or rows[number][:2] != (AT_OFFSET, offset):
            raise NotPlainError
    else:
        rows = _table_rows(table)
        trailer, end = entries(data, table.end())
        matched(_STARTXREF, data, end)
    if trailer.get(b"/Size") != len(rows) or not _ELSEWHERE.isdisjoint(trailer):
        raise NotPlainError
    return rows, trailer


def _table_rows(table: re.Match[bytes]) -> list[Row]:
    written = table[2]
    if len(written) != _ENTRY * int(table[1]) or len(written) > _ENTRY * MAX_OBJECTS:
        raise NotPlainError
    return [
        (
            AT_OFFSET if written[at + 17] == ord("n") else FREE,
            int(written[at : at + 10]),
            int(written[at + 11 : at + 16]),
        )
        for at in range(0, len(written), _ENTRY)
    ]


def _stream_rows(trailer: Dictionary, data: bytes) -> list[Row]:
    """Return the rows of a cross-reference stream."""
    size = integer(trailer.get(b"/Size"))
    widths = [integer(each) for each in array(trailer.get(b"/W"))]
    if (
        trailer.get(b"/Type") != b"/XRef"
        or (b"/Index" in trailer and array(trailer[b"/Index"]) != [0, size])
        or len(widths) != _FIELDS
        or widths[0] != 1
        or not all(0 <= each <= _FIELD_BYTES for each in widths)
        or not 0 < size <= MAX_OBJECTS
    ):
        raise NotPlainError
    width = sum(widths)
    data = _without_predictor(trailer, data, width)
    if len(data) != size * width:
        raise NotPlainError
    middle = 1 + widths[1]
    return [
        (
            data[at],
            int.from_bytes(data[at + 1 : at + middle], "big"),
            int.from_bytes(data[at + middle : at + width], "big"),
        )
        for at in range(0, len(data), width)
    ]


def _without_predictor(trailer: Dictionary, data: bytes, width: int) -> bytes:
    if b"/DecodeParms" not in trailer:
        return data
    parameters = dictionary(trailer[b"/DecodeParms"])
    if (
        not parameters.keys() <= {b"/Columns", b"/Predictor"}
        or parameters.get(b"/Predictor") not in _PREDICTORS
        or parameters.get(b"/Columns") != width
        or len(data) % (width + 1)
    ):
        raise NotPlainError
    above = bytes(width)
    rows = []
    for at in range(0, len(data), width + 1):
        if data[at] != _UP:
            raise NotPlainError
        row = data[at + 1 : at + 1 + width]
        above = bytes([(one + other) & 255 for one, other in zip(row, above, strict=True)])
        rows.append(above)
    return b"".join(rows)
