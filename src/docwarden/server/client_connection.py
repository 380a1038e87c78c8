"""One client connection: HTTP/1.1 with keep-alive and pipelining, answered in order."""

import asyncio
import socket
import struct
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from random import Random
from typing import Any, Final, Protocol, cast

from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Handler, Request, address_of
from docwarden.core.responses import Response, without_body
from docwarden.net.waiting import Runner
from docwarden.net.write_batch import Outbox
from docwarden.server.limits import ClientLimits
from docwarden.server.request_parser import CLOSE, Pending, RequestReader

# Above this the memory of a body counts as held until the client has read it.
_WRITE_HIGH: Final = 64 * 1024
# On, for no time: closing resets the connection (socket(7)).
_RESET: Final = struct.pack("ii", 1, 0)
# How long a refused client may go on sending before it is cut off.
LINGER_SECONDS: Final = 2.0
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}


class Listener(Protocol):
    """What a connection knows of the listener that accepted it.

    Attributes:
        site: answers.
        limits: of each connection, and of their number.
        connections: those that are open.
        refused: connections closed at once because too many were open.
        closing: whether answers ask clients to reconnect elsewhere.
        date: the Date header's line.
        loop: the event loop that it serves in.
        outbox: takes answers that are written at once.
        random: draws request ids.
    """

    site: Handler
    limits: ClientLimits
    connections: "set[ClientConnection]"
    refused: int
    closing: bool
    date: bytes
    loop: asyncio.AbstractEventLoop
    outbox: Outbox
    random: Random

    def forget(self, connection: "ClientConnection") -> None:
        """Note that a connection is gone."""
        ...


class ClientConnection(Runner[Response]):
    """Reads requests and writes answers; an `asyncio.Protocol` by its methods."""

    __slots__ = (
        "_current", "_drained", "_front", "_paused", "_progress", "_reader", "_reading",
        "_sending", "_serving", "_since", "_transport", "lost",
    )  # fmt: skip

    def __init__(self, front: Listener) -> None:
        super().__init__(front.loop)
        self._front = front
        self._sending: asyncio.Task[None] | None = None
        self._current: Pending | None = None
        self._reading = True
        self._serving = False
        self._drained: asyncio.Future[None] | None = None
        self._paused = False
        self._progress = (0, 0.0)
        self.lost = False
        self._since = time.monotonic()

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        front = self._front
        client = address_of(transport.get_extra_info("peername"))
        self._reader = RequestReader(client, front.limits.header_bytes, front.random)
        self._transport.set_write_buffer_limits(high=_WRITE_HIGH)
        if len(front.connections) >= front.limits.connections:
            front.refused += 1
            self.lost = True
            self._transport.abort()
            return
        front.connections.add(self)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader.last or self.lost:
            return
        reader.feed(data, time.monotonic(), time.time())
        self._serve()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it went is no news
        self.lost = True
        self._front.forget(self)
        self._reader.pending.clear()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._sending is not None:
            # Behind its first step: cancelled before that, it would not even take note of its end.
            self._loop.call_soon(self._sending.cancel)
        else:
            self._cancel()

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

    @property
    def task(self) -> asyncio.Task[None] | None:
        """What serves the current request, if it has had to wait for more than the upstream."""
        return self._sending or self._task

    # --- requests in order

    def _serve(self) -> None:
        """Serve what has been read, as far as nothing has to be waited for.

        Reads on only while no request waits: further ones stay in the kernel.
        """
        if self._serving:
            return  # an answer given on the way leads back here
        self._serving = True
        pending = self._reader.pending
        while pending and self._current is None:
            self._current = pending.popleft()
            request, failure, _, _ = self._current
            if request.started < self._since:
                # It came while another was answered: its time begins now.
                request.wall += self._since - request.started
                request.started = self._since
            if failure is None:
                self._run(self._front.site.handle(request))
            else:
                refusal = self._front.site.refuse(request, failure)
                self._deliver(without_body(refusal) if request.method == "HEAD" else refusal)
        self._serving = False
        if self._reading == bool(pending) and not self.lost:
            self._reading = not pending
            if self._reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def _cut_off(self) -> None:
        """Note that a request ends without an answer, and so does the connection."""
        current, self._current = self._current, None
        if current is not None:
            self._front.site.on_finished(current[0], None, -1)
        if not self.lost:
            self.abort()

    def _deliver(self, response: Response) -> None:
        """Send the answer to the current request."""
        front = self._front
        current: Any = self._current  # is set: cast() would be one more call for each answer
        request, failure, connection, keep = current
        if front.closing or response.stream is not None:
            keep, connection = False, CLOSE
        status_line = _STATUS_LINES[response.status]
        head = b"".join((status_line, front.date, connection, response.fields, b"\r\n"))
        size = len(response.body)
        if self._paused or response.stream or size > _WRITE_HIGH:
            self._sending = self._loop.create_task(self._answer_slowly(head, response, keep=keep))
            return
        if self.lost:
            size = -1
        else:
            front.outbox.put(self._transport, (head, response.body))
        self._ended(request, response, size, keep=keep, failure=failure)

    async def _answer_slowly(self, head: bytes, response: Response, *, keep: bool) -> None:
        request, failure, _, _ = cast("Pending", self._current)
        sent = -1
        try:
            sent = await self._send_slowly(head, response)
        finally:
            self._sending = None
            self._ended(request, response, sent, keep=keep, failure=failure)

    def _ended(
        self,
        request: Request,
        response: Response,
        sent: int,
        *,
        keep: bool,
        failure: Failure | None,
    ) -> None:
        self._current = None
        self._front.site.on_finished(request, response, sent)
        if not self.lost:
            self._since = time.monotonic()
            self._progress = (0, 0.0)
            if not keep:
                self._finish(failure)
            elif self._reader.pending or not self._reading:
                self._serve()

    def _finish(self, failure: Failure | None) -> None:
        """End the connection after its last answer."""
        reader = self._reader
        quiet = failure is None and self._reading and not reader.pending and not reader.in_head
        reader.last = True
        reader.pending.clear()
        self._front.outbox.flush()
        if quiet:
            self._transport.close()
            return
        # Closing while the client still sends would reset the connection, and the reset may
        # overtake the answer (RFC 9112 section 9.6): read on, and throw away, for a moment.
        self._transport.write_eof()
        if not self._reading:
            self._reading = True
            self._transport.resume_reading()

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
        self._drained = self._loop.create_future()
        await self._drained
        self._drained = None
        return not self.lost

    # --- time and the end

    def check_time(self, now: float) -> None:
        """Close the connection if it has idled, sent its head or read its answer too slowly."""
        limits = self._front.limits
        reader = self._reader
        if self._paused:
            self._abort_if_stalled(now)
        elif self._current is not None:
            return
        elif reader.last:
            self._check_end(now)
        elif reader.in_head:
            if now - reader.began > limits.header_timeout:
                reader.refuse(Failure(Cause.HEAD_TIMEOUT), now, time.time())
                self._serve()
        elif now - self._since > limits.idle_timeout:
            # What the client has not read by now keeps a close from ever happening.
            if self._transport.get_write_buffer_size():
                self.abort()
            else:
                self._transport.close()

    def _check_end(self, now: float) -> None:
        """Close the connection if its last answer is read too slowly, or has been for a while."""
        if self._transport.get_write_buffer_size():
            # Too little to pause for, and still the end of a document.
            self._abort_if_stalled(now)
        elif now - self._since > LINGER_SECONDS:
            self.abort()

    def _abort_if_stalled(self, now: float) -> None:
        left = self._transport.get_write_buffer_size()
        before, since = self._progress
        if left != before:
            self._progress = (left, now)
        elif now - since > self._front.limits.send_timeout:
            self.abort()

    def close_if_idle(self) -> None:
        """Close the connection unless a request is under way on it."""
        reader = self._reader
        if self._current is None and not reader.pending and (reader.last or not reader.in_head):
            # Its last answer may have been given in this very turn of the loop.
            self._front.outbox.flush()
            self._transport.close()

    def abort(self) -> None:
        """Close at once; the kernel goes on sending what it holds."""
        self._transport.abort()

    def reset(self) -> None:
        """Close at once and tell the client so.

        Where the network goes with the process, as a pod's does, nobody would send what the kernel
        holds, nor that it is all: the client would wait for the rest.
        """
        connected = self._transport.get_extra_info("socket")
        if connected is not None:
            connected.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._transport.abort()
