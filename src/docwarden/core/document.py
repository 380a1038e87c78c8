"""A verified document, and the memory that bodies in progress may hold together."""

from collections import deque
from collections.abc import Callable

from docwarden.core.errors import Failure
from docwarden.net.write_batch import Bytes


class Lease:
    """A share of the memory allowance; held by as many as `share` it, given back by the last."""

    __slots__ = ("_holders", "_memory", "size")

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory
        self._holders = 1
        self.size = 0

    def grow(self, size: int) -> bool:
        """Take `size` more bytes at once; False where there is no room or others wait for it."""
        memory = self._memory
        if memory.held + size > memory.max or memory.waiting:
            memory.refused = max(memory.refused, size)
            return False
        memory.held += size
        self.size += size
        return True

    def grow_later(self, size: int, granted: Callable[[], None]) -> None:
        """Take `size` more bytes as soon as there is room, in order of arrival, then tell."""
        self._memory.queue(self, size, granted)

    def share(self) -> None:
        """Count one more holder."""
        self._holders += 1

    def release(self) -> None:
        """Give the memory back when the last holder releases; further calls do nothing."""
        self._holders -= 1
        if self._holders == 0:
            memory = self._memory
            memory.held -= self.size
            self.size = 0
            if memory.waiting:
                memory.serve_others(self)

    def exchange(self, size: int) -> "Lease":
        """Return a lease of `size` bytes for a copy that stands in for this holder's share.

        There is always room for it, since it is a part of what was held.
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
        max: how many there are.
        held: how many are taken.
        refused: the most that was asked for in vain since `take_missing`.
        waiting: leases that wait for room, with how much they need and whom to tell.
    """

    __slots__ = ("_serving", "held", "max", "refused", "waiting")

    def __init__(self, maximum: int) -> None:
        self.max = maximum
        self.held = 0
        self.refused = 0
        self._serving = False
        self.waiting: deque[tuple[Lease, int, Callable[[], None]]] = deque()

    def take_missing(self) -> int:
        """Return how many bytes were missing for those who wait, or were refused since last asked.

        It is 0 when nobody was short of memory.
        """
        needed = max(self.refused, self.waiting[0][1] if self.waiting else 0)
        self.refused = 0
        return max(0, self.held + needed - self.max) if needed else 0

    def queue(self, lease: Lease, size: int, granted: Callable[[], None]) -> None:
        """Hold `size` more bytes for `lease` when there is room, then call `granted`."""
        self.waiting.append((lease, size, granted))
        self._serve()

    def serve_others(self, released: Lease) -> None:
        """Forget what `released` waited for, and give the room to those who wait."""
        self.waiting = deque(row for row in self.waiting if row[0] is not released)
        self._serve()

    def _serve(self) -> None:
        if self._serving:
            return  # who was told has given room back: the loop below goes on with it
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
        replaces: why no fresh one could be had, for a copy from the store.
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
    """Release what a document holds, for a holder that will not send it."""
    if document.lease is not None:
        document.lease.release()


def add_holder(document: Document) -> None:
    """Count one more holder of a document."""
    if document.lease is not None:
        document.lease.share()
