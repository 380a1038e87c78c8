"""The state at one moment, and the concerns that follow from it."""

import enum
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from docwarden.admin.console.counts import Counts
from docwarden.admin.console.timeline import Pulse, Stretch
from docwarden.fetching.resilience.breaker import State
from docwarden.telemetry.health import Phase

WINDOW: Final = 59.0
"""Seconds from which on `recent` is called a minute."""


class Level(enum.StrEnum):
    """The severity of a concern."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Concern:
    """One thing that is wrong.

    Attributes:
        level: its severity.
        title: a few words.
        text: a sentence with the numbers.
        runbook: the alert whose runbook applies, if there is one.
    """

    level: Level
    title: str
    text: str
    runbook: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The state at one moment.

    Attributes:
        phase: where in its life the process is.
        stuck: seconds by which the oldest request is past its bounds.
        breaker: the breaker's state.
        breaker_wait: seconds until it lets a probe through.
        limit: requests that may be in flight.
        stall: seconds of the event loop's longest recent stall.
        recent: growth of the counters over the last minute.
        reasons: how many of the last requests failed, by reason.
        since: returns for how long a condition has held, None if it does not.
    """

    phase: Phase
    stuck: float
    breaker: State
    breaker_wait: float
    limit: float
    stall: float
    recent: Counts
    reasons: Mapping[str, int] = field(default_factory=dict)
    since: Callable[[Callable[[Pulse], bool | None]], Stretch | None] = lambda _: None


def span(recent: Counts) -> str:
    """Name the window, which is shorter than a minute for a new process."""
    return "the last minute" if recent.at >= WINDOW else f"the last {max(1, recent.at):.0f} s"


def counted(part: float, total: float, things: str, recent: Counts) -> str:
    """Return a part of a total in words: `3 of 120 requests in the last minute`."""
    return f"{part:,.0f} of {total:,.0f} {things} in {span(recent)}"


def percent(share: float) -> str:
    """Round down, as the page does: 99.999 % is not all."""
    return f"{math.floor(share * 10_000) / 100:.2f} %"


def ranked(counts: Mapping[str, float]) -> str:
    """Name the three most frequent ones."""
    first = sorted(counts.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{name} x {n:,.0f}" for name, n in first) + ("." if first else "")


def from_moment(held: Stretch | None) -> str:
    """Name the moment since which it has held, in UTC."""
    if held is None:
        return ""
    return f" since {time.strftime('%H:%M:%S', time.gmtime(held.began))} UTC"
