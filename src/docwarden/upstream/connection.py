"""One connection to the upstream: one request at a time, and the end of each exchange told once."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from docwarden.core.document import Lease
from docwarden.core.errors import Cause, Failure
from docwarden.net.waiting import Signal
from docwarden.net.write_batch import Outbox
from docwarden.upstream.response_parser import Answer, AnswerReader

# A read this long means that more is waiting.
_FLOOD: Final = 128 * 1024

STALE: Final = 0
"""In place of a status: the upstream had closed a kept-alive connection before it answered."""


class Connection:
    """A connection that sends a request and waits for its answer.

    An `asyncio.BufferedProtocol` by its methods.

    Attributes:
        expires: monotonic seconds at which the exchange under way is to be ended.
        idle_since: monotonic seconds of its last return to the pool.
        reusable: whether another request may be sent when the present one has ended.
        closed: whether it is closed.
    """

    __slots__ = (
        "_answer", "_ended", "_lease", "_loop", "_outbox", "_reader", "_transport", "_used",
        "closed", "expires", "idle_since", "reusable",
    )  # fmt: skip

    def __init__(
        self,
        reader: AnswerReader,
        outbox: Outbox,
        loop: asyncio.AbstractEventLoop,
        ended: Callable[["Connection"], None],
    ) -> None:
        self._ended = ended
        self._outbox = outbox
        self._loop = loop
        self._reader = reader
        self._transport: asyncio.Transport | None = None
        self._answer: Signal[Answer] | None = None
        self._used = False
        self.reusable = False
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
        self.reusable = False
        self._reader.begin(lease)
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
        # What waits here for memory says nothing of the upstream.
        lacks = self._reader.lacks
        self._fail(Failure(Cause.MEMORY if lacks else Cause.ATTEMPT_TIMEOUT))

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
        return self._reader.place()

    def buffer_updated(self, count: int) -> None:
        answer = self._answer
        if answer is None or answer.done():
            # Bytes that nobody asked for: what follows on this connection cannot be trusted.
            self.abort()
            return
        reader = self._reader
        failure = reader.take(count)
        if failure is not None:
            self._fail(failure)
        elif reader.finished is not None:
            self._conclude(reader.finished)
        elif reader.lacks:
            self._wait_for_memory(reader.lacks)
        elif count >= _FLOOD:
            self._let_others_read()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.reusable = False
        if self._answer is None:
            return
        if self._used and not self._reader.touched:
            self._end((STALE, b""))
        elif self._reader.lacks:
            # Not read to its end because memory lacks (over TLS, a close shows all the same).
            self._end(Failure(Cause.MEMORY))
        elif exc is not None:
            self._end(Failure(Cause.RESET))
        else:
            self._end(self._reader.at_close())

    # --- reading at a pace

    def _wait_for_memory(self, size: int) -> None:
        """Read no more until `size` bytes can be leased."""
        cast("asyncio.Transport", self._transport).pause_reading()
        self._lease.grow_later(size, self._granted)

    def _granted(self) -> None:
        if self._answer is None:
            return  # it has ended meanwhile; its lease is about to be released
        reader = self._reader
        reader.make_room()
        self._resume()
        if reader.finished is not None:
            self._conclude(reader.finished)

    def _let_others_read(self) -> None:
        """Go on in the loop's next turn; libuv reads one ready socket up to 32 times in a row."""
        cast("asyncio.Transport", self._transport).pause_reading()
        self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if not self.closed and not self._reader.lacks:
            cast("asyncio.Transport", self._transport).resume_reading()

    # --- how an exchange ends

    def _conclude(self, answer: Answer) -> None:
        self._used = True
        self.reusable = self._reader.keep
        self._end(answer)

    def _fail(self, failure: Failure) -> None:
        self.abort()
        self._end(failure)

    def _end(self, end: Answer | Failure) -> None:
        """Tell the end of the exchange, and let go of it."""
        answer = self._answer
        self._answer = None
        self._reader.forget()
        self._ended(self)
        if answer is None or answer.done():
            return
        if isinstance(end, Failure):
            answer.set_exception(end)
        else:
            answer.set_result(end)
        if answer.tell is not None:
            answer.tell()
