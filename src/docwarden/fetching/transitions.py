"""Log events for changes of state, each with its cause and duration."""

from collections.abc import Callable

from docwarden.fetching.resilience.breaker import Change, State
from docwarden.fetching.resilience.limiter import FloorChange
from docwarden.net.units import format_duration
from docwarden.telemetry.logs import Log


class Transitions:
    """Logs the changes of state of the parts of one gateway.

    Args:
        log: takes the events.
        clock: monotonic seconds.
    """

    def __init__(self, log: Log, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._at_floor_since = 0.0
        self._store_is_lost = False

    def breaker(self, change: Change) -> None:
        """Log that the circuit breaker has opened or closed."""
        seconds = round(change.seconds, 3)
        lasts = format_duration(round(seconds, 1))
        if change.state is State.OPEN:
            self._log.event(
                "error",
                "breaker.opened",
                f"no requests go upstream for {lasts}: {change.cause}",
                cause=change.cause,
                duration_s=seconds,
                openings_in_a_row=change.openings,
            )
        else:
            self._log.event(
                "info",
                "breaker.closed",
                f"the upstream answers again after {lasts}",
                duration_s=seconds,
                openings_in_a_row=change.openings,
            )

    def limiter(self, change: FloorChange) -> None:
        """Log that the concurrency limit has reached its floor, or has left it."""
        now = self._clock()
        if change.at_floor:
            self._at_floor_since = now
            cause = (
                f"median attempt takes {change.latency * 1e3:.0f} ms,"
                f" usually {change.usual * 1e3:.0f} ms"
            )
            self._log.event(
                "warning",
                "limiter.at_floor",
                f"only {change.limit} requests may be in flight: {cause}",
                cause=cause,
                limit=change.limit,
            )
        else:
            seconds = round(now - self._at_floor_since, 3)
            lasted = format_duration(round(seconds, 1))
            self._log.event(
                "info",
                "limiter.recovered",
                f"{change.limit} requests may be in flight again after {lasted}",
                limit=change.limit,
                duration_s=seconds,
            )

    def store(self, change: Change) -> None:
        """Log that the store of copies was lost (once per outage), or found again."""
        if change.state is State.CLOSED:
            self._store_is_lost = False
            seconds = round(change.seconds, 3)
            lasted = format_duration(round(seconds, 1))
            message = f"the store of copies answers again after {lasted}"
            self._log.event("info", "store.found", message, duration_s=seconds)
        elif not self._store_is_lost:
            self._store_is_lost = True
            seconds = round(change.seconds, 3)
            self._log.event(
                "warning",
                "store.lost",
                f"the store of copies fails: {change.cause}",
                cause=change.cause,
                duration_s=seconds,
            )

    def deep_checker(self, cause: str, pause: float) -> None:
        """Log that a process of the deep checks has ended and is replaced after a pause."""
        seconds = round(pause, 3)
        self._log.event(
            "warning",
            "deep_checker.replaced",
            f"a process of the deep checks is replaced within {format_duration(seconds)}: {cause}",
            cause=cause,
            duration_s=seconds,
        )
