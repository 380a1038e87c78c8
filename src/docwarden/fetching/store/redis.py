"""Copies in Redis, shared by workers and replicas.

An unreachable server counts as an empty store: a read costs its timeout at most, and after a few
failures in a row nothing for a while (a breaker lets one request at a time probe); a write never
blocks a request.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, Final

from docwarden.core.cancellation import end
from docwarden.fetching.resilience.breaker import Breaker, Change
from docwarden.fetching.store.entry import OVERHEAD, VERSION, Copy, WrongCopyError, decode, encode
from docwarden.fetching.store.redis_url import address

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

PREFIX: Final = f"docwarden:copy:{VERSION}:"

CONNECTIONS: Final = 8
"""Connections to Redis at most; a round trip takes well under a millisecond."""

READS_AT_ONCE: Final = 256
"""Concurrent reads above which one finds no copy: queueing would look like a dead server."""

DRAIN: Final = 1.0
"""Seconds that closing waits for queued writes."""


class RedisMissingError(RuntimeError):
    """The client library is not installed."""


class RedisStore:
    """Keeps copies in a Redis server. None of its methods raises or waits longer than `timeout`.

    Args:
        url: See `docwarden.fetching.store.redis_url`.
        ttl: Seconds that a copy may be served after it was stored.
        max_bytes: Bytes of the queue of writes, and so of the largest copy.
        timeout: Seconds for one operation, connecting and TLS included.
        clock: Monotonic seconds.
        wall_clock: Seconds since the epoch.
        random: Draws uniformly from [0, 1).
        on_change: Called when the server is given up for a while, and when it answers again.

    Attributes:
        errors: Failed operations: `get`, `put`, `decode` for wrong bytes, and `busy` for
            reads that were not made because too many were under way.
        dropped: Copies not written because the queue was full or the server unreachable.
        last_error: Type of the last failure, empty before the first.

    Raises:
        ValueError: The URL is not valid.
        RedisMissingError: The client library is not installed.
    """

    def __init__(  # noqa: PLR0913 - the settings of the store, and the three things passed in
        self,
        url: str,
        *,
        ttl: float,
        max_bytes: int,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
        random: Callable[[], float],
        timeout: float = 0.250,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self._address = address(url)
        self._ttl = ttl
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._clock = clock
        self._wall_clock = wall_clock
        self._client, self._refusal = _connect(url, timeout)
        # Outages last seconds, not the half minute that is assumed of an upstream.
        self._breaker = Breaker(
            random=random,
            consecutive_failures=3,
            opening=1.0,
            longest_opening=10.0,
            on_change=self._changed,
        )
        self._on_change = on_change
        self._unwritten: OrderedDict[str, Copy] = OrderedDict()
        self._unwritten_bytes = 0
        self._writer: asyncio.Task[None] | None = None
        self.errors: dict[str, int] = {"get": 0, "put": 0, "decode": 0, "busy": 0}
        self._reads = 0
        self.dropped = 0
        self.last_error = ""

    def __repr__(self) -> str:
        return f"RedisStore({self._address})"

    async def get(self, document_id: str) -> Copy | None:
        """Return the copy of the document, unless there is no intact one or it is too old."""
        if self._reads >= READS_AT_ONCE:
            self.errors["busy"] += 1
            return None
        key, last = PREFIX + document_id, self._max_bytes + OVERHEAD
        self._reads += 1
        try:
            # A range, so that whatever is stored there, no more is read than a copy can have.
            data = await self._use("get", lambda: self._client.getrange(key, 0, last))
        finally:
            self._reads -= 1
        if not data:
            return None
        try:
            copy = decode(document_id, data)
        except WrongCopyError as error:
            self._count("decode", error)
            return None
        return copy if self._wall_clock() - copy.stored_at <= self._ttl else None

    def put(self, document_id: str, copy: Copy) -> None:
        """Queue the copy to be written in the background, or drop it if the queue is full."""
        self._forget(document_id)
        if self._unwritten_bytes + len(copy.body) > self._max_bytes:
            self.dropped += 1
            return
        self._unwritten[document_id] = copy
        self._unwritten_bytes += len(copy.body)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_all())

    async def close(self) -> None:
        """Flush queued writes for a second at most, and disconnect."""
        if self._writer is not None:
            await asyncio.wait((self._writer,), timeout=DRAIN)
            await end((self._writer,))
        self.dropped += len(self._unwritten)
        self._unwritten.clear()
        self._unwritten_bytes = 0
        with contextlib.suppress(Exception):  # nothing is lost with a connection that ends badly
            await self._client.aclose()

    async def _write_all(self) -> None:
        while self._unwritten:
            document_id = next(iter(self._unwritten))
            copy = self._forget(document_id)
            if copy is not None and not await self._write(document_id, copy):
                self.dropped += 1

    async def _write(self, document_id: str, copy: Copy) -> bool:
        data = encode(document_id, copy)
        milliseconds = max(1, int(self._ttl * 1000))
        written = await self._use(
            "put", lambda: self._client.set(PREFIX + document_id, data, px=milliseconds)
        )
        return written is not None

    def _forget(self, document_id: str) -> Copy | None:
        copy = self._unwritten.pop(document_id, None)
        if copy is not None:
            self._unwritten_bytes -= len(copy.body)
        return copy

    async def _use(self, operation: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Return the server's answer, or None if there is no valid one in time."""
        permit = self._breaker.try_acquire(self._clock())
        if permit is None:
            return None
        try:
            async with asyncio.timeout(self._timeout):
                answer = await call()
        except self._refusal as error:
            # The server is up and refuses: out of memory, read-only, another type of value.
            self._count(operation, error)
            self._breaker.succeeded(permit, self._clock())
            return None
        except Exception as error:  # noqa: BLE001 - a hostile server can make the parser raise any
            self._count(operation, error)
            self._breaker.failed(permit, self._clock())
            return None
        except BaseException:
            self._breaker.abandoned(permit, self._clock())
            raise
        self._breaker.succeeded(permit, self._clock())
        return answer

    def _changed(self, change: Change) -> None:
        if self._on_change is not None:
            self._on_change(change._replace(cause=self.last_error))

    def _count(self, operation: str, error: Exception) -> None:
        self.errors[operation] += 1
        self.last_error = type(error).__name__


def _connect(url: str, timeout: float) -> tuple[Any, type[Exception]]:
    """Return a client, and the exception type of error replies."""
    try:
        # Only needed where Redis is configured: the extra docwarden[redis].
        from redis.asyncio import BlockingConnectionPool, Redis  # noqa: PLC0415 - see above
        from redis.asyncio.retry import Retry  # noqa: PLC0415 - see above
        from redis.backoff import NoBackoff  # noqa: PLC0415 - see above
        from redis.exceptions import ResponseError  # noqa: PLC0415 - see above
    except ImportError as error:
        raise RedisMissingError(
            "a Redis store needs the Redis client: pip install 'docwarden[redis]'"
        ) from error
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=CONNECTIONS,
        timeout=timeout,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool), ResponseError
