"""Kept-alive connections to the upstream: at most so many, the most recently used first."""

import asyncio
import ssl
import time
from collections import deque
from typing import Final, cast

from docwarden.document import Lease
from docwarden.errors import Cause, Failure
from docwarden.outbox import Outbox
from docwarden.upstream.arrivals import Arrivals
from docwarden.upstream.connection import Answer, Connection, StaleConnectionError
from docwarden.upstream.origin import Origin

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

    async def exchange(
        self, request: bytes, lease: Lease, started: float, timeout: float
    ) -> Answer:
        """Send `request` and return its answer within `timeout` seconds of `started`.

        A kept-alive connection that turns out to be closed is replaced once, by a new one.

        Raises:
            Failure: with the transport's, the framing's or the limits' cause.
        """
        self._now = started
        connection = self._reuse(started)
        may_be_stale = connection is not None
        while True:
            if connection is None:
                connection = await self._connect(timeout)
            self._busy.add(connection)
            if self._sweep_handle is None:
                self._sweep_later()
            try:
                return await connection.send(request, lease, started + timeout)
            except StaleConnectionError:
                if not may_be_stale:
                    raise Failure(Cause.RESET) from None
                self.stale += 1
                may_be_stale = False
            except asyncio.CancelledError:
                connection.abort()
                raise
            finally:
                connection.rest()
                self._busy.discard(connection)
                self._return(connection)
            connection = None

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

    def _return(self, connection: Connection) -> None:
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
        try:
            async with asyncio.timeout(min(timeout, self._connect_timeout)):
                while self.open >= self._most:
                    waiter = self._loop.create_future()
                    self._waiting.append(waiter)
                    try:
                        await waiter
                    except asyncio.CancelledError:
                        if not waiter.cancelled():
                            self._wake()
                        raise
                    free = self._reuse(time.monotonic())
                    if free is not None:
                        return free
                return await self._open()
        except TimeoutError as error:
            reason = "connect-timeout" if self.open < self._most else "pool-exhausted"
            raise Failure(Cause.CONNECT, reason) from error
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
        connection = Connection(self._max_body, self._arrivals, self._outbox, self._loop)
        return cast("asyncio.BaseProtocol", connection)
