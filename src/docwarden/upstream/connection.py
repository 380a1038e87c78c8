"""One connection to the upstream: one request at a time."""

import asyncio
from collections.abc import Callable
from typing import Final, cast

from docwarden.core.document import Lease
from docwarden.core.errors import Cause, Detail, Failure
from docwarden.core.reasons import FailureReason
from docwarden.net.write_batch import Outbox
from docwarden.upstream.response_parser import Answer, AnswerReader, Body

# A read of this size means that more is waiting.
_FLOOD: Final = 128 * 1024
# Share of an exchange's time that the process may stall before the stall is to blame.
_STALLED_SHARE: Final = 0.25


Received = tuple[int, Body, int]
"""Status, body and the body's digest."""


class StaleConnectionError(Exception):
    """The upstream had closed a kept-alive connection: the request can be sent again."""


class Connection:
    """A connection to the upstream that carries one exchange at a time.

    It has the methods of an `asyncio.BufferedProtocol`.

    Args:
        reader: of its answers.
        loop: the event loop.
        outbox: batches its writes.
        on_finished: called at the end of each exchange.
        digest: of a body. Called as soon as it is complete, while the processor's cache has it.

    Attributes:
        began: monotonic time at which the current exchange began.
        expires: monotonic time at which it times out.
        idle_since: monotonic time of its last return to the pool.
        retires: monotonic time from which on it is not reused.
        used: whether it has delivered an answer.
        reusable: whether it can be reused after the current exchange.
        closed: whether it is closed.
    """

    __slots__ = (
        "_answer", "_batch", "_digest", "_lease", "_loop", "_on_finished", "_outbox", "_reader",
        "_stalled", "_transport", "began", "closed", "expires", "get_buffer", "idle_since",
        "retires", "reusable", "used",
    )  # fmt: skip

    def __init__(
        self,
        reader: AnswerReader,
        loop: asyncio.AbstractEventLoop,
        outbox: Outbox,
        on_finished: Callable[["Connection"], None],
        digest: Callable[[Body], int],
    ) -> None:
        self._digest = digest
        self._on_finished = on_finished
        self._loop = loop
        self._outbox = outbox
        self._reader = reader
        # What the event loop calls before each read.
        self.get_buffer = reader.place
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Received] | None = None
        self._stalled = 0.0
        self._batch = -1
        self.used = False
        self.reusable = False
        self.closed = False
        self.began = 0.0
        self.expires = 0.0
        self.idle_since = 0.0
        self.retires = float("inf")

    # --- what the pool calls

    def send(
        self, request: bytes, lease: Lease, began: float, expires: float
    ) -> asyncio.Future[Received]:
        """Send `request` and return the future of its answer; `lease` grows with the body.

        A caller that stops waiting must call `abandon`.

        Raises (from the future):
            StaleConnectionError: a kept-alive connection turned out to be closed.
            Failure: with the transport's, the framing's or the limits' cause.
        """
        answer = self._loop.create_future()
        self._answer = answer
        self._lease = lease
        self._stalled = 0.0
        self.began = began
        self.expires = expires
        self.reusable = False
        self._reader.begin(lease)
        if self.closed or self._transport is None:
            self._end(self._broken_off())
        else:
            # The loop reads what has arrived by now before that batch is written.
            self._batch = self._outbox.batches
            self._outbox.put(self._transport, (request,))
        return answer

    def abandon(self, answer: asyncio.Future[Received]) -> None:
        """Close the connection, if the exchange of `answer` is still in progress."""
        if self._answer is answer:
            self._fail(Failure(Cause.CLIENT_CLOSED))

    def time_out(self) -> None:
        """Fail the exchange, as its deadline has passed."""
        # Waiting for memory is not the upstream's fault.
        if self._reader.bytes_needed:
            self._fail(Failure(Cause.MEMORY))
        elif self._is_our_fault:
            self._fail(Failure(Cause.STALLED))
        else:
            detail = Detail.ANSWER_INCOMPLETE if self._reader.touched else Detail.NO_ANSWER
            self._fail(Failure(Cause.ATTEMPT_TIMEOUT, detail=detail))

    def note_stall(self, seconds: float, now: float, extension: float) -> None:
        """Record that the process stalled, and extend the deadline to `now + extension`."""
        self._stalled += min(seconds, now - self.began)
        self.expires = max(self.expires, now + extension)

    @property
    def silent(self) -> bool:
        """Whether no byte of the current answer has arrived."""
        return not self._reader.touched

    def abort(self) -> None:
        """Close at once, even during an exchange."""
        self.reusable = False
        if self._transport is not None and not self.closed:
            self._transport.abort()
        self.closed = True

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def buffer_updated(self, count: int) -> None:
        if self._answer is None:
            # Unsolicited bytes: nothing that follows on this connection can be trusted.
            self.abort()
            return
        if self._batch == self._outbox.batches:
            # They cannot answer a request that is yet to be sent.
            self._fail(self._broken_off())
            return
        try:
            failure = self._reader.buffer_filled(count)
        except MemoryError:
            failure = FailureReason.OUT_OF_MEMORY.failure()
        except Exception as error:  # noqa: BLE001 - a defect costs its own request, and is told by it
            self._fail(error)
            return
        if failure is not None:
            self._fail(failure)
        elif self._reader.finished is not None:
            self._end(self._reader.finished)
        else:
            self._go_on(count)

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed = True
        self.reusable = False
        if self._answer is None:
            return
        if not self._reader.touched and self.used:
            self._end(StaleConnectionError())
        elif self._reader.bytes_needed:
            # Reading was paused for lack of memory (a close still shows over TLS).
            self._end(Failure(Cause.MEMORY))
        elif self._is_our_fault:
            self._end(Failure(Cause.STALLED))
        elif exc is not None:
            self._end(Failure(Cause.RESET))
        else:
            self._end(self._reader.at_close())

    # --- flow control

    def _go_on(self, count: int) -> None:
        bytes_needed = self._reader.bytes_needed
        if bytes_needed:
            self._wait_for_memory(bytes_needed)
        elif count >= _FLOOD:
            self._let_others_read()

    def _wait_for_memory(self, size: int) -> None:
        """Pause reading until `size` bytes can be leased."""
        cast("asyncio.Transport", self._transport).pause_reading()
        self._lease.grow_later(size, self._granted)

    def _granted(self) -> None:
        if self._answer is None:
            return  # already ended; its lease is about to be released
        reader = self._reader
        try:
            reader.make_room()
        except MemoryError:
            self._fail(FailureReason.OUT_OF_MEMORY.failure())
            return
        self._resume()
        if reader.finished is not None:
            self._end(reader.finished)

    def _let_others_read(self) -> None:
        """Resume in the loop's next turn; libuv reads one ready socket up to 32 times in a row."""
        cast("asyncio.Transport", self._transport).pause_reading()
        self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if not self.closed and not self._reader.bytes_needed:
            cast("asyncio.Transport", self._transport).resume_reading()

    # --- how an exchange ends

    @property
    def _is_our_fault(self) -> bool:
        """Whether the process stalled for too much of the exchange's time."""
        return self._stalled > _STALLED_SHARE * (self.expires - self.began)

    def _broken_off(self) -> Exception:
        return StaleConnectionError() if self.used else Failure(Cause.RESET)

    def _fail(self, error: Exception) -> None:
        self.abort()
        self._end(error)

    def _end(self, end: Answer | Exception) -> None:
        """Resolve the answer, then return the connection to the pool."""
        answer = self._answer
        self._answer = None
        if answer is not None and answer.done():
            answer = None  # cancelled: nobody waits for it
        if not isinstance(end, Exception):
            self.used = True
            self.reusable = self._reader.keep
            if answer is not None:
                try:
                    status, body = end
                    answer.set_result((status, body, self._digest(body)))
                except Exception as error:  # noqa: BLE001 - a defect costs its own request
                    answer.set_exception(error)
        elif answer is not None:
            answer.set_exception(end)
        try:
            self._reader.forget()
        except BaseException:
            self.abort()  # what it still holds must not become part of the next answer
            raise
        finally:
            self._on_finished(self)
