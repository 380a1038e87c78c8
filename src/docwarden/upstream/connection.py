"""One connection to the upstream: one request at a time."""

import asyncio
import fcntl
import termios
from collections.abc import Callable
from typing import Final, cast

from docwarden.core.document import Lease
from docwarden.core.errors import Cause, Detail, Failure
from docwarden.core.reasons import FailureReason
from docwarden.upstream.response_parser import Answer, AnswerReader

# A read this long means that more is waiting.
_FLOOD: Final = 128 * 1024
# The share of an exchange's time that the process may have stood still before that is to blame.
_STALLED_SHARE: Final = 0.25
_NOTHING: Final = bytes(4)
# What an ioctl writes to; half as dear as one that returns bytes (timeit, 3.11: 1.0 and 1.7 us).
_UNREAD: Final = bytearray(4)


class StaleConnectionError(Exception):
    """The upstream had closed a kept connection before it answered: send the request again."""


class Connection:
    """A connection that sends a request and waits for its answer.

    An `asyncio.BufferedProtocol` by its methods.

    Attributes:
        began: monotonic seconds at which the exchange under way began.
        expires: monotonic seconds at which it is to be ended.
        idle_since: monotonic seconds of its last return to the pool.
        retires: monotonic seconds from which on no further exchange begins.
        used: whether it has brought an answer.
        reusable: whether another request may be sent when the present one has ended.
        closed: whether it is closed.
    """

    __slots__ = (
        "_answer", "_descriptor", "_lease", "_loop", "_on_finished", "_reader",
        "_stalled", "_transport", "began", "closed", "expires", "idle_since", "retires",
        "reusable", "used",
    )  # fmt: skip

    def __init__(
        self,
        reader: AnswerReader,
        loop: asyncio.AbstractEventLoop,
        on_finished: Callable[["Connection"], None],
    ) -> None:
        self._on_finished = on_finished
        self._loop = loop
        self._reader = reader
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._stalled = 0.0
        self._descriptor = -1
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
    ) -> asyncio.Future[Answer]:
        """Send `request` and return the future of its answer; `lease` grows by what the body holds.

        A caller that stops waiting calls `abandon`.

        Raises (from the future):
            StaleConnectionError: a kept connection turned out to be closed.
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
            # Not by an outbox: uvloop gathers a turn's single writes itself.
            self._transport.write(request)
        return answer

    def abandon(self, answer: asyncio.Future[Answer]) -> None:
        """Close the connection, if the exchange of `answer` is still under way on it."""
        if self._answer is answer:
            self._fail(Failure(Cause.CLIENT_CLOSED))

    def time_out(self) -> None:
        """End the exchange because its time is over."""
        # What waits here for memory says nothing of the upstream.
        if self._reader.bytes_needed:
            self._fail(Failure(Cause.MEMORY))
        elif self._is_our_fault:
            self._fail(Failure(Cause.STALLED))
        else:
            detail = Detail.ANSWER_INCOMPLETE if self._reader.touched else Detail.NO_ANSWER
            self._fail(Failure(Cause.ATTEMPT_TIMEOUT, detail=detail))

    def note_stall(self, seconds: float, now: float, extension: float) -> None:
        """Note that the process stood still so long, and give the answer that much more time."""
        self._stalled += min(seconds, now - self.began)
        self.expires = max(self.expires, now + extension)

    @property
    def has_unread(self) -> bool:
        """Whether bytes have come that belong to no request and that nobody has read yet."""
        if self.closed or self._descriptor < 0:
            return False
        fcntl.ioctl(self._descriptor, termios.FIONREAD, _UNREAD)
        return _UNREAD != _NOTHING

    @property
    def silent(self) -> bool:
        """Whether nothing of the answer under way has come."""
        return not self._reader.touched

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.reusable = False
        if self._transport is not None and not self.closed:
            self._transport.abort()
        self.closed = True

    # --- what the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        connected = transport.get_extra_info("socket")
        # Over TLS there may be bytes that are none of an answer, such as session tickets.
        if connected is not None and transport.get_extra_info("sslcontext") is None:
            self._descriptor = connected.fileno()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - a hint
        return self._reader.place()

    def buffer_updated(self, count: int) -> None:
        if self._answer is None:
            # Bytes that nobody asked for: what follows on this connection cannot be trusted.
            self.abort()
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
            self._conclude(self._reader.finished)
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
            # Not read to its end because memory lacks (over TLS, a close shows all the same).
            self._end(Failure(Cause.MEMORY))
        elif self._is_our_fault:
            self._end(Failure(Cause.STALLED))
        elif exc is not None:
            self._end(Failure(Cause.RESET))
        else:
            self._end(self._reader.at_close())

    # --- reading at a pace

    def _go_on(self, count: int) -> None:
        bytes_needed = self._reader.bytes_needed
        if bytes_needed:
            self._wait_for_memory(bytes_needed)
        elif count >= _FLOOD:
            self._let_others_read()

    def _wait_for_memory(self, size: int) -> None:
        """Read no more until `size` bytes can be leased."""
        cast("asyncio.Transport", self._transport).pause_reading()
        self._lease.grow_later(size, self._granted)

    def _granted(self) -> None:
        if self._answer is None:
            return  # it has ended meanwhile; its lease is about to be released
        reader = self._reader
        try:
            reader.make_room()
        except MemoryError:
            self._fail(FailureReason.OUT_OF_MEMORY.failure())
            return
        self._resume()
        if reader.finished is not None:
            self._conclude(reader.finished)

    def _let_others_read(self) -> None:
        """Go on in the loop's next turn; libuv reads one ready socket up to 32 times in a row."""
        cast("asyncio.Transport", self._transport).pause_reading()
        self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        if not self.closed and not self._reader.bytes_needed:
            cast("asyncio.Transport", self._transport).resume_reading()

    # --- how an exchange ends

    @property
    def _is_our_fault(self) -> bool:
        """Whether the process stood still for much of the time that the answer had."""
        return self._stalled > _STALLED_SHARE * (self.expires - self.began)

    def _broken_off(self) -> Exception:
        return StaleConnectionError() if self.used else Failure(Cause.RESET)

    def _conclude(self, answer: Answer) -> None:
        self.used = True
        self.reusable = self._reader.keep
        self._end(answer)

    def _fail(self, error: Exception) -> None:
        self.abort()
        self._end(error)

    def _end(self, end: Answer | Exception) -> None:
        """Hand over how the exchange ended, then the connection to the pool."""
        answer = self._answer
        self._answer = None
        if answer is not None and not answer.done():
            if isinstance(end, Exception):
                answer.set_exception(end)
            else:
                answer.set_result(end)
        try:
            self._reader.forget()
        except BaseException:
            self.abort()  # what it still holds must not become part of the next answer
            raise
        finally:
            self._on_finished(self)
