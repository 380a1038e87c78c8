"""One connection to the upstream: one request at a time, every byte of the answer accounted for.

Framing (RFC 9112): a body ends at its Content-Length, at its last chunk, or, where neither is
given, when the connection closes. Limits hold while the answer is read, not after: a declared
length beyond the cap is refused before its body is read, and memory is leased before it is filled.
"""

import asyncio
from collections.abc import Callable
from typing import Final, cast

import httptools

from docwarden.document import Lease
from docwarden.errors import Cause, Failure
from docwarden.outbox import Outbox
from docwarden.upstream.arrivals import SIZE, Arrivals
from docwarden.upstream.head import MAX_HEAD_BYTES, framing_of
from docwarden.waiting import Signal

# 100 and 103 may come before the answer (RFC 9110 section 15.2); a run of them is hostile.
MAX_INFORMATIONAL: Final = 8
# Bytes of framing per byte of body: chunks of one byte carry six, and chunk extensions are legal.
MAX_OVERHEAD: Final = 8
# An error's body is read only so that its connection can be kept.
MAX_DISCARDED_BYTES: Final = 64 * 1024
# From here on a body of unknown length grows in one buffer.
_ONE_BUFFER: Final = 256 * 1024
# A read this long means that more is waiting.
_FLOOD: Final = 128 * 1024
_END: Final = b"\r\n\r\n"


Answer = tuple[int, bytes | bytearray]
"""Status and body, in full; only that of a 200 is of use."""
STALE: Final = 0
"""In place of a status: the upstream had closed a kept-alive connection before it answered."""


class Connection:
    """A connection that sends a request and reads its answer under limits.

    An `asyncio.BufferedProtocol` by its methods.

    Attributes:
        expires: monotonic seconds at which the exchange under way is to be ended.
        idle_since: monotonic seconds of its last return to the pool.
        reusable: whether another request may be sent when the present one has ended.
        used: whether a request has been answered on it.
    """

    __slots__ = (
        "_answer", "_arrivals", "_begun", "_body", "_bytes_read", "_chunked", "_declared",
        "_direct", "_ended", "_filled", "_finished", "_head", "_head_done", "_informational",
        "_lease", "_loop", "_max_body", "_outbox", "_parser", "_raw", "_size", "_status",
        "_transport", "_waits_for_memory", "closed", "expires", "idle_since", "reusable", "used",
    )  # fmt: skip

    def __init__(
        self,
        max_body: int,
        arrivals: Arrivals,
        outbox: Outbox,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[["Connection"], None],
    ) -> None:
        self._ended = ended
        self._max_body = max_body
        self._arrivals = arrivals
        self._outbox = outbox
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._answer: Signal[Answer] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._finished: Answer | None = None
        self._head = bytearray()
        self._filled: bytearray | None = None
        self._body: list[bytes] = []
        self._raw = False
        self._direct = False
        self.reusable = False
        self.used = False
        self.closed = False
        self.expires = 0.0
        self.idle_since = 0.0

    # --- what the pool calls

    def send(self, request: bytes, lease: Lease, expires: float) -> Signal[Answer]:
        """Send `request`; return its answer to come. `lease` grows by what the body holds.

        Its status is `STALE` when a kept-alive connection turned out to be closed. It raises
        Failure with the transport's, the framing's or the limits' cause. Before it is done, `ended`
        has been called. Who gives it up cancels it, and tells the pool.
        """
        answer: Signal[Answer] = Signal(loop=self._loop)
        self._answer = answer
        self._lease = lease
        self.expires = expires
        if self._raw:
            # The last body went past it, so it does not know that its message has ended.
            self._parser = httptools.HttpResponseParser(self)
            self._raw = False
        self._begun = self._head_done = self._chunked = self._waits_for_memory = False
        self._informational = self._bytes_read = self._size = 0
        self._declared: int | None = None
        self.reusable = False
        if self.closed or self._transport is None:
            self._end((STALE, b""))
        else:
            self._outbox.put(self._transport, (request,))
        return answer

    def give_up(self) -> None:
        """End the exchange if nobody waits for its answer any more."""
        if self._answer is not None and self._answer.cancelled():
            self._fail(Failure(Cause.CLIENT_CLOSED))

    def time_out(self) -> None:
        """End the exchange, as its time is over."""
        self._fail(Failure(Cause.ATTEMPT_TIMEOUT))

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.reusable = False
        if self._transport is not None and not self.closed:
            self._transport.abort()
        self.closed = True

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - a hint
        """Return where the next bytes go: the middle of a large body straight to its place.

        The last byte never does, so that what follows it is seen.
        """
        filled = self._filled
        self._direct = filled is not None and self._left() > SIZE
        if filled is None or not self._direct:
            return self._arrivals.view
        return memoryview(filled)[self._size : -1]

    def buffer_updated(self, count: int) -> None:
        answer = self._answer
        if answer is None or answer.done():
            # Bytes that nobody asked for: what follows on this connection cannot be trusted.
            self.abort()
            return
        self._bytes_read += count
        try:
            if self._direct:
                self._size += count
            else:
                self._read(count)
        except Failure as error:
            failure = error
        except httptools.HttpParserUpgrade:
            failure = Failure(Cause.PROTOCOL, "upgrade-not-asked-for")
        except httptools.HttpParserError as error:
            failure = self._why(error)
        else:
            if self._finished is not None:
                self.used = True
                self._end(self._finished)
            elif self._bytes_read - self._size > MAX_HEAD_BYTES + MAX_OVERHEAD * self._size:
                self._fail(Failure(Cause.PROTOCOL, "head-too-large"))
            elif count >= _FLOOD and not self._waits_for_memory:
                self._let_others_read()
            return
        # Who waits goes on at once, and shall not be within the handling of another exception.
        self._fail(failure)

    def _left(self) -> int:
        """Return how much of a body taken past the parser is to come."""
        return self._declared - self._size if self._raw and self._declared is not None else 0

    def _read(self, count: int) -> None:
        """Parse as far as the head's end; take a body of declared length past the parser.

        The parser would copy it.
        """
        memory = self._arrivals.memory
        start = 0
        while not self._head_done:
            if self._head:
                end = self._end_of_split_head(start, count)
            else:
                at = memory.find(_END, start, count)
                end = at + len(_END) if at >= 0 else 0
            if not end:
                self._head += memory[start:count]
                self._parser.feed_data(memory[start:count])
                return
            head = memory[start:end]
            self._parser.feed_data(head)
            if self._begun:  # and not empty lines before the status line
                self._take_head(self._head + head if self._head else head)
            if self._head:
                self._head = bytearray()
            start = end
        if start == count or (self._finished is not None and not self.reusable):
            return  # answered, maybe from its head alone
        if self._raw:
            self._take(start, count)
        else:
            self._parser.feed_data(memory[start:count])

    def _take_head(self, head: bytes | bytearray) -> None:
        """Decide on what a head says, that of an informational answer included."""
        status = self._status = self._parser.get_status_code()
        self._begun = False
        if status < 200:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise Failure(Cause.PROTOCOL, "endless-informational")
            return
        self._head_done = True
        if self._finished is None:
            self.reusable = self._parser.should_keep_alive()
        declared, self._chunked = framing_of(head, status)
        self._declared = declared
        if status == 200:
            if declared is not None and self._finished is None:
                self._raw = True
                if declared > self._max_body:
                    raise Failure(Cause.TOO_LARGE)
                if not self._lease.grow(declared):
                    self._wait_for_memory(declared)
        elif declared is None or declared > MAX_DISCARDED_BYTES:
            # Not worth reading: answered now, and the connection given up.
            self.reusable = False
            self._finished = (status, b"")

    def _end_of_split_head(self, start: int, count: int) -> int:
        """Return where in the arrivals a head ends that began in earlier reads, or 0."""
        # Up to three bytes of its end may have come before.
        before = bytes(self._head[-3:])
        at = (before + self._arrivals.memory[start:count]).find(_END)
        return start + at + len(_END) - len(before) if at >= 0 else 0

    def _take(self, start: int, end: int) -> None:
        """Add what arrived from `start` to `end` to a body whose length was declared."""
        before = self._size
        declared = self._declared or 0
        self._size = before + end - start
        if self._size > declared:
            raise Failure(Cause.CORRUPT, "bytes-after-body")
        if self._size == declared and before == 0:
            self._finished = (self._status, self._arrivals.memory[start:end])
        elif self._waits_for_memory:
            self._body.append(self._arrivals.memory[start:end])
        else:
            if self._filled is None:
                self._filled = bytearray(declared)
            self._filled[before : self._size] = self._arrivals.view[start:end]
            if self._size == declared:
                self._finished = (self._status, self._filled)

    def _let_others_read(self) -> None:
        """Go on in the loop's next turn; libuv reads one ready socket up to 32 times in a row."""
        transport = cast("asyncio.Transport", self._transport)
        transport.pause_reading()
        self._loop.call_soon(self._resume)

    def _why(self, error: httptools.HttpParserError) -> Failure:
        if isinstance(error.__context__, Failure):
            return error.__context__
        if self._finished is not None:
            return Failure(Cause.CORRUPT, "bytes-after-body")
        return Failure(Cause.PROTOCOL)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.reusable = False
        if self._answer is None:
            return
        if self._bytes_read == 0 and self.used:
            self._end((STALE, b""))
        elif exc is not None or not self._head_done:
            self._fail(Failure(Cause.RESET))
        elif self._declared is None and not self._chunked:
            self.used = True
            self._end((self._status, self._gathered()))
        else:
            self._fail(Failure(Cause.CORRUPT, "body-truncated"))

    # --- what the parser calls; a Failure raised here comes back as the parser error's context

    def on_message_begin(self) -> None:
        self._begun = True
        if self._finished is not None:
            raise Failure(Cause.CORRUPT, "bytes-after-body")

    def _wait_for_memory(self, size: int) -> None:
        """Read no more until `size` bytes can be leased."""
        cast("asyncio.Transport", self._transport).pause_reading()
        self._waits_for_memory = True
        self._lease.grow_later(size, self._granted)

    def _granted(self) -> None:
        self._waits_for_memory = False
        if self._left():
            # What came with the head goes to its place, now that there is one.
            early = b"".join(self._body)
            self._body = []
            self._filled = bytearray(self._declared or 0)
            self._filled[: len(early)] = early
        self._resume()

    def _resume(self) -> None:
        if not self.closed and not self._waits_for_memory:
            cast("asyncio.Transport", self._transport).resume_reading()

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._declared is None:
            self._grow(len(body))
        if self._filled is None:
            self._body.append(body)
        else:
            self._filled += body

    def _grow(self, more: int) -> None:
        """Lease memory for a body of unknown length as it comes."""
        if self._size > self._max_body:
            raise Failure(Cause.TOO_LARGE)
        if not self._lease.grow(more):
            raise Failure(Cause.MEMORY)
        if self._filled is None and self._size > _ONE_BUFFER:
            # Pieces to be joined in the end would take their memory twice.
            self._filled = bytearray().join(self._body)
            self._body = []

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            # Asked later, it would tell of a message that has not begun.
            self.reusable = self._parser.should_keep_alive()
            self._finished = (status, self._gathered())

    # --- how an answer ends

    def _gathered(self) -> bytes | bytearray:
        """Return the body that came through the parser."""
        if self._filled is not None:
            return self._filled
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def _fail(self, failure: Failure) -> None:
        self.abort()
        self._end(failure)

    def _end(self, end: Answer | Failure) -> None:
        """Tell the end of the exchange; let go of it, as an idle connection holds no document."""
        answer = self._answer
        self._answer = None
        self._finished = None
        self._filled = None
        if self._head:
            self._head = bytearray()
        if self._body:
            self._body = []
        self._ended(self)
        if answer is None or answer.done():
            return
        if isinstance(end, Failure):
            answer.set_exception(end)
        else:
            answer.set_result(end)
        if answer.tell is not None:
            answer.tell()
