"""Answers whose HTTP is wrong, odd, or right but rare."""

import itertools

from docwarden.simulator.faults.fault import Fault
from docwarden.simulator.steps import End, Exchange, Steps

_PIECE = 64 * 1024  # bytes sent at a time
_CHUNKED = "Transfer-Encoding: chunked"


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _length_short(exchange: Exchange, count: float) -> Steps:
    body = exchange.body
    yield exchange.sized_head(max(0, len(body) - int(count))) + exchange.content(body)


def _length_long(exchange: Exchange, count: float) -> Steps:
    yield exchange.sized_head(len(exchange.body) + int(count)) + exchange.content(exchange.body)
    yield End.CLOSE


def _close_delimited(exchange: Exchange, share: float) -> Steps:
    head = exchange.head().replace(b"HTTP/1.1", b"HTTP/1.0", 1)
    yield head + exchange.content(exchange.body[: int(len(exchange.body) * share)])
    yield End.CLOSE


def _chunked(exchange: Exchange, size: float) -> Steps:
    step = max(1, int(size))
    body = exchange.content(exchange.body)
    pieces = [_chunk(body[start : start + step]) for start in range(0, len(body), step)]
    yield exchange.head(_CHUNKED) + b"".join(pieces) + exchange.content(b"0\r\n\r\n")


def _chunked_cut(exchange: Exchange, share: float) -> Steps:
    body = exchange.body[: int(len(exchange.body) * share)]
    yield exchange.head(_CHUNKED) + exchange.content(_chunk(body))
    yield End.CLOSE


def _bad_chunk(exchange: Exchange, _: float) -> Steps:
    yield exchange.head(_CHUNKED) + exchange.content(_chunk(exchange.body[:1000]) + b"xyz\r\nabc")
    yield End.CLOSE


def _endless_chunked(exchange: Exchange, _: float) -> Steps:
    yield exchange.head(_CHUNKED)
    yield from itertools.repeat(_chunk(bytes(_PIECE)))


def _endless_headers(exchange: Exchange, _: float) -> Steps:
    yield exchange.head(end=False)
    for number in itertools.count():
        yield b"".join(b"X-Filler-%d-%d: %0100d\r\n" % (number, i, 0) for i in range(100))


def _huge_header(exchange: Exchange, size: float) -> Steps:
    yield exchange.head(end=False) + b"X-Filler: "
    yield from _filler(int(size), b"a")
    yield b"\r\nContent-Length: %d\r\n\r\n" % len(exchange.body) + exchange.content(exchange.body)


def _many_headers(exchange: Exchange, count: float) -> Steps:
    fields = [f"X-Filler-{number}: {number}" for number in range(int(count))]
    yield exchange.answer(exchange.body, *fields)


def _oversize(exchange: Exchange, size: float) -> Steps:
    yield exchange.sized_head(int(size))
    yield from _large(exchange, int(size))


def _oversize_undeclared(exchange: Exchange, size: float) -> Steps:
    yield exchange.head("Connection: close")
    yield from _large(exchange, int(size))
    yield End.CLOSE


def _garbage(_: Exchange, size: float) -> Steps:
    yield from _filler(int(size), b"\x16\x03\x01\x00 not HTTP at all \xff\r\n")
    yield End.CLOSE


def _bad_status_line(exchange: Exchange, _: float) -> Steps:
    yield exchange.normal().replace(b"HTTP/1.1 200 OK", b"HTTP/1.1 abc OK", 1)
    yield End.CLOSE


def _conflicting_lengths(exchange: Exchange, _: float) -> Steps:
    other = f"Content-Length: {len(exchange.body) // 2}"
    yield exchange.answer(exchange.body, other)


def _length_and_chunked(exchange: Exchange, _: float) -> Steps:
    head = exchange.sized_head(len(exchange.body), _CHUNKED)
    yield head + exchange.content(_chunk(exchange.body) + b"0\r\n\r\n")


def _continue(exchange: Exchange, count: float) -> Steps:
    yield b"HTTP/1.1 100 Continue\r\n\r\n" * int(count) + exchange.normal()


def _early_hints(exchange: Exchange, count: float) -> Steps:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n"
    yield hint * int(count) + exchange.normal()


def _large(exchange: Exchange, size: int) -> Steps:
    if not exchange.head_only:
        yield exchange.body[:size]
        yield from _filler(size - len(exchange.body), b"\0")


def _filler(size: int, pattern: bytes) -> Steps:
    piece = (pattern * (_PIECE // len(pattern) + 1))[:_PIECE]
    for _ in range(size // _PIECE if size > 0 else 0):
        yield piece
    yield piece[: max(0, size) % _PIECE]


FAULTS = (
    Fault(
        "length-short",
        "declares this many bytes fewer than it sends",
        _length_short,
        "count",
        "16",
    ),
    Fault("length-long", "declares this many bytes more, then closes", _length_long, "count", "16"),
    Fault(
        "close-delimited",
        "HTTP/1.0 without a length, ended by closing; a share below 1 cuts the document",
        _close_delimited,
        "share",
        "1",
    ),
    Fault("chunked", "valid chunks of this size", _chunked, "bytes", "4096"),
    Fault("chunked-cut", "closes before the last chunk", _chunked_cut, "share", "0.5"),
    Fault("bad-chunk", "a chunk size that is not a number", _bad_chunk),
    Fault("endless-chunked", "endless chunks", _endless_chunked),
    Fault("endless-headers", "endless header fields", _endless_headers),
    Fault("huge-header", "one header field of this size", _huge_header, "bytes", "1MiB"),
    Fault("many-headers", "this many header fields", _many_headers, "count", "10000"),
    Fault("oversize", "declares and sends this many bytes", _oversize, "bytes", "64MiB"),
    Fault(
        "oversize-undeclared",
        "sends this many bytes without declaring them",
        _oversize_undeclared,
        "bytes",
        "64MiB",
    ),
    Fault("garbage", "bytes that are not HTTP", _garbage, "bytes", "256"),
    Fault("bad-status-line", "a status line without a status", _bad_status_line),
    Fault("conflicting-lengths", "two different `Content-Length` fields", _conflicting_lengths),
    Fault(
        "length-and-chunked",
        "`Content-Length` and `Transfer-Encoding` together",
        _length_and_chunked,
    ),
    Fault("continue", "this many `100 Continue` before the response", _continue, "count", "1"),
    Fault(
        "early-hints",
        "this many `103 Early Hints` before the response",
        _early_hints,
        "count",
        "1",
    ),
)
