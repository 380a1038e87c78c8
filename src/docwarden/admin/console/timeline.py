"""Since when a condition has held: totals of the last quarter of an hour.

They are recorded even while no page is open, so that a page that is opened during an outage shows
when it began.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from docwarden.admin.console.counts import Counts

KEPT_SECONDS: Final = 900.0
_SPACING: Final = 5.0
"""Seconds between the totals that are kept, and so the precision of a beginning."""


class Pulse(NamedTuple):
    """Totals at one moment; `wall` in epoch seconds."""

    wall: float
    good: float
    lost: float
    delivered: float
    slow: float
    attempts: float
    broken: float
    damaged: float

    @classmethod
    def of(cls, counts: Counts, wall: float) -> "Pulse":
        """Pick the totals out of counters."""
        attempts = counts.answered + counts.damaged + counts.broken
        return cls(
            wall, counts.good, counts.lost, counts.delivered, counts.slow, attempts,
            counts.broken, counts.damaged,
        )  # fmt: skip


class Stretch(NamedTuple):
    """The time for which a condition has held.

    Attributes:
        began: epoch seconds.
        grown: growth of the totals since then.
    """

    began: float
    grown: Pulse

    @property
    def seconds(self) -> float:
        """Its duration, up to the last reading."""
        return self.grown.wall - self.began


class Timeline:
    """Records totals, and finds since when a condition has held."""

    def __init__(self) -> None:
        self._pulses: deque[Pulse] = deque()

    def note(self, pulse: Pulse) -> None:
        """Record `pulse`, in place of the last one if that is younger than the spacing."""
        pulses = self._pulses
        if len(pulses) > 1 and pulse.wall - pulses[-2].wall < _SPACING:
            pulses.pop()
        pulses.append(pulse)
        while pulse.wall - pulses[0].wall > KEPT_SECONDS:
            pulses.popleft()

    def since(self, holds: Callable[[Pulse], bool | None]) -> Stretch | None:
        """Return the time for which `holds` has been true without interruption, until now.

        Args:
            holds: called with the growth between two readings; returns None if that says nothing,
                as there were no requests.

        Returns:
            From the last reading before that, or the oldest one; None if it does not hold now.
        """
        began: Pulse | None = None
        for later, earlier in zip(
            reversed(self._pulses), list(reversed(self._pulses))[1:], strict=False
        ):
            held = holds(_growth(later, earlier))
            if held is False:
                break
            if held:
                began = earlier
        return None if began is None else Stretch(began.wall, _growth(self._pulses[-1], began))


def _growth(later: Pulse, earlier: Pulse) -> Pulse:
    numbers = (now - then for now, then in zip(later[1:], earlier[1:], strict=True))
    return Pulse(later.wall, *numbers)
