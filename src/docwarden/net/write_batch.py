"""What one turn of the event loop has to write, written together at its end.

A write wakes the process at the other end if it sleeps, which costs the writer more than the write
itself. One that is given its bytes in a row, at once, is woken by the first of them.
docs/explanation/performance.md has what this saves.
"""

import asyncio
from collections.abc import Callable

Bytes = bytes | bytearray | memoryview
"""A body, or the part of one that a range asks for; read-only by agreement."""


class Outbox:
    """Collects writes; for one event loop."""

    __slots__ = ("_loop", "_writes")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._writes: list[
            tuple[asyncio.Transport, tuple[Bytes, ...], Callable[[], object] | None]
        ] = []

    def put(
        self,
        transport: asyncio.Transport,
        pieces: tuple[Bytes, ...],
        written: Callable[[], object] | None = None,
    ) -> None:
        """Write `pieces` to `transport` at the end of this turn, in one system call.

        `written` is called when the transport has taken them, which one that is closed never does.
        """
        if not self._writes:
            self._loop.call_soon(self.flush)
        self._writes.append((transport, pieces, written))

    def flush(self) -> None:
        """Write now, for a transport that is to be closed."""
        writes, self._writes = self._writes, []
        for transport, pieces, written in writes:
            # What was aborted meanwhile has nobody left to read.
            if transport.is_closing():
                continue
            try:
                transport.writelines(pieces)
                if written is not None:
                    written()
            except Exception as error:  # noqa: BLE001 - the others still have to be written
                self._give_up(transport, error)

    def _give_up(self, transport: asyncio.Transport, error: Exception) -> None:
        transport.abort()
        self._loop.call_exception_handler(
            {"message": "a write to a connection failed", "exception": error}
        )
