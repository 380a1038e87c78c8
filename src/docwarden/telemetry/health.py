"""The health of the process.

Liveness fails only when work in flight makes no progress: a request that has exceeded every
timeout, or a stalled event loop. Being idle never fails it. Readiness says whether this process
takes requests; it does not depend on the upstream, as one outage would then drain every replica at
once.
"""

import asyncio
import enum
from collections.abc import Callable
from typing import Final

BEAT_SECONDS: Final = 0.1
# The worst stall is kept for one to two of these, so that a scrape every minute sees it.
_STALL_WINDOW: Final = 60.0
# What a request may take beyond its deadline: scheduling on a busy host, building the answer.
GRACE_SECONDS: Final = 5.0


class Phase(enum.StrEnum):
    """The phase of the life of the process; each is followed only by later ones."""

    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    CLOSING = "closing"


class Health:
    """The process's phase and the progress of its work.

    Attributes:
        in_flight: when each request in flight began, monotonic seconds, oldest first. Handlers add
            their request, and remove it however it ends.
    """

    def __init__(self, *, clock: Callable[[], float], longest_request: float) -> None:
        self._clock = clock
        self._longest = longest_request + GRACE_SECONDS
        self.in_flight: dict[object, float] = {}
        self.phase = Phase.STARTING

    @property
    def draining(self) -> bool:
        """Whether clients should go elsewhere."""
        return self.phase in (Phase.DRAINING, Phase.CLOSING)

    def stuck_seconds(self) -> float:
        """Return the seconds by which the oldest request exceeds its limits, 0 if it does not."""
        oldest = next(iter(self.in_flight.values()), None)
        return 0.0 if oldest is None else max(0.0, self._clock() - oldest - self._longest)

    @property
    def alive(self) -> bool:
        """Whether work makes progress."""
        return self.stuck_seconds() == 0.0


class LoopWatch:
    """Measures stalls of the event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._expected = 0.0
        self._handle: asyncio.TimerHandle | None = None
        self._worst_before = 0.0
        self._worst_now = 0.0
        self._turned = 0.0

    def start(self) -> None:
        """Start measuring."""
        self._turned = self._loop.time()
        self._schedule()

    def stop(self) -> None:
        """Stop measuring."""
        if self._handle is not None:
            self._handle.cancel()

    @property
    def worst_stall(self) -> float:
        """Seconds of the longest stall within the last minute or two."""
        return max(self._worst_before, self._worst_now)

    def _schedule(self) -> None:
        self._expected = self._loop.time() + BEAT_SECONDS
        self._handle = self._loop.call_at(self._expected, self._beat)

    def _beat(self) -> None:
        now = self._loop.time()
        self._worst_now = max(self._worst_now, now - self._expected)
        if now - self._turned >= _STALL_WINDOW:
            self._worst_before, self._worst_now, self._turned = self._worst_now, 0.0, now
        self._schedule()
