"""What has been since when: the last quarter of an hour in small readings.

Readings are taken whether anybody looks or not, so that a page that is opened in the midst of an
outage can tell when it began.
"""

from collections import deque
from collections.abc import Callable
from typing import Final, NamedTuple

from docwarden.admin.console.counts import Counts

KEPT_SECONDS: Final = 900.0
_SPACING: Final = 5.0
"""Seconds between readings that are kept; what began is told to within these."""


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
    """For how long something has held.

    Attributes:
        began: epoch seconds.
        grown: what the totals grew by since.
    """

    began: float
    grown: Pulse

    @property
    def seconds(self) -> float:
        """From its beginning to the last reading."""
        return self.grown.wall - self.began


class Timeline:
    """Remembers totals and finds the moment from which on something has held."""

    def __init__(self) -> None:
        self._pulses: deque[Pulse] = deque()

    def note(self, pulse: Pulse) -> None:
        """Remember `pulse`, in place of the last one where that is younger than the spacing."""
        pulses = self._pulses
        if len(pulses) > 1 and pulse.wall - pulses[-2].wall < _SPACING:
            pulses.pop()
        pulses.append(pulse)
        while pulse.wall - pulses[0].wall > KEPT_SECONDS:
            pulses.popleft()

    def since(self, holds: Callable[[Pulse], bool | None]) -> Stretch | None:
        """Return the time for which `holds` has been true without a break, until now.

        Args:
            holds: takes the growth between two readings; None where that says nothing, as nothing
                was asked for.

        Returns:
            From the last reading before that; None where it does not hold now. No longer than what
            is remembered.
        """
        began: Pulse | None = None
        for later, earlier in zip(
            reversed(self._pulses), list(reversed(self._pulses))[1:], strict=False
        ):
            told = holds(_growth(later, earlier))
            if told is False:
                break
            if told:
                began = earlier
        return None if began is None else Stretch(began.wall, _growth(self._pulses[-1], began))


def _growth(later: Pulse, earlier: Pulse) -> Pulse:
    numbers = (now - then for now, then in zip(later[1:], earlier[1:], strict=True))
    return Pulse(later.wall, *numbers)
