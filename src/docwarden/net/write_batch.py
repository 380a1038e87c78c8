"""What one turn of the event loop has to write, written together at its end.

A write wakes the process at the other end if it sleeps, which costs the writer more than the write
itself. One that is given its bytes in a row, at once, is woken by the first of them.
docs/explanation/performance.md has what this saves.
"""

import asyncio

Bytes = bytes | bytearray | memoryview
"""A body, or the part of one that a range asks for; read-only by agreement."""


class Outbox:
    """Collects writes; for one event loop."""

    __slots__ = ("_loop", "_writes")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._writes: list[tuple[asyncio.Transport, tuple[Bytes, ...]]] = []

    def put(self, transport: asyncio.Transport, pieces: tuple[Bytes, ...]) -> None:
        """Write `pieces` to `transport` at the end of this turn, in one system call."""
        if not self._writes:
            self._loop.call_soon(self.flush)
        self._writes.append((transport, pieces))

    def flush(self) -> None:
        """Write now, for a transport that is to be closed."""
        writes, self._writes = self._writes, []
        for transport, pieces in writes:
            # What was aborted meanwhile has nobody left to read.
            if not transport.is_closing():
                transport.writelines(pieces)
