"""Copies in this process's memory; the least recently used are evicted first."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from docwarden.fetching.store.entry import Copy

ENTRY_SIZE: Final = 600
"""Bytes that an entry takes beside its body (object, strings, table), rounded up."""


class MemoryStore:
    """Keeps copies up to a number of bytes, each worker its own.

    Args:
        max_bytes: Bytes that all entries may take together.
        ttl: Seconds that a copy may be served after it was stored.
        wall_clock: Seconds since the epoch.

    Attributes:
        size: Bytes that the entries take.
        errors: Failed uses by operation; memory does not fail.
        dropped: Copies not kept because they are larger than the store.
    """

    __slots__ = ("_copies", "_max_bytes", "_ttl", "_wall_clock", "dropped", "errors", "size")

    def __init__(self, max_bytes: int, *, ttl: float, wall_clock: Callable[[], float]) -> None:
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._wall_clock = wall_clock
        self._copies: OrderedDict[str, Copy] = OrderedDict()
        self.size = 0
        self.dropped = 0
        self.errors: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._copies)

    async def get(self, document_id: str) -> Copy | None:
        """Return the copy of the document, unless there is none or it is too old."""
        copy = self._copies.get(document_id)
        if copy is None:
            return None
        if self._wall_clock() - copy.stored_at > self._ttl:
            self._remove(document_id)
            return None
        self._copies.move_to_end(document_id)
        return copy

    def put(self, document_id: str, copy: Copy) -> None:
        """Store the copy in place of an earlier one, and evict others until it fits."""
        self._remove(document_id)
        size = len(copy.body) + ENTRY_SIZE
        if size > self._max_bytes:
            self.dropped += 1
            return
        self._copies[document_id] = copy
        self.size += size
        while self.size > self._max_bytes:
            self._remove(next(iter(self._copies)))

    async def close(self) -> None:
        """Forget all copies."""
        self._copies.clear()
        self.size = 0

    def _remove(self, document_id: str) -> None:
        copy = self._copies.pop(document_id, None)
        if copy is not None:
            self.size -= len(copy.body) + ENTRY_SIZE
