"""A limited capacity: so many requests are served at once, while the others wait."""

import asyncio
from collections import deque


class Slots:
    """Slots for requests, first come first served; `capacity` may change at any time."""

    def __init__(self, capacity: int | None) -> None:
        self._capacity = capacity
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def limited(self) -> bool:
        """Whether requests may have to wait."""
        return self._capacity is not None

    def resize(self, capacity: int | None) -> None:
        """Change the capacity; None is no limit."""
        self._capacity = capacity
        self._admit()

    async def take(self) -> None:
        """Wait for a slot and take it; cancellation releases it."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Release a slot that was taken."""
        self._taken -= 1
        self._admit()

    def _admit(self) -> None:
        while self._waiting and (self._capacity is None or self._taken < self._capacity):
            turn = self._waiting.popleft()
            if not turn.done():  # unless it was cancelled
                self._taken += 1
                turn.set_result(None)
