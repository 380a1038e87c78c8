"""Kept-alive connections to the upstream: at most so many, the most recently used first."""

import asyncio
import ssl
from collections import deque
from typing import Final

from docwarden.document import Lease
from docwarden.errors import Cause, Failure
from docwarden.upstream.connection import Answer, Connection, StaleConnectionError
from docwarden.upstream.origin import Origin

# Longer idle connections are more often closed by the other side than useful; nginx keeps 60 s,
# Node's http server 5 s, uvicorn's 5 s, gunicorn's 2 s.
MAX_IDLE_SECONDS: Final = 60.0


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
        self._idle: deque[tuple[Connection, float]] = deque()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._busy: set[Connection] = set()
        self._closed = False
        self.open = 0
        self.stale = 0

    @property
    def idle(self) -> int:
        """Connections that wait for a request."""
        return len(self._idle)

    async def exchange(self, request: bytes, lease: Lease, timeout: float) -> Answer:
        """Send `request` and return its answer within `timeout` seconds.

        A kept-alive connection that turns out to be closed is replaced once, by a new one.

        Raises:
            Failure: with the transport's, the framing's or the limits' cause.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + timeout
        connection = self._reuse(loop.time())
        if connection is not None:
            try:
                return await self._use(connection, request, lease, timeout)
            except StaleConnectionError:
                self.stale += 1
        connection = await self._connect(end)
        try:
            return await self._use(connection, request, lease, end - loop.time())
        except StaleConnectionError:
            raise Failure(Cause.RESET) from None

    async def close(self) -> None:
        """Close every connection; requests under way on them fail."""
        self._closed = True
        for connection in [*self._busy, *(each for each, _ in self._idle)]:
            connection.abort()
        self._idle.clear()
        # One turn of the loop lets the transports report that they are gone.
        await asyncio.sleep(0)

    async def _use(
        self, connection: Connection, request: bytes, lease: Lease, timeout: float
    ) -> Answer:
        self._busy.add(connection)
        try:
            return await connection.exchange(request, lease, timeout)
        finally:
            self._busy.discard(connection)
            self._return(connection)

    def _reuse(self, now: float) -> Connection | None:
        while self._idle:
            connection, since = self._idle.pop()
            if not connection.closed and now - since < MAX_IDLE_SECONDS:
                return connection
            self._drop(connection)
        return None

    def _return(self, connection: Connection) -> None:
        if connection.reusable and not connection.closed and not self._closed:
            now = asyncio.get_running_loop().time()
            self._idle.append((connection, now))
            self._wake()
            # The longest idle one is at the left; look at it so that none stays for ever.
            if now - self._idle[0][1] >= MAX_IDLE_SECONDS or self._idle[0][0].closed:
                self._drop(self._idle.popleft()[0])
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

    async def _connect(self, end: float) -> Connection:
        """Return a new connection, or one that has become free while all were taken."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout_at(min(end, loop.time() + self._connect_timeout)):
                while self.open >= self._most:
                    waiter = loop.create_future()
                    self._waiting.append(waiter)
                    try:
                        await waiter
                    except asyncio.CancelledError:
                        if not waiter.cancelled():
                            self._wake()
                        raise
                    free = self._reuse(loop.time())
                    if free is not None:
                        return free
                return await self._open(loop)
        except TimeoutError as error:
            reason = "connect-timeout" if self.open < self._most else "pool-exhausted"
            raise Failure(Cause.CONNECT, reason) from error
        except ssl.SSLError as error:
            raise Failure(Cause.CONNECT, "tls-failed") from error
        except OSError as error:
            raise Failure(Cause.CONNECT) from error

    async def _open(self, loop: asyncio.AbstractEventLoop) -> Connection:
        self.open += 1
        try:
            _, connection = await loop.create_connection(
                lambda: Connection(self._max_body),
                self.origin.host,
                self.origin.port,
                ssl=self.origin.tls,
            )
        except BaseException:
            self.open -= 1
            self._wake()
            raise
        return connection
