"""Proof that a plain PDF is intact, without the strict parser and its process.

It proves what tier 3 requires of a file: every page with its contents, fonts and images is where
the file says, and the data of the contents inflates to its end. A file that is large, or has
anything unusual in it, is not judged here. What is proven here must pass tier 3 as well, though not
the other way round; tests/unit/integrity/test_pdf_plain.py compares the two.

Source: ISO 32000-1, 7.3.8 (streams), 7.5.7 (object streams), 7.7.3 (page tree).
"""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from zlib_ng import zlib_ng

from docwarden.integrity.formats.pdf_objects import (
    SPACE,
    Dictionary,
    NotPlainError,
    Value,
    array,
    dictionary,
    entries,
    integer,
    matched,
    parse,
    reference,
)
from docwarden.integrity.formats.pdf_sections import AT_OFFSET, IN_STREAM, Row, locate
from docwarden.integrity.record import Failures
from docwarden.integrity.verdict import Data

MAX_BYTES: Final = 64 << 10
MAX_PAGES: Final = 64
MAX_NESTED: Final = 4
"""Depth of objects that need others: a length for its stream, an object stream for its objects."""
MAX_INFLATED: Final = 256 << 10
"""Bytes that the streams of one file may inflate to."""
_PER_STREAM: Final = 1 << 10
"""Added to the bytes of each, for its fixed cost."""
TIER: Final = 3

_HEADER: Final = re.compile(
    rb"(\d{1,4}) (\d{1,5}) obj(?:" + SPACE + rb"{1,4}(?=\d)|" + SPACE + rb"{0,4}(?=[<\[]))"
)
_AFTER: Final = re.compile(SPACE + rb"{0,4}(?:endobj" + SPACE + rb"|(stream)\r?\n)")
_AFTER_STREAM: Final = re.compile(rb"\r?\n?endstream" + SPACE + rb"{1,4}endobj" + SPACE)
_PAIR: Final = re.compile(rb"(\d{1,4}) (\d{1,6})" + SPACE)
_ZLIB_HEADER: Final = 2
_INFLATE_ERROR: Final[type[Exception]] = zlib_ng.error  # type: ignore[assignment]
_FLATE: Final = b"/FlateDecode"
_OF_OBJECT_STREAM: Final = frozenset((b"/Type", b"/N", b"/First", b"/Length", b"/Filter"))

_Unpacked = tuple[bytes, dict[tuple[int, int], int]]
"""The inflated bytes of an object stream, and where its objects begin, by number and index."""


class _Stream(NamedTuple):
    dictionary: Dictionary
    raw: bytes


def decode_small_pdf(data: Data, tier: int) -> Failures | None:
    """Return no failures if a small PDF is proven intact, None if that is unsure."""
    if len(data) > MAX_BYTES or tier != TIER:
        return None
    try:
        _Document(bytes(data)).prove()
    except (NotPlainError, _INFLATE_ERROR):
        return None
    return []


_Object = Value | Dictionary | _Stream


def _object(data: bytes, at: int) -> tuple[Value | Dictionary, int]:
    """Return the object at `at`, a dictionary as its entries, and where it ends."""
    return entries(data, at) if data.startswith(b"<<", at) else parse(data, at)


class _Document:
    """One file: the offsets of its objects, and those read so far.

    Raises:
        NotPlainError: Something is not plain, or wrong.
        zlib_ng.error: A stream does not inflate.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._left = MAX_INFLATED
        self._nested = 0
        # None for one that is being read, to detect cycles.
        self._known: dict[int, _Object] = {}
        self._unpacked: dict[int, _Unpacked] = {}
        self._proven: set[Value] = set()
        self._rows: list[Row] = []  # empty while the section is read
        self._rows, self._trailer = locate(data, self._inflated_at)

    def prove(self) -> None:
        """Read all that tier 3 reads."""
        catalog = dictionary(self._get(self._trailer.get(b"/Root")))
        if catalog.get(b"/Type") != b"/Catalog":
            raise NotPlainError
        waiting: list[Value] = [catalog.get(b"/Pages")]
        seen: set[Value] = set()
        pages = 0
        while waiting:
            node_at = reference(waiting.pop())
            node = dictionary(self._get(node_at))
            kids = node.get(b"/Kids")
            pages += kids is None
            if node_at in seen or pages > MAX_PAGES or len(seen) > 2 * MAX_PAGES:
                raise NotPlainError
            seen.add(node_at)
            if node.get(b"/Type") != (b"/Page" if kids is None else b"/Pages"):
                raise NotPlainError
            self._prove_resources(node)
            self._prove_contents(node)
            if kids is not None:
                waiting += array(self._resolved(kids))
        if not pages:
            raise NotPlainError

    def _prove_resources(self, node: Dictionary) -> None:
        for resources in self._once(node.get(b"/Resources")):
            for kind in (b"/Font", b"/XObject"):
                for named in self._once(resources.get(kind)):
                    for each in named.values():
                        self._get(each)

    def _once(self, value: Value) -> Iterator[Dictionary]:
        """Yield a dictionary, unless it is missing or an earlier page had it."""
        if value is not None and value not in self._proven:
            self._proven.add(value)
            yield dictionary(self._resolved(value))

    def _prove_contents(self, node: Dictionary) -> None:
        if b"/Contents" not in node:
            return
        contents = node[b"/Contents"]
        for part in [contents] if isinstance(contents, tuple) else array(contents):
            stream = self._get(part)
            if not isinstance(stream, _Stream):
                raise NotPlainError
            if b"/Filter" in stream.dictionary:
                named = stream.dictionary[b"/Filter"]
                if named != _FLATE and array(named) != [_FLATE]:
                    raise NotPlainError
                if not stream.raw:
                    continue  # qpdf writes the contents of a blank page like this
                # Readers ignore the checksum, the four bytes after the data.
                self._inflate(stream.raw[_ZLIB_HEADER:], -zlib_ng.MAX_WBITS)

    def _inflate(self, raw: bytes, window: int) -> bytes:
        """Inflate all of the data, within what is left of the budget."""
        inflater = zlib_ng.decompressobj(window)
        data: bytes = inflater.decompress(raw, self._left)
        self._left -= _PER_STREAM + len(data)
        if not inflater.eof or self._left <= 0:
            raise NotPlainError
        return data

    # --- objects

    def _get(self, value: object) -> _Object:
        """Return the object that a reference names."""
        number, generation = reference(value)
        if number not in self._known:
            if self._nested >= MAX_NESTED:
                raise NotPlainError
            self._nested += 1  # not restored on errors, which end the proof
            self._known[number] = None
            self._known[number] = self._read(number, generation)
            self._nested -= 1
        found = self._known[number]
        if found is None:
            raise NotPlainError
        return found

    def _resolved(self, value: Value) -> _Object:
        return self._get(value) if isinstance(value, tuple) else value

    def _read(self, number: int, generation: int) -> _Object:
        if not 0 < number < len(self._rows):
            raise NotPlainError
        kind, where, more = self._rows[number]
        if kind == AT_OFFSET and more == generation:
            return self._read_at(where, (number, generation))
        if kind != IN_STREAM or generation:
            raise NotPlainError
        if where not in self._unpacked:
            self._unpacked[where] = self._unpack(where)
        data, starts = self._unpacked[where]
        start = starts.get((number, more), -1)
        if start < 0:
            raise NotPlainError
        return _object(data, start)[0]

    def _read_at(self, offset: int, expected: tuple[int, int] | None = None) -> _Object:
        data = self._data
        header = _HEADER.match(data, offset)
        if header is None or (expected and (int(header[1]), int(header[2])) != expected):
            raise NotPlainError
        about, end = _object(data, header.end())
        after = matched(_AFTER, data, end)
        if after[1] is None:
            return about
        about = dictionary(about)
        length = about.get(b"/Length")
        size = integer(self._get(length) if isinstance(length, tuple) else length)
        start = after.end()
        if size < 0 or b"/F" in about:
            raise NotPlainError
        matched(_AFTER_STREAM, data, start + size)
        return _Stream(about, data[start : start + size])

    def _inflated_at(self, offset: int) -> tuple[Dictionary, bytes]:
        return self._inflated(self._read_at(offset))

    def _inflated(self, stream: _Object) -> tuple[Dictionary, bytes]:
        """Return the dictionary of a stream, and its inflated data, checksum included."""
        if not isinstance(stream, _Stream):
            raise NotPlainError
        data = stream.raw
        if b"/Filter" in stream.dictionary:
            if stream.dictionary[b"/Filter"] != _FLATE:
                raise NotPlainError
            data = self._inflate(data, zlib_ng.MAX_WBITS)
        return stream.dictionary, data

    def _unpack(self, number: int) -> _Unpacked:
        """Unpack an object stream, in which everything must be plain."""
        if not 0 < number < len(self._rows) or self._rows[number][0] != AT_OFFSET:
            raise NotPlainError
        about, data = self._inflated(self._get((number, 0)))
        count, first = integer(about.get(b"/N")), integer(about.get(b"/First"))
        if about.get(b"/Type") != b"/ObjStm" or not about.keys() <= _OF_OBJECT_STREAM:
            raise NotPlainError
        starts: dict[tuple[int, int], int] = {}
        at = end = 0
        for place in range(count):
            pair = matched(_PAIR, data, at)
            at = pair.end()
            start = first + int(pair[2])
            if start < end:
                raise NotPlainError
            _, end = parse(data, start)
            starts[int(pair[1]), place] = start
        if at > first:
            raise NotPlainError
        return data, starts
