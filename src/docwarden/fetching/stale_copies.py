"""Last verified copies of documents, between the fetch and the store (RFC 5861 stale-if-error)."""

from collections.abc import Callable

from docwarden.core.document import Document, Lease, Memory
from docwarden.fetching.store import Copy, MemoryStore, RedisStore
from docwarden.integrity.registry import MEDIA_TYPES
from docwarden.telemetry.metrics import Metrics


class Copies:
    """Stores verified documents, and finds them again while they are fresh enough."""

    def __init__(
        self,
        store: MemoryStore | RedisStore,
        *,
        max_age: float,
        memory: Memory,
        metrics: Metrics,
        wall_clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._max_age = max_age
        self._memory = memory
        self._metrics = metrics
        self._wall_clock = wall_clock

    def keep(self, document_id: str, document: Document) -> None:
        """Store a document that was just verified."""
        copy = Copy(
            bytes(document.body),
            document.media_type,
            document.etag.decode("ascii"),
            self._wall_clock(),
        )
        self._store.put(document_id, copy)

    async def find(self, document_id: str) -> Document | None:
        """Return the last verified copy, unless there is none or it is too old."""
        copy = await self._store.get(document_id)
        age = 0.0 if copy is None else max(0.0, self._wall_clock() - copy.stored_at)
        usable = copy is not None and age <= self._max_age and copy.media_type in MEDIA_TYPES
        self._metrics.store_lookups["hit" if usable else "miss"] += 1
        if copy is None or not usable:
            return None
        lease = Lease(self._memory)
        if not lease.grow(len(copy.body)):
            lease.release()
            return None
        return Document(
            copy.body,
            copy.media_type,
            MEDIA_TYPES[copy.media_type].extension.encode(),
            copy.etag.encode("ascii"),
            lease,
            age,
        )

    async def close(self) -> None:
        """Flush queued writes, and close the store."""
        await self._store.close()
