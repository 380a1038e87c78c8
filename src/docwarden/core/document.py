"""Verified documents, and the memory that all bodies in progress may hold together."""

from collections import deque
from collections.abc import Callable

from docwarden.core.errors import Failure
from docwarden.net.write_batch import Bytes


class Lease:
    """A share of the memory allowance; counts its holders, and is returned by the last."""

    __slots__ = ("_holders", "_memory", "size")

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory
        self._holders = 1
        self.size = 0

    def grow(self, size: int) -> bool:
        """Take `size` more bytes now; False if there is no room, or others wait for it."""
        memory = self._memory
        if memory.held + size > memory.max or memory.waiting:
            memory.refused = max(memory.refused, size)
            return False
        memory.held += size
        self.size += size
        return True

    def grow_later(self, size: int, granted: Callable[[], None]) -> None:
        """Take `size` more bytes when there is room, in order of arrival, then call `granted`."""
        self._memory.queue(self, size, granted)

    def share(self) -> None:
        """Add a holder."""
        self._holders += 1

    def release(self) -> None:
        """Return the memory when the last holder releases; further calls do nothing."""
        self._holders -= 1
        if self._holders == 0:
            memory = self._memory
            memory.held -= self.size
            self.size = 0
            if memory.waiting:
                memory.serve_others(self)

    def exchange(self, size: int) -> "Lease":
        """Release this holder's share, and return a lease of `size` bytes for a partial copy.

        It always has room, being a part of what was held.
        """
        memory = self._memory
        part = Lease(memory)
        part.size = size
        memory.held += size
        self.release()
        return part

    @property
    def released(self) -> bool:
        """Whether the last holder has released it."""
        return self._holders <= 0


class Memory:
    """The allowance in bytes for all bodies in progress together; shares of it are leases.

    Attributes:
        max: the allowance.
        held: how many are leased.
        refused: the largest request that was refused since `take_missing`.
        waiting: leases that wait for room, with the bytes they need and their callbacks.
    """

    __slots__ = ("_serving", "held", "max", "refused", "waiting")

    def __init__(self, maximum: int) -> None:
        self.max = maximum
        self.held = 0
        self.refused = 0
        self._serving = False
        self.waiting: deque[tuple[Lease, int, Callable[[], None]]] = deque()

    def take_missing(self) -> int:
        """Return the bytes short for waiting leases, or for requests refused since the last call.

        It is 0 if no request was short of memory.
        """
        needed = max(self.refused, self.waiting[0][1] if self.waiting else 0)
        self.refused = 0
        return max(0, self.held + needed - self.max) if needed else 0

    def queue(self, lease: Lease, size: int, granted: Callable[[], None]) -> None:
        """Take `size` more bytes for `lease` when there is room, then call `granted`."""
        self.waiting.append((lease, size, granted))
        self._serve()

    def serve_others(self, released: Lease) -> None:
        """Drop the requests of `released`, and serve those that wait."""
        self.waiting = deque(row for row in self.waiting if row[0] is not released)
        self._serve()

    def _serve(self) -> None:
        if self._serving:
            return  # called by `granted`, which has released some: the loop below takes it up
        self._serving = True
        try:
            while self.waiting and self.held + self.waiting[0][1] <= self.max:
                lease, size, granted = self.waiting.popleft()
                self.held += size
                lease.size += size
                granted()
        finally:
            self._serving = False


class Document:
    """An intact document.

    Attributes:
        body: its bytes.
        media_type: what the bytes are.
        extension: file name extension of the media type, without the dot.
        etag: strong entity tag, quotes included (RFC 9110 section 8.8.3).
        lease: the memory that the body holds.
        age: seconds since it was verified, for a copy from the store; None when fresh.
        replaces: why there is no fresh one, for a copy from the store.
    """

    __slots__ = ("age", "body", "etag", "extension", "lease", "media_type", "replaces")

    def __init__(  # noqa: PLR0913, PLR0917 - a record; a dataclass that is frozen takes thrice the time
        self,
        body: Bytes,
        media_type: str,
        extension: bytes,
        etag: bytes,
        lease: Lease | None = None,
        age: float | None = None,
    ) -> None:
        self.body = body
        self.media_type = media_type
        self.extension = extension
        self.etag = etag
        self.lease = lease
        self.age = age
        self.replaces: Failure | None = None


def release(document: Document) -> None:
    """Release a document's lease, for a holder that will not send it."""
    if document.lease is not None:
        document.lease.release()


def add_holder(document: Document) -> None:
    """Add a holder of a document."""
    if document.lease is not None:
        document.lease.share()
