"""One client connection: HTTP/1.1 with keep-alive and pipelining, answered in order.

One task per connection serves its requests one after another: it calls the site and hands the
answer to the transport. A request ends when the kernel has taken its whole answer, and only then
does the next begin, so a client that stops reading holds one answer at most. An error costs the
request that it belongs to, and no other.
"""

import asyncio
import math
import socket
import struct
import time
from http import HTTPStatus
from random import Random
from typing import Final, Protocol, cast

from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Handler, Request, address_of
from docwarden.core.responses import Response, options, without_body
from docwarden.net.write_batch import Outbox
from docwarden.server.allowed_hosts import AllowedHosts
from docwarden.server.connection_state import (
    ANSWERING,
    CHANGES,
    CLOSED,
    LINGERING,
    READING,
    SENDING,
    State,
)
from docwarden.server.limits import ClientLimits
from docwarden.server.request_parser import CLOSE, Pending, RequestReader

# Linger for zero seconds: closing resets the connection (socket(7)).
_RESET: Final = struct.pack("ii", 1, 0)
# How long a refused client may keep sending before it is cut off.
LINGER_SECONDS: Final = 2.0
# How long a client that has half-closed may wait for its answer: it may also be gone.
HALF_CLOSED_SECONDS: Final = 2.0
# How long a client reads before its pace is estimated.
_PACE_SECONDS: Final = 1.0
# A read of this size means that more is waiting.
_FLOOD: Final = 64 * 1024
_BUSY: Final = (ANSWERING, SENDING)
_UNSUPPORTED_METHODS: Final = ("CONNECT", "TRACE")
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}


class Acceptor(Protocol):
    """The listener, as its connections see it.

    Attributes:
        site: answers the requests.
        hosts: the Host values that are answered; None allows any.
        limits: on each connection, and on their number.
        connections: the open ones.
        closing: whether every answer closes its connection.
        date: the Date header line.
        loop: the event loop.
        outbox: batches the writes of one turn of the loop.
        random: draws request ids.
    """

    site: Handler
    hosts: AllowedHosts | None
    limits: ClientLimits
    connections: "set[ClientConnection]"
    closing: bool
    date: bytes
    loop: asyncio.AbstractEventLoop
    outbox: Outbox
    random: Random

    def admit(self, connection: "ClientConnection") -> bool:
        """Admit a connection, or return False."""
        ...

    def forget(self, connection: "ClientConnection") -> None:
        """Called when a connection has closed."""
        ...

    def report(self, message: str, error: Exception) -> None:
        """Report an error that cost one request or connection."""
        ...


class ClientConnection:
    """Reads requests and writes answers; has the methods of an `asyncio.Protocol`."""

    __slots__ = (
        "_acceptor", "_current", "_drained", "_ended", "_keep", "_paused", "_paused_at",
        "_progress", "_reader", "_reading", "_response", "_since", "_state", "_transport", "_wake",
        "task",
    )  # fmt: skip

    def __init__(self, acceptor: Acceptor) -> None:
        self._acceptor = acceptor
        self._state: State = READING
        self._current: Pending | None = None
        self._response: Response | None = None
        self._keep = False
        self._reading = True
        # When the client half-closed the connection; 0 until then.
        self._ended = 0.0
        self._paused = False
        self._paused_at = (0, 0.0)
        self._drained: asyncio.Future[None] | None = None
        self._progress = (0, 0.0)
        self._since = time.monotonic()
        # Created for the first request; waits on `_wake` for each further one.
        self.task: asyncio.Task[None] | None = None
        self._wake: asyncio.Future[None] | None = None

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        acceptor = self._acceptor
        client = address_of(transport.get_extra_info("peername"))
        limits = acceptor.limits
        self._reader = RequestReader(
            client, limits.header_bytes, acceptor.random, limits.kept_fields
        )
        # Pause on any byte that the kernel does not take: a request ends when it has them all.
        self._transport.set_write_buffer_limits(high=0)
        if not acceptor.admit(self):
            self._state = CHANGES[self._state][CLOSED]
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        if len(data) >= _FLOOD:
            self._let_others_read()
        reader = self._reader
        if reader.last or self._state is CLOSED:
            return
        try:
            reader.feed(data, time.monotonic(), time.time())
        except Exception as error:  # noqa: BLE001 - of this client's bytes, and no one else's
            self._acceptor.report("a request could not be read", error)
            reader.refuse(Failure(Cause.MALFORMED), time.monotonic(), time.time())
        self._serve_next()

    def eof_received(self) -> bool:
        """Stay open while a request is in progress: the client may only have half-closed."""
        self._ended = time.monotonic()
        reader = self._reader
        busy = self._state in _BUSY or bool(reader.pending)
        reader.last = True
        return busy

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the reason does not matter
        if self._state is not CLOSED:
            self._state = CHANGES[self._state][CLOSED]
        self._acceptor.forget(self)
        self._reader.pending.clear()
        if self.task is not None:
            # After its first step: a task cancelled before that would not even record its end.
            self._acceptor.loop.call_soon(self.task.cancel)

    def pause_writing(self) -> None:
        self._paused = True
        self._progress = self._paused_at = (
            self._transport.get_write_buffer_size(),
            time.monotonic(),
        )

    def resume_writing(self) -> None:
        self._paused = False
        if self._drained is not None:
            if not self._drained.done():
                self._drained.set_result(None)
        elif self._state is SENDING:
            self._written()

    # --- requests in order

    def _serve_next(self) -> None:
        """Start the next request, if one has been read and none is in progress.

        Back-pressure: reading pauses while a request waits, and further ones stay in the kernel.
        """
        pending = self._reader.pending
        if pending and self._state is READING:
            self._state = CHANGES[self._state][ANSWERING]
            self._current = pending.popleft()
            if self._wake is None:
                self.task = self._acceptor.loop.create_task(self._serve_all(self._current))
            else:
                self._wake.set_result(None)
        reading = not pending
        if self._reading is not reading and self._state is not CLOSED and not self._ended:
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _let_others_read(self) -> None:
        """Resume in the loop's next turn; libuv reads one ready socket up to 32 times in a row."""
        self._transport.pause_reading()
        self._acceptor.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if self._reading and self._state is not CLOSED and not self._ended:
            self._transport.resume_reading()

    async def _serve_all(self, pending: Pending | None) -> None:
        """Serve one request after another, `pending` first, until the connection is lost."""
        acceptor = self._acceptor
        try:
            while pending is not None:
                self._wake = acceptor.loop.create_future()
                # Not in a local: this frame lives while the connection is idle, and would keep it.
                try:
                    self._response = self._refusal(pending) or await acceptor.site.handle(
                        pending[0]
                    )
                except Exception as error:  # noqa: BLE001 - sites answer their defects; this is one of theirs
                    acceptor.report("a request was not answered", error)
                    self._response = self._refused(pending[0], Failure(Cause.INTERNAL))
                if self._response.stream is None:
                    self._send(pending, self._response)
                else:
                    self._finish(await self._send_stream(pending, self._response))
                pending = None
                await self._wake
                pending = self._current
        except Exception as error:  # noqa: BLE001 - a defect costs this connection, and no other
            acceptor.report("a request could not be served", error)
        finally:
            self.task = None
            self._finish(-1)

    def _refusal(self, pending: Pending) -> Response | None:
        """Return the answer to a request that must not reach the site, else None."""
        request, failure, _, _ = pending
        hosts = self._acceptor.hosts
        if hosts is not None and not hosts.allow(request.headers.get(b"host")):
            failure = failure or Failure(Cause.MISDIRECTED)
        method = request.method
        if method in _UNSUPPORTED_METHODS:
            failure = failure or Failure(Cause.METHOD)
        if failure is not None:
            return self._refused(request, failure)
        return options() if method == "OPTIONS" else None

    def _refused(self, request: Request, failure: Failure) -> Response:
        response = self._acceptor.site.refuse(request, failure)
        return without_body(response) if request.method == "HEAD" else response

    def _send(self, pending: Pending, response: Response) -> None:
        """Queue an answer for the end of the loop's turn; `_written` then ends the request."""
        if self._state is CLOSED:
            self._finish(-1)
            return
        self._state = CHANGES[self._state][SENDING]
        pieces = self._head(pending, response), response.body
        self._acceptor.outbox.put(self._transport, pieces, self._written)

    def _head(self, pending: Pending, response: Response) -> bytes:
        acceptor = self._acceptor
        _, _, connection, self._keep = pending
        if acceptor.closing or response.stream is not None:
            connection, self._keep = CLOSE, False
        status_line = _STATUS_LINES[response.status]
        return b"".join((status_line, acceptor.date, connection, response.fields, b"\r\n"))

    def _written(self) -> None:
        """Called when the transport has the whole answer; ends the request if the kernel has it."""
        response = self._response
        if response is not None and not self._paused:
            self._finish(len(response.body))

    async def _send_stream(self, pending: Pending, response: Response) -> int:
        """Write pieces as they come; return the number of bytes, or -1 if the client is gone."""
        if self._state is CLOSED or response.stream is None:
            return -1
        self._state = CHANGES[self._state][SENDING]
        self._acceptor.outbox.flush()
        self._transport.write(self._head(pending, response))
        sent = 0
        async for piece in response.stream:
            self._transport.write(piece)
            sent += len(piece)
            if self._paused:
                self._drained = self._acceptor.loop.create_future()
                try:
                    await self._drained
                finally:
                    self._drained = None
        return sent

    def _finish(self, sent: int) -> None:
        """Record the end of the current request, and continue with the next.

        `sent` is the number of body bytes handed to the kernel, or -1 if it was cut off.
        """
        pending, self._current = self._current, None
        response, self._response = self._response, None
        if pending is None:
            return
        if response is not None and response.lease is not None:
            response.lease.release()
        request, failure, _, _ = pending
        try:
            self._acceptor.site.on_finished(request, response, sent)
        except Exception as error:  # noqa: BLE001 - the answer is sent: only its record is lost
            self._acceptor.report("the end of a request was not noted", error)
        if self._state is CLOSED:
            return
        if sent < 0:
            self.abort()
            return
        self._since = time.monotonic()
        waiting = self._reader.pending
        if self._keep and (waiting or not self._ended):
            self._state = CHANGES[self._state][READING]
            if waiting:
                _restart(waiting[0][0], self._since)
            if waiting or not self._reading:
                self._serve_next()
        else:
            self._end(failure)

    def _end(self, failure: Failure | None) -> None:
        """End the connection after its last answer."""
        reader = self._reader
        quiet = failure is None and self._reading and not (reader.pending or reader.in_request)
        reader.last = True
        reader.pending.clear()
        if quiet or self._ended:
            self._state = CHANGES[self._state][CLOSED]
            self._transport.close()
            return
        # Closing while the client still sends would reset the connection, and the reset may
        # overtake the answer (RFC 9112 section 9.6): keep reading, and discard it, for a moment.
        self._state = CHANGES[self._state][LINGERING]
        self._transport.write_eof()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()

    # --- timeouts and closing

    @property
    def idle(self) -> bool:
        """Whether no request is in progress or being read."""
        reader = self._reader
        return self._state is READING and not (reader.in_request or reader.pending)

    @property
    def idle_since(self) -> float | None:
        """Monotonic time since which no request is being answered; None while one is."""
        if self._state not in (READING, LINGERING) or self._reader.pending:
            return None
        return self._since

    def leased_bytes(self) -> int:
        """Return the bytes that the answer being sent has leased."""
        response = self._response
        lease = response.lease if response is not None and self._paused else None
        return 0 if lease is None else lease.size

    def seconds_to_read(self, now: float) -> float:
        """Estimate the seconds until the client has read its answer, at its pace so far.

        0 if it has all of it or it is too early to tell; infinity if it reads nothing.
        """
        size, since = self._paused_at
        if not self._paused or now - since < _PACE_SECONDS:
            return 0.0
        left = self._transport.get_write_buffer_size()
        return left * (now - since) / (size - left) if left < size else math.inf

    def check_timeouts(self, now: float) -> None:
        """Close the connection if its idle, header or send timeout has expired."""
        limits = self._acceptor.limits
        reader = self._reader
        if self._paused:
            self._abort_if_stalled(now)
        elif self._state is LINGERING:
            if now - self._since > LINGER_SECONDS:
                self.abort()
        elif self._state is not READING:
            if self._ended and now - self._ended > HALF_CLOSED_SECONDS:
                self.abort()
        elif reader.in_request:
            if now - reader.began > limits.header_timeout:
                reader.refuse(Failure(Cause.HEAD_TIMEOUT), now, time.time())
                self._serve_next()
        elif now - self._since > limits.idle_timeout:
            self.close_if_idle()

    def _abort_if_stalled(self, now: float) -> None:
        left = self._transport.get_write_buffer_size()
        before, since = self._progress
        if left != before:
            self._progress = (left, now)
        elif now - since > self._acceptor.limits.send_timeout:
            self.abort()

    def close_if_idle(self) -> None:
        """Close the connection unless a request is in progress."""
        if self._state is LINGERING:
            self._transport.close()
        elif self.idle:
            self._state = CHANGES[self._state][CLOSED]
            self._transport.close()

    def abort(self) -> None:
        """Close at once; the kernel still sends what it has buffered."""
        self._transport.abort()

    def reset(self) -> None:
        """Close at once with a TCP reset.

        Where the network goes away with the process, as a pod's does, neither the kernel's buffer
        nor a FIN would be sent, and the client would wait for the rest.
        """
        connected = self._transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()


def _restart(request: Request, now: float) -> None:
    """Let the deadline of a request that arrived during the previous answer count from `now`."""
    request.wall += now - request.started
    request.started = now
