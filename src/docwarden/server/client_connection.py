"""One client connection: HTTP/1.1 with keep-alive and pipelining, answered in order."""

import asyncio
import time
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, cast

from docwarden.errors import Cause, Failure
from docwarden.request import address_of
from docwarden.responses import Response
from docwarden.server.reading import CLOSE, Pending, RequestReader

if TYPE_CHECKING:
    from docwarden.server.front import Front

# Above this the memory of a body counts as held until the client has read it.
_WRITE_HIGH: Final = 64 * 1024
# How long a refused client may go on sending before it is cut off.
LINGER_SECONDS: Final = 2.0
_STATUS_LINES: Final = {
    status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode())
    for status in HTTPStatus
}


class ClientConnection:
    """Reads requests and writes answers; an `asyncio.Protocol` by its methods."""

    __slots__ = (
        "_current", "_drained", "_front", "_paused", "_progress", "_reader", "_reading", "_since",
        "_transport", "_wake", "lost", "task",
    )  # fmt: skip

    def __init__(self, front: "Front") -> None:
        self._front = front
        self.task: asyncio.Task[None] | None = None
        self._current: Pending | None = None
        self._wake: asyncio.Future[None] | None = None
        self._reading = True
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
        self._next()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why it went is no news
        self.lost = True
        self._front.forget(self)
        self._reader.pending.clear()
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

    # --- requests in order

    def _next(self) -> bool:
        """Give the next request to the task that serves; return whether it has one.

        Reads on only while none waits.
        """
        pending = self._reader.pending
        if self._current is None and pending:
            self._current = pending.popleft()
            if self._wake is not None:
                self._wake.set_result(None)
                self._wake = None
            elif self.task is None:
                self.task = self._front.loop.create_task(self._work())
        # Requests that wait for an answer are enough to hold; further ones stay in the kernel.
        if self._reading == bool(pending) and not self.lost:
            self._reading = not pending
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
                    keep, connection = False, CLOSE
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
        self._reader.last = True
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
        reader = self._reader
        if self._paused:
            if self._stalled(now):
                self.abort()
        elif self._current is not None:
            return
        elif reader.last:
            if now - self._since > LINGER_SECONDS:
                self.abort()
        elif reader.in_head:
            if now - reader.began > limits.header_timeout:
                reader.refuse(Failure(Cause.HEAD_TIMEOUT), now, time.time())
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
        reader = self._reader
        if self._current is None and not reader.pending and (reader.last or not reader.in_head):
            # Its last answer may have been given in this very turn of the loop.
            self._front.outbox.flush()
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._transport.abort()
