"""One client connection: HTTP/1.1 with keep-alive and pipelining, answered in order.

Strict where leniency lets requests be smuggled (RFC 9112 sections 3.2, 5.2, 6.3): exactly one
Host, no folded lines, no bare LF, no Content-Length beside Transfer-Encoding. Whatever breaks the
rules is answered with 400 and the connection is closed, as nobody can tell where it ends.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

import httptools

from docwarden.errors import Cause, Failure
from docwarden.request import Request, address_of
from docwarden.responses import Response

if TYPE_CHECKING:
    from docwarden.server.front import Front

# A client that sends more requests than this without reading answers is no browser.
MAX_PIPELINED: Final = 64
# GET carries no body of meaning (RFC 9110 section 9.3.1); a small one is read past.
MAX_BODY_BYTES: Final = 64 * 1024
# Above this the memory of a body counts as held until the client has read it.
_WRITE_HIGH: Final = 64 * 1024
# How long a refused client may go on sending before it is cut off.
LINGER_SECONDS: Final = 2.0
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}
_CLOSE: Final = b"Connection: close\r\n"
_KEEP: Final = b"Connection: keep-alive\r\n"


_Pending = tuple[Request, Failure | None, bytes, bool]
"""A request that waits for its turn, why it is refused, the Connection line of its answer, and
whether the connection goes on after it."""


class ClientConnection:
    """Reads requests and writes answers; an `asyncio.Protocol` by its methods."""

    __slots__ = (
        "_body_bytes", "_client", "_current", "_drained", "_front", "_head_size", "_headers",
        "_hosts", "_in_head", "_last", "_now", "_old", "_parser", "_paused", "_pending",
        "_progress", "_reading", "_since", "_transport", "_unparsed", "_url", "_wake", "lost",
        "task",
    )  # fmt: skip

    def __init__(self, front: "Front") -> None:
        self._front = front
        self._pending: deque[_Pending] = deque()
        self.task: asyncio.Task[None] | None = None
        self._current: _Pending | None = None
        self._wake: asyncio.Future[None] | None = None
        self._reading = True
        self._unparsed = 0
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._last = False
        self._progress = (0, 0.0)
        self.lost = False
        self._parser = httptools.HttpRequestParser(self)
        self._in_head = False
        self._headers: dict[bytes, bytes] = {}
        self._url = b""
        self._now = self._since = time.monotonic()

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        front = self._front
        peer = transport.get_extra_info("peername")
        self._client = address_of(peer)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        if len(front.connections) >= front.limits.connections:
            front.refused += 1
            self.lost = True
            self._transport.abort()
            return
        front.connections.add(self)

    def data_received(self, data: bytes) -> None:
        if self._last or self.lost:
            return
        self._unparsed += len(data)
        self._now = time.monotonic()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Not offered, so the request is answered as if nothing had been asked (RFC 9110
            # section 7.8); what follows it may be in the other protocol and is not read.
            self._last = True
            request, failure, _, _ = self._pending.pop()
            self._pending.append((request, failure, _CLOSE, False))
        except httptools.HttpParserError as error:
            inner = error.__context__
            self._refuse(inner if isinstance(inner, Failure) else Failure(Cause.MALFORMED))
        else:
            if self._in_head and self._unparsed > self._front.limits.header_bytes:
                self._refuse(Failure(Cause.HEAD_TOO_LARGE))
        self._next()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it went is no news
        self.lost = True
        self._front.forget(self)
        self._pending.clear()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._wake is not None:
            self._wake.set_result(None)
            self._wake = None
        elif self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._paused = True
        self._progress = (
            self._transport.get_write_buffer_size(),
            time.monotonic(),
        )

    def resume_writing(self) -> None:
        self._paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    # --- what the parser calls; a Failure raised here comes back as the parser error's context

    def on_message_begin(self) -> None:
        self._headers = {}
        self._url = b""
        self._hosts = 0
        self._head_size = 0
        self._body_bytes = 0
        self._old = False
        self._since = self._now
        self._in_head = True

    def on_url(self, url: bytes) -> None:
        self._url += url
        self._head_size += len(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        # Four bytes of colon, space and line end; counted here too, as a whole head may come in
        # one read together with others.
        self._head_size += len(name) + len(value) + 4
        if self._head_size > self._front.limits.header_bytes:
            raise Failure(Cause.HEAD_TOO_LARGE)
        name = name.lower()
        headers = self._headers
        if name == b"host":
            self._hosts += 1
        if name in headers:
            value = headers[name] + b", " + value
        headers[name] = value

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._unparsed = 0
        version = self._parser.get_http_version()
        if version != "1.1":
            if version != "1.0":
                raise Failure(Cause.MALFORMED, "http-version")
            self._old = True
        if self._hosts != 1 and (self._hosts > 1 or not self._old):
            raise Failure(Cause.MALFORMED, "host-header")

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        if self._body_bytes > MAX_BODY_BYTES:
            raise Failure(Cause.MALFORMED, "request-body-too-large")

    def on_message_complete(self) -> None:
        if len(self._pending) >= MAX_PIPELINED:
            raise Failure(Cause.MALFORMED, "too-many-pipelined")
        self._unparsed = 0
        keep = self._parser.should_keep_alive()
        connection = _CLOSE if not keep else _KEEP if self._old else b""
        self._enqueue(self._parser.get_method().decode("ascii"), None, connection, keep=keep)

    # --- requests in order

    def _enqueue(
        self, method: str, failure: Failure | None, connection: bytes, *, keep: bool
    ) -> None:
        request = Request(
            method,
            _path_of(self._url),
            self._headers,
            client=self._client,
            started=self._now,
            wall=time.time(),
            random=self._front.random,
        )
        self._pending.append((request, failure, connection, keep))

    def _refuse(self, failure: Failure) -> None:
        """Answer what breaks the rules, after what came before it, and read no more."""
        self._last = True
        self._in_head = False
        self._enqueue("GET", failure, _CLOSE, keep=False)

    def _next(self) -> bool:
        """Give the next request to the task that serves; return whether it has one.

        Reads on only while none waits.
        """
        if self._current is None and self._pending:
            self._current = self._pending.popleft()
            if self._wake is not None:
                self._wake.set_result(None)
                self._wake = None
            elif self.task is None:
                self.task = self._front.loop.create_task(self._work())
        # Requests that wait for an answer are enough to hold; further ones stay in the kernel.
        if self._reading == bool(self._pending) and not self.lost:
            self._reading = not self._pending
            if self._reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()
        return self._current is not None

    async def _work(self) -> None:
        """Serve this connection's requests; one task for all of them, as making tasks costs."""
        front = self._front
        site = front.site
        while (pending := self._current) is not None:
            request, failure, connection, keep = pending
            try:
                if failure is None:
                    response = await site.handle(request)
                else:
                    response = site.refuse(request, failure)
            except BaseException:
                site.ended(request, None, -1)
                raise
            sent = -1
            try:
                if front.closing or response.stream is not None:
                    keep, connection = False, _CLOSE
                head = b"%b%b%b%b\r\n" % (
                    _STATUS_LINES[response.status], front.date, connection, response.fields,
                )  # fmt: skip
                if self._paused or response.stream or len(response.body) > _WRITE_HIGH:
                    sent = await self._send_slowly(head, response)
                elif not self.lost:
                    front.outbox.put(self._transport, (head, response.body))
                    sent = len(response.body)
            finally:
                site.ended(request, response, sent)
            self._current = None
            # An idle connection shall hold no document, and memory used again at once is in cache.
            del pending, request, response
            if self.lost:
                return
            self._since = time.monotonic()
            if not keep:
                self._finish(failure)
                return
            if not self._next():
                self._wake = front.loop.create_future()
                await self._wake

    def _finish(self, failure: Failure | None) -> None:
        """End the connection after its last answer."""
        self._last = True
        self._front.outbox.flush()
        if failure is None:
            self._transport.close()
        else:
            # Closing while the client still sends would reset the connection, and the reset may
            # overtake the answer (RFC 9112 section 9.6): read on, and throw away, for a moment.
            self._transport.write_eof()

    async def _send_slowly(self, head: bytes, response: Response) -> int:
        """Write an answer at the pace of the client; return how much of its body.

        That is -1 when the client was lost.
        """
        # Earlier answers first.
        self._front.outbox.flush()
        if self.lost or (self._paused and not await self._drained_in_time()):
            return -1
        if response.stream is not None:
            self._transport.write(head)
            return await self._send_stream(response.stream)
        self._transport.writelines((head, response.body))
        if self._paused and not await self._drained_in_time():
            return -1
        return len(response.body)

    async def _send_stream(self, stream: AsyncIterator[bytes]) -> int:
        sent = 0
        async for piece in stream:
            self._transport.write(piece)
            sent += len(piece)
            if self._paused and not await self._drained_in_time():
                return -1
        return sent

    async def _drained_in_time(self) -> bool:
        """Wait until the client has read enough; False when it was lost before."""
        self._drained = self._front.loop.create_future()
        await self._drained
        self._drained = None
        return not self.lost

    # --- time and the end

    def check_time(self, now: float) -> None:
        """Close the connection if it has idled, sent its head or read its answer too slowly."""
        limits = self._front.limits
        if self._paused:
            if self._stalled(now):
                self.abort()
        elif self._current is not None:
            return
        elif self._last:
            if now - self._since > LINGER_SECONDS:
                self.abort()
        elif self._in_head:
            if now - self._since > limits.header_timeout:
                self._now = now
                self._refuse(Failure(Cause.HEAD_TIMEOUT))
                self._next()
        elif now - self._since > limits.idle_timeout:
            # What the client has not read by now keeps a close from ever happening.
            if self._transport.get_write_buffer_size():
                self.abort()
            else:
                self._transport.close()

    def _stalled(self, now: float) -> bool:
        left = self._transport.get_write_buffer_size()
        before, since = self._progress
        if left != before:
            self._progress = (left, now)
            return False
        return now - since > self._front.limits.send_timeout

    def close_if_idle(self) -> None:
        """Close the connection unless a request is under way on it."""
        if self._current is None and not self._pending and (self._last or not self._in_head):
            # Its last answer may have been given in this very turn of the loop.
            self._front.outbox.flush()
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()


def _path_of(url: bytes) -> str:
    """Return the target's path, for origin-form and absolute-form (RFC 9112 section 3.2)."""
    if url.startswith(b"/"):
        return url.partition(b"?")[0].decode("latin-1")
    try:
        path: bytes = httptools.parse_url(url).path or b"/"
    except httptools.HttpParserInvalidURLError:
        return "*"
    return path.decode("latin-1")
