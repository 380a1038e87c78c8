"""Batches the writes of one turn of the event loop, and makes them at its end.

A write wakes the process at the other end if it sleeps, which costs the writer more than the write
itself. If writes to it follow each other at once, only the first of them wakes it; so what a write
calls back comes after the last of them. docs/explanation/performance.md has what this saves.
"""

import asyncio
from collections.abc import Callable

Bytes = bytes | bytearray | memoryview
"""A body, or the part of one that a range asks for; read-only by agreement."""


class Outbox:
    """Batches writes; for one event loop.

    Attributes:
        batches: how many have been written.
    """

    __slots__ = ("_loop", "_writes", "batches")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.batches = 0
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

        `written` is called when the transport has taken them, after all writes of this turn; never
        if it is closed.
        """
        if not self._writes:
            self._loop.call_soon(self.flush)
        self._writes.append((transport, pieces, written))

    def flush(self) -> None:
        """Write now, for instance before a transport is closed."""
        writes, self._writes = self._writes, []
        self.batches += 1
        for transport, pieces, _ in writes:
            try:
                # Aborted meanwhile: nobody would read it.
                if not transport.is_closing():
                    transport.writelines(pieces)
            except Exception as error:  # noqa: BLE001 - the others must still be written
                self._give_up(transport, error)
        # Not between the writes: the other side would fall asleep again.
        for transport, _, written in writes:
            try:
                if written is not None and not transport.is_closing():
                    written()
            except Exception as error:  # noqa: BLE001 - the others must still be told
                self._give_up(transport, error)

    def _give_up(self, transport: asyncio.Transport, error: Exception) -> None:
        transport.abort()
        self._loop.call_exception_handler(
            {"message": "a write to a connection failed", "exception": error}
        )
