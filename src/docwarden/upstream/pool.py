"""A bounded pool of keep-alive connections to the upstream, most recently used first.

Rules of this file
    - A kept-alive connection that the upstream has closed is transparently replaced by a new one.
    - A connection that was idle for `MAX_IDLE_SECONDS`, or is older than the maximum age, is not
      reused, so that a change of the name's addresses takes effect.
    - When a reused connection stays silent until its attempt times out, those that have delivered
      no answer since that attempt began are suspect (a reset NAT table, a dead node) and closed.
    - Bytes after an answer close the connection, and are never taken for the next answer.
    - A sweep that comes late means that the process stalled. What the sockets hold is read first,
      and the stall does not count against the upstream.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final, cast

from docwarden.core.document import Lease
from docwarden.core.errors import Cause, Detail, Failure
from docwarden.core.reasons import FailureReason
from docwarden.net.write_batch import Outbox
from docwarden.upstream.connection import Connection, Received, StaleConnectionError
from docwarden.upstream.dialing import Dialer, failure_of
from docwarden.upstream.origin import Origin
from docwarden.upstream.read_buffer import Arrivals
from docwarden.upstream.response_head import PlainHeads
from docwarden.upstream.response_parser import AnswerReader, Body

# Longer idle connections are more often closed by the other side than useful; nginx keeps 60 s,
# Node's http server 5 s, uvicorn's 5 s, gunicorn's 2 s.
MAX_IDLE_SECONDS: Final = 60.0
# One sweep over all exchanges replaces a timer for each; timeouts may be this late.
SWEEP_SECONDS: Final = 0.02
# A timer this late means that the process stalled, not that the loop was busy.
LATE_SECONDS: Final = 0.1
# The longest extension that exchanges in progress get after a stall.
MAX_EXTENSION_SECONDS: Final = 1.0
# So that connections opened together do not all retire together.
_AGE_JITTER: Final = 0.1


class Pool:
    """Connections to one origin.

    Args:
        origin: where to connect.
        max_connections: how many may be open at once.
        max_body: bytes of the largest document.
        connect_timeout: seconds to open a connection, or to wait for a free one.
        max_age: seconds from which on a connection is not reused, less up to a tenth.
        random: draws uniformly from [0, 1).
        digest: of a body, by which its verdict is known.

    Attributes:
        open: connections that are open or being opened.
        stale: kept-alive connections that had been closed and were replaced.
    """

    def __init__(  # noqa: PLR0913 - its limits, all keywords
        self,
        origin: Origin,
        *,
        max_connections: int,
        max_body: int,
        connect_timeout: float,
        max_age: float,
        random: Callable[[], float],
        digest: Callable[[Body], int],
    ) -> None:
        self.origin = origin
        self._max_connections = max_connections
        self._max_body = max_body
        self._connect_timeout = connect_timeout
        self._max_age = max_age
        self._random = random
        self._digest = digest
        self._loop = asyncio.get_running_loop()
        self._dialer = Dialer(origin, self._loop, lookup_timeout=connect_timeout / 2)
        self._outbox = Outbox(self._loop)
        self._arrivals = Arrivals()
        self._plain = PlainHeads()
        # Time of the last exchange or sweep, so that no clock is read for each return.
        self._now = 0.0
        self._suspect_before = 0.0
        self._idle: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy: set[Connection] = set()
        self._closed = False
        self._sweep_due = 0.0
        self._sweep_handle: asyncio.TimerHandle | None = None
        self.open = 0
        self.stale = 0

    @property
    def idle(self) -> int:
        """The number of idle connections."""
        return len(self._idle)

    async def exchange(
        self,
        request: bytes,
        lease: Lease,
        started: float,
        timeout: float,
        fresh: bool = False,  # noqa: FBT001, FBT002 - a name would slow down each call
    ) -> Received:
        """Send `request` and return its answer within `timeout` seconds of `started`.

        Args:
            request: the complete request.
            lease: grows with the answer's body.
            started: monotonic seconds.
            timeout: seconds, including those to open a connection.
            fresh: whether to open a connection instead of reusing one.

        Raises:
            Failure: with the transport's, the framing's or the limits' cause.
        """
        self._now = started
        expires = started + timeout
        connection = None if fresh else self._reuse(started)
        while True:
            if connection is None:
                connection = await self._connect(expires)
            self._busy.add(connection)
            if self._sweep_handle is None:
                self._sweep_later()
            answer = connection.send(request, lease, started, expires)
            try:
                return await answer
            except StaleConnectionError:
                self.stale += 1
                connection = None
            except asyncio.CancelledError:
                connection.abandon(answer)
                raise

    async def open_ahead(self, limit: float) -> None:
        """Open a connection in advance, to spare the first request the look-up and handshake.

        Failure to do so within `limit` seconds is ignored: requests will report it.
        """
        with suppress(Failure):
            connection = await self._connect(time.monotonic() + limit)
            connection.used = True  # like any idle one, it may have been closed meanwhile
            connection.idle_since = time.monotonic()
            self._idle.append(connection)

    async def close(self) -> None:
        """Close every connection; exchanges in progress fail."""
        self._closed = True
        for connection in [*self._busy, *self._idle]:
            connection.abort()
        self._idle.clear()
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
        self._dialer.close()
        # One turn of the loop lets the transports call `connection_lost`.
        await asyncio.sleep(0)

    # --- time

    def _sweep_later(self) -> None:
        self._sweep_due = time.monotonic() + SWEEP_SECONDS
        self._sweep_handle = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Time out expired exchanges; scheduled only while any is in progress."""
        self._now = now = time.monotonic()
        late = now - self._sweep_due
        self._sweep_handle = None
        if self._busy:
            self._sweep_later()
        self._drop_oldest(now)
        for connection in list(self._busy):
            try:
                if late > LATE_SECONDS:
                    connection.note_stall(late, now, min(late, MAX_EXTENSION_SECONDS))
                elif now >= connection.expires:
                    self._time_out(connection)
            except Exception as error:  # noqa: BLE001 - one connection must not keep others from it
                self._loop.call_exception_handler(
                    {"message": "an exchange could not be ended", "exception": error}
                )

    def _time_out(self, connection: Connection) -> None:
        if connection.used and connection.silent:
            self._suspect_before = max(self._suspect_before, connection.began)
        connection.time_out()

    # --- kept connections

    def _reuse(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            idle_since = connection.idle_since
            if (
                not connection.closed
                and now - idle_since < MAX_IDLE_SECONDS
                and now < connection.retires
                and idle_since >= self._suspect_before
            ):
                return connection
            self._drop(connection)
        return None

    def _take_back(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if not connection.reusable or connection.closed or self._closed:
            self._drop(connection)
            return
        connection.idle_since = self._now
        self._idle.append(connection)
        if self._waiting:
            self._wake()

    def _drop_oldest(self, now: float) -> None:
        """Drop the longest idle connection once it is of no use, so that none stays for ever."""
        if self._idle:
            oldest = self._idle[0]
            if oldest.closed or now - oldest.idle_since >= MAX_IDLE_SECONDS:
                self._drop(self._idle.popleft())

    def _drop(self, connection: Connection) -> None:
        connection.abort()
        self.open -= 1
        self._wake()

    def _wake(self) -> None:
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return

    # --- new connections

    async def _connect(self, expires: float) -> Connection:
        """Return a new connection, or one that became free while all were in use."""
        while True:
            started = time.monotonic()
            limit = min(expires - started, self._connect_timeout)
            try:
                async with asyncio.timeout(limit):
                    return await self._open_or_wait()
            except TimeoutError as error:
                if time.monotonic() - started - max(limit, 0.0) > LATE_SECONDS:
                    # The process stalled: the connection may have been ready in time.
                    if time.monotonic() < expires:
                        continue
                    raise Failure(Cause.STALLED) from error
                raise self._too_late(limit) from error
            except (OSError, MemoryError) as error:
                raise failure_of(error) from error

    def _too_late(self, limit: float) -> Failure:
        if self.open >= self._max_connections:
            return FailureReason.POOL_EXHAUSTED.failure()
        if limit < self._connect_timeout:
            return Failure(Cause.ATTEMPT_TIMEOUT, detail=Detail.NO_ANSWER)
        return FailureReason.CONNECT_TIMEOUT.failure(detail=self._dialer.waiting_for)

    async def _open_or_wait(self) -> Connection:
        while self.open >= self._max_connections:
            free = self._reuse(time.monotonic())
            if free is not None:
                return free
            waiter = self._loop.create_future()
            self._waiting.append(waiter)
            try:
                await waiter
            except asyncio.CancelledError:
                if not waiter.cancelled():
                    self._wake()
                raise
        return await self._open()

    async def _open(self) -> Connection:
        self.open += 1
        try:
            protocol = await self._dialer.dial(self._protocol)
        except BaseException:
            self.open -= 1
            self._wake()
            raise
        connection = cast("Connection", protocol)
        age = self._max_age * (1.0 - _AGE_JITTER * self._random())
        connection.retires = time.monotonic() + age
        return connection

    def _protocol(self) -> asyncio.BaseProtocol:
        reader = AnswerReader(self._max_body, self._arrivals, self._plain)
        connection = Connection(reader, self._loop, self._outbox, self._take_back, self._digest)
        return cast("asyncio.BaseProtocol", connection)
