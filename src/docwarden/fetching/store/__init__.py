"""Last verified copies of documents, to stand in when the upstream fails (RFC 5861)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from docwarden.fetching.store.entry import Copy
from docwarden.fetching.store.memory import MemoryStore
from docwarden.fetching.store.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from docwarden.fetching.resilience.breaker import Change

__all__ = ["Copy", "MemoryStore", "RedisStore", "open_store"]


def open_store(  # noqa: PLR0913 - the settings of the store, and the two things passed in
    url: str,
    *,
    ttl: float,
    max_bytes: int,
    clock: Callable[[], float],
    wall_clock: Callable[[], float],
    random: Callable[[], float],
    on_change: Callable[[Change], None] | None = None,
) -> MemoryStore | RedisStore | None:
    """Return the store that `url` names, or None when copies have no time to live.

    It does not connect yet: an unreachable store must not prevent the start.

    Args:
        url: `memory://`, or `redis://` or `rediss://` with `[[USER]:PASSWORD@]HOST[:PORT][/DB]`.
        ttl: Seconds that a copy may be served after it was stored.
        max_bytes: Size of the store in memory; for Redis, of the queue of writes, and so of
            one copy.
        clock: Monotonic seconds.
        wall_clock: Seconds since the epoch.
        random: Draws uniformly from [0, 1).
        on_change: Called when the server is given up for a while, and when it answers again.

    Raises:
        ValueError: The URL is none of these; the message does not quote it.
        RedisMissingError: The URL asks for Redis and its client is not installed.
    """
    if ttl <= 0.0:
        return None
    if url == "memory://":
        return MemoryStore(max_bytes, ttl=ttl, wall_clock=wall_clock)
    if url.startswith(("redis://", "rediss://")):
        return RedisStore(
            url,
            ttl=ttl,
            max_bytes=max_bytes,
            clock=clock,
            wall_clock=wall_clock,
            random=random,
            on_change=on_change,
        )
    raise ValueError("a store is memory://, redis://HOST:PORT/DB or rediss://HOST:PORT/DB")
