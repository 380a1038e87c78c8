"""Kept-alive connections to the upstream: at most so many, the most recently used first."""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Awaitable
from typing import Final, cast

from docwarden.core.document import Lease
from docwarden.core.errors import Cause, Failure
from docwarden.net.waiting import in_task
from docwarden.net.write_batch import Outbox
from docwarden.upstream.connection import STALE, Connection
from docwarden.upstream.origin import Origin
from docwarden.upstream.read_buffer import Arrivals
from docwarden.upstream.response_head import PlainHeads
from docwarden.upstream.response_parser import Answer, AnswerReader

# Longer idle connections are more often closed by the other side than useful; nginx keeps 60 s,
# Node's http server 5 s, uvicorn's 5 s, gunicorn's 2 s.
MAX_IDLE_SECONDS: Final = 60.0
# One look at all exchanges replaces a timer for each; attempts may last this much longer.
SWEEP_SECONDS: Final = 0.02


class Pool:
    """Connections to one origin.

    Attributes:
        open: connections that are open or being opened.
        stale: kept-alive connections that had been closed and were replaced.
    """

    def __init__(self, origin: Origin, *, most: int, max_body: int, connect_timeout: float) -> None:
        self.origin = origin
        self._most = most
        self._max_body = max_body
        self._connect_timeout = connect_timeout
        self._loop = asyncio.get_running_loop()
        self._outbox = Outbox(self._loop)
        self._arrivals = Arrivals()
        self._plain = PlainHeads()
        # As of the last exchange's beginning or the last sweep: no clock is read for each return.
        self._now = 0.0
        self._idle: deque[Connection] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy: set[Connection] = set()
        self._closed = False
        self._sweep_handle: asyncio.TimerHandle | None = None
        self.open = 0
        self.stale = 0

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    def exchange(
        self, request: bytes, lease: Lease, started: float, timeout: float
    ) -> Awaitable[Answer]:
        """Send `request`, over an idle connection if there is one; return what brings its answer.

        That ends within `timeout` seconds of `started`, monotonic seconds. Where its status is
        `STALE`, the idle connection had been closed: see `replace`. Who gives it up says so with
        `give_up`. When awaited it raises Failure with the transport's, the framing's or the limits'
        cause.
        """
        self._now = started
        connection = self._reuse(started)
        if connection is None:
            return self._exchange_over_new(request, lease, started, timeout)
        return self._send(connection, request, lease, started + timeout)

    async def replace(self, request: bytes, lease: Lease, started: float, timeout: float) -> Answer:
        """Exchange over another connection than the one that turned out to be closed.

        Raises:
            Failure: with the transport's, the framing's or the limits' cause.
        """
        self.stale += 1
        return await self._exchange_over_new(request, lease, started, timeout)

    async def _exchange_over_new(
        self, request: bytes, lease: Lease, started: float, timeout: float
    ) -> Answer:
        connection = await self._connect(started + timeout - time.monotonic())
        answer = await self._send(connection, request, lease, started + timeout)
        if answer[0] == STALE:
            raise Failure(Cause.RESET)
        return answer

    def _send(
        self, connection: Connection, request: bytes, lease: Lease, expires: float
    ) -> Awaitable[Answer]:
        self._busy.add(connection)
        if self._sweep_handle is None:
            self._sweep_later()
        return connection.send(request, lease, expires)

    def give_up(self) -> None:
        """Close the connections whose answers nobody waits for any more."""
        for connection in list(self._busy):
            connection.give_up()

    async def close(self) -> None:
        """Close every connection; requests under way on them fail."""
        self._closed = True
        for connection in [*self._busy, *self._idle]:
            connection.abort()
        self._idle.clear()
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
        # One turn of the loop lets the transports report that they are gone.
        await asyncio.sleep(0)

    def _sweep_later(self) -> None:
        self._sweep_handle = self._loop.call_later(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """End the exchanges whose time is over; rest while none is under way."""
        self._now = now = time.monotonic()
        for connection in list(self._busy):
            if now >= connection.expires:
                connection.time_out()
        self._sweep_handle = None
        if self._busy:
            self._sweep_later()

    def _reuse(self, now: float) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.closed and now - connection.idle_since < MAX_IDLE_SECONDS:
                return connection
            self._drop(connection)
        return None

    def _take_back(self, connection: Connection) -> None:
        self._busy.discard(connection)
        if connection.reusable and not connection.closed and not self._closed:
            now = connection.idle_since = self._now
            self._idle.append(connection)
            if self._waiting:
                self._wake()
            # The longest idle one is at the left; look at it so that none stays for ever.
            oldest = self._idle[0]
            if oldest.closed or now - oldest.idle_since >= MAX_IDLE_SECONDS:
                self._drop(self._idle.popleft())
        else:
            self._drop(connection)

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

    async def _connect(self, timeout: float) -> Connection:
        """Return a new connection, or one that has become free while all were taken."""
        await in_task()
        try:
            async with asyncio.timeout(min(timeout, self._connect_timeout)):
                while self.open >= self._most:
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
        except TimeoutError as error:
            if self.open >= self._most:
                raise Failure(Cause.OVERLOADED, "pool-exhausted") from error
            if timeout < self._connect_timeout:
                raise Failure(Cause.ATTEMPT_TIMEOUT) from error
            raise Failure(Cause.CONNECT, "connect-timeout") from error
        except ssl.SSLError as error:
            raise Failure(Cause.CONNECT, "tls-failed") from error
        except OSError as error:
            raise Failure(Cause.CONNECT) from error

    async def _open(self) -> Connection:
        self.open += 1
        try:
            _, protocol = await self._loop.create_connection(
                self._protocol, self.origin.host, self.origin.port, ssl=self.origin.tls
            )
        except BaseException:
            self.open -= 1
            self._wake()
            raise
        return cast("Connection", protocol)

    def _protocol(self) -> asyncio.BaseProtocol:
        reader = AnswerReader(self._max_body, self._arrivals, self._plain)
        connection = Connection(reader, self._outbox, self._loop, self._take_back)
        return cast("asyncio.BaseProtocol", connection)
