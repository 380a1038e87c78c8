"""Parses the requests of one client connection.

Strict where leniency allows request smuggling (RFC 9112 sections 3.2, 5.2, 6.3): exactly one
Host, no folded lines, no bare LF, no Content-Length beside Transfer-Encoding. Anything else
is answered with 400 and the connection is closed, as the end of such a request is ambiguous.

Everything that a client may send has a limit: empty lines before a request, its head, its body and
what frames the body (chunk sizes, extensions, trailers).

llhttp validates every byte, but rejects methods that it does not know. Any token is a valid method
(RFC 9110 section 9.1), so it is given PUT for those. It only signals the end of a head: splitting
the lines in one go costs a third of a callback for each. Clients repeat themselves: header fields
that equal those of the previous request, after a plain request line, are not parsed again.
"""

import re
from collections import deque
from random import Random
from typing import Final

import httptools

from docwarden.core.errors import Cause, Failure
from docwarden.core.reasons import FailureReason
from docwarden.core.request import READ_FIELDS, Request
from docwarden.net.heads import END, end_of_split_head

# A client that sends more requests than this without reading answers is no browser.
MAX_PIPELINED: Final = 64
# A body has no meaning in GET (RFC 9110 section 9.3.1); a small one is skipped.
MAX_BODY_BYTES: Final = 64 * 1024
# Chunk sizes, their extensions, and trailers of such a body.
MAX_FRAMING_BYTES: Final = 16 * 1024
# Empty lines before a request are ignored, at least one of them (RFC 9112 section 2.2).
MAX_EMPTY_BYTES: Final = 64
# Bytes of header fields that are remembered, for each connection.
MAX_REPEATED: Final = 1024
_PLAIN_LINE: Final = re.compile(rb"GET (/[A-Za-z0-9._~-]{0,64}) HTTP/1\.1")
_LONGEST_PLAIN_LINE: Final = 4 + 65 + 9
_METHOD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ")
_PARTIAL_METHOD: Final = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
# What llhttp gets as sent; it parses the targets of CONNECT and TRACE differently.
_KNOWN_METHODS: Final = frozenset(
    (b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"TRACE", b"CONNECT")
)
# uri-host [ ":" port ] (RFC 9110 section 7.2, RFC 3986 section 3.2.2).
_HOST: Final = re.compile(
    rb"(?:[A-Za-z0-9._~!$&'()*+,;=%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?"
)
CLOSE: Final = b"Connection: close\r\n"
_KEEP: Final = b"Connection: keep-alive\r\n"


Pending = tuple[Request, Failure | None, bytes, bool]
"""A parsed request, why it is refused, the Connection line of its answer, and whether the
connection is kept alive after it."""


class RequestReader:
    """Parses requests, and refuses an invalid one, after which it reads no more.

    Attributes:
        pending: parsed requests that wait to be served.
        last: whether no request is read after those.
        began: monotonic time of the first byte of a head that arrived in pieces.
    """

    __slots__ = (
        "_body_bytes", "_body_left", "_client", "_complete", "_empty_bytes", "_fields", "_head",
        "_header_bytes", "_keep", "_kept", "_knows_method", "_parser", "_random", "_repeated",
        "_with_body", "began", "last", "pending",
    )  # fmt: skip

    def __init__(
        self,
        client: str,
        header_bytes: int,
        random: Random,
        kept_fields: frozenset[bytes] = READ_FIELDS,
    ) -> None:
        self._client = client
        self._header_bytes = header_bytes
        self._random = random
        self._kept = kept_fields
        self._parser = httptools.HttpRequestParser(self)
        self._head = bytearray()
        self._complete = False
        self._keep = False
        self._with_body: Request | None = None
        self._body_bytes = 0
        # Bytes of the body and its framing that are still allowed.
        self._body_left = MAX_BODY_BYTES + MAX_FRAMING_BYTES
        self._empty_bytes = 0
        self._knows_method = False
        # What followed the last request line, and the fields parsed from it; empty where they
        # must not be reused.
        self._repeated = b""
        self._fields: dict[bytes, bytes] = {}
        self.pending: deque[Pending] = deque()
        self.last = False
        self.began = 0.0

    @property
    def in_request(self) -> bool:
        """Whether a request has been received in part."""
        return bool(self._head) or self._with_body is not None

    def feed(self, data: bytes, now: float, wall: float) -> None:
        """Parse data received at `now` (monotonic seconds) and `wall` (epoch seconds)."""
        repeated = self._repeated
        size = len(repeated)
        if size and data[-size:] == repeated and not self._head:
            line = _PLAIN_LINE.fullmatch(data[:-size])
            if line is not None and not self.pending:
                # By position: names would cost each request a dictionary.
                path = line[1].decode("ascii")
                request = Request("GET", path, self._fields, self._client, now, wall, self._random)
                self.pending.append((request, None, b"", True))
                self._empty_bytes = 0
                return
        try:
            if self._with_body is None:
                self._read_heads(data, now, wall)
            else:
                self._read_body(data)
        except Failure as failure:
            self.refuse(failure, now, wall)
        except httptools.HttpParserUpgrade:
            # After a body, whose request is the last one.
            self.refuse(Failure(Cause.MALFORMED), now, wall)
        except httptools.HttpParserError as error:
            inner = error.__context__
            self.refuse(
                inner if isinstance(inner, Failure) else Failure(Cause.MALFORMED), now, wall
            )

    def refuse(self, failure: Failure, now: float, wall: float) -> None:
        """Queue a refusal after the pending requests, and read no more."""
        if self.last:
            return
        self.last = True
        self._head.clear()
        request = self._with_body or Request(
            "GET", "*", {}, client=self._client, started=now, wall=wall, random=self._random
        )
        self.pending.append((request, failure, CLOSE, False))

    def _read_heads(self, data: bytes, now: float, wall: float) -> None:
        start = 0
        while start < len(data) and not self.last and self._with_body is None:
            if not self._head:
                start = self._skip_empty_lines(data, start)
            end = self._end_of_head(data, start)
            piece = data[start:end] if end else data[start:]
            start += len(piece)
            if piece:
                self._read_piece(piece, now, wall, ends=bool(end))
        if self._with_body is not None and start < len(data):
            self._read_body(data[start:])

    def _end_of_head(self, data: bytes, start: int) -> int:
        """Return where the head at `start` ends, 0 if it is incomplete."""
        if self._head:
            end = end_of_split_head(self._head, data[start:])
            return start + end if end else 0
        at = data.find(END, start)
        return at + len(END) if at >= 0 else 0

    def _read_piece(self, piece: bytes, now: float, wall: float, *, ends: bool) -> None:
        """Read part of a head, or all of it."""
        if len(self._head) + len(piece) > self._header_bytes:
            raise Failure(Cause.HEAD_TOO_LARGE)
        self._complete = upgrade = False
        try:
            self._feed_parser(piece)
        except httptools.HttpParserUpgrade:
            upgrade = True
        if not ends:
            if not self._head:
                self.began = now
            self._head += piece
            return
        if self._head:
            piece = bytes(self._head) + piece
            self._head.clear()
        self._take_head(piece, now, wall)
        if upgrade:
            self._refuse_upgrade()

    def _skip_empty_lines(self, data: bytes, start: int) -> int:
        """Return where in `data` a request may begin.

        A lone CR or LF counts as an empty line too, as it does for llhttp.
        """
        end = start
        while end < len(data) and data[end] in b"\r\n":
            end += 1
            self._empty_bytes += 1
            if self._empty_bytes > MAX_EMPTY_BYTES:
                raise FailureReason.TOO_MANY_EMPTY_LINES.failure()
        return end

    def _feed_parser(self, piece: bytes) -> None:
        """Feed llhttp a piece of a head, with PUT for a method that it does not know."""
        if self._knows_method:
            self._parser.feed_data(piece)
            return
        begun = bytes(self._head) + piece
        match = _METHOD.match(begun)
        if match is not None:
            self._knows_method = True
            method = match[1]
            judged = begun if method in _KNOWN_METHODS else b"PUT" + begun[len(method) :]
            self._parser.feed_data(judged)
        elif not _PARTIAL_METHOD.fullmatch(begun):
            raise Failure(Cause.MALFORMED)

    def _read_body(self, data: bytes) -> None:
        piece = data[: self._body_left]
        self._body_left -= len(piece)
        self._parser.feed_data(piece)
        if len(piece) < len(data) and not self.last:
            raise FailureReason.REQUEST_BODY_TOO_LARGE.failure()

    def _take_head(self, head: bytes, now: float, wall: float) -> None:
        self._repeated = b""
        self._knows_method = False
        self._empty_bytes = 0
        lines = head.split(b"\r\n")
        method, _, rest = lines[0].partition(b" ")
        target, _, version = rest.partition(b" ")
        fields, hosts = _fields_of(lines[1:-2], self._kept)
        request = Request(
            method.decode("latin-1"), _path_of(target), fields,
            client=self._client, started=now, wall=wall, random=self._random,
        )  # fmt: skip
        old = version == b"HTTP/1.0"
        if not old and version != b"HTTP/1.1":
            reason = FailureReason.HTTP_VERSION
        elif (hosts != 1 or not _HOST.fullmatch(fields[b"host"])) and (hosts or not old):
            reason = FailureReason.HOST_HEADER
        elif len(self.pending) >= MAX_PIPELINED:
            reason = FailureReason.TOO_MANY_PIPELINED
        elif self._complete:
            connection = CLOSE if not self._keep else _KEEP if old else b""
            self.pending.append((request, None, connection, self._keep))
            repeatable = method == b"GET" and not old and self._keep
            longest = min(MAX_REPEATED, self._header_bytes - _LONGEST_PLAIN_LINE)
            if repeatable and len(head) - len(lines[0]) <= longest:
                self._repeated, self._fields = head[len(lines[0]) :], fields
            return
        elif fields.get(b"expect", b"").lower() == b"100-continue":
            # The client holds its body back, and it is not needed: this is the last request, and
            # its answer says so (RFC 9110 section 10.1.1).
            self.last = True
            self.pending.append((request, None, CLOSE, False))
            return
        else:
            self._with_body = request
            self.began = now
            return
        self.last = True
        self.pending.append((request, reason.failure(), CLOSE, False))

    def _refuse_upgrade(self) -> None:
        """Answer as if no upgrade had been requested (RFC 9110 section 7.8), and read no more.

        What follows may be in the other protocol.
        """
        self.last = True
        if self.pending:
            request, failure, _, _ = self.pending.pop()
            self.pending.append((request, failure, CLOSE, False))

    # --- what the parser calls; a Failure raised here comes back as the parser error's context

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            raise FailureReason.REQUEST_BODY_TOO_LARGE.failure()

    def on_message_complete(self) -> None:
        self._complete = True
        self._keep = self._parser.should_keep_alive()
        if self._with_body is not None:
            # Only the parser knows where the next head begins: this request is the last one.
            self.last = True
            self.pending.append((self._with_body, None, CLOSE, False))
            self._with_body = None


def _fields_of(lines: list[bytes], kept: frozenset[bytes]) -> tuple[dict[bytes, bytes], int]:
    """Return the fields to keep, and the number of Host lines."""
    fields: dict[bytes, bytes] = {}
    hosts = 0
    for line in lines:
        name, _, value = line.partition(b":")
        name = name.lower()
        hosts += name == b"host"
        if name in kept:
            value = value.strip(b" \t")
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields, hosts


def _path_of(target: bytes) -> str:
    """Return the target's path, for origin-form and absolute-form (RFC 9112 section 3.2)."""
    if target.startswith(b"/"):
        return target.partition(b"?")[0].decode("latin-1")
    try:
        path: bytes = httptools.parse_url(target).path or b"/"
    except httptools.HttpParserInvalidURLError:
        return "*"
    return path.decode("latin-1")
