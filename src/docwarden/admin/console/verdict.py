"""How the gateway is, in words: the worst of what is known, and every reason for it.

Thresholds are for a person who looks at the page; alerts have their own, over longer windows.
"""

import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from docwarden.admin.console.counts import Counts
from docwarden.core.errors import Outcome
from docwarden.fetching.resilience.breaker import State
from docwarden.telemetry.health import Phase

OBJECTIVE: Final = 0.999
"""Share of documents delivered intact that the service level objective asks for."""
MANY_DAMAGED: Final = 0.3
"""Share of attempts; the upstream sends 10 % corrupt on a normal day."""
MANY_BROKEN: Final = 0.05
LEAST_ATTEMPTS: Final = 20
"""Attempts in the window below which a share says little."""
WINDOW: Final = 59.0
"""Seconds from which on `recent` is called a minute."""
LONG_STALL: Final = 0.5
"""Seconds for which the event loop stood still; Kubernetes grants a probe one by default."""


class Level(enum.StrEnum):
    """How bad it is."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"


_WEIGHT: Final = {level: weight for weight, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that is as it should not be: a few words, and a sentence with the numbers."""

    level: Level
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst level, its title, and all reasons, worst first."""

    level: Level
    title: str
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What is known at one moment.

    Attributes:
        phase: where in its life the process is.
        stuck: seconds by which the oldest request is past its bounds.
        breaker: the breaker's state.
        breaker_wait: seconds until it lets a probe through.
        limit: requests that may be in flight.
        stall: seconds of the event loop's longest recent stall.
        recent: growth of the counters over the last minute, or since somebody looks.
    """

    phase: Phase
    stuck: float
    breaker: State
    breaker_wait: float
    limit: float
    stall: float
    recent: Counts


def judge(snapshot: Snapshot) -> Verdict:
    """Return the verdict on what is known."""
    reasons = [
        *_life(snapshot),
        *_upstream(snapshot),
        *_clients(snapshot),
        *_machinery(snapshot),
    ]
    if not reasons:
        recent = snapshot.recent
        text = "Nothing is wrong."
        asked = recent.good + recent.failed + recent.refused
        if asked:
            part = "All" if recent.good == asked else f"{recent.good:,.0f} of"
            text = f"{part} {asked:,.0f} requests in {_span(recent)} ended well."
        elif recent.at >= 1:
            text = f"Nothing is wrong. No document was asked for in {_span(recent)}."
        return Verdict(Level.GOOD, "Serving", (Reason(Level.GOOD, "Serving", text),))
    reasons.sort(key=lambda reason: -_WEIGHT[reason.level])
    return Verdict(reasons[0].level, reasons[0].title, tuple(reasons))


def _span(recent: Counts) -> str:
    """Name the window: it is shorter than a minute when the page was opened just now."""
    return "the last minute" if recent.at >= WINDOW else f"the last {max(1, recent.at):.0f} s"


def _percent(share: float) -> str:
    """Round down, as the page does: 99.999 % is not all."""
    return f"{math.floor(share * 10_000) / 100:.2f} %"


def _life(snapshot: Snapshot) -> Iterator[Reason]:
    if snapshot.stuck:
        yield Reason(
            Level.BAD,
            "Work is stuck",
            f"A request is {snapshot.stuck:.1f} s past its bounds, so liveness fails.",
        )
    match snapshot.phase:
        case Phase.STARTING:
            yield Reason(Level.WARN, "Starting", "The public listener is not open yet.")
        case Phase.DRAINING:
            yield Reason(
                Level.WARN,
                "Draining",
                "Shutting down: not ready, still serving while load balancers take note.",
            )
        case Phase.CLOSING:
            yield Reason(
                Level.WARN, "Closing", "Shutting down: only requests in flight are finished."
            )


def _upstream(snapshot: Snapshot) -> Iterator[Reason]:
    if snapshot.breaker is State.OPEN:
        yield Reason(
            Level.BAD,
            "Upstream circuit open",
            "The upstream failed repeatedly and is not called;"
            f" a probe follows in {snapshot.breaker_wait:.0f} s.",
        )
    elif snapshot.breaker is State.HALF_OPEN:
        yield Reason(
            Level.WARN,
            "Upstream on probation",
            "The circuit is half open: one request at a time finds out whether the upstream is"
            " well again.",
        )
    recent = snapshot.recent
    attempts = recent.answered + recent.damaged + recent.broken
    if attempts < LEAST_ATTEMPTS:
        return
    if recent.broken / attempts >= MANY_BROKEN:
        yield Reason(
            Level.WARN,
            "The upstream fails",
            f"{_percent(recent.broken / attempts)} of {attempts:,.0f} attempts in {_span(recent)}"
            " brought no usable answer.",
        )
    if recent.damaged / attempts >= MANY_DAMAGED:
        yield Reason(
            Level.WARN,
            "The upstream sends damaged documents",
            f"{_percent(recent.damaged / attempts)} of {attempts:,.0f} attempts in {_span(recent)}"
            " brought something else than an intact document.",
        )


def _clients(snapshot: Snapshot) -> Iterator[Reason]:
    recent = snapshot.recent
    shed = recent.outcomes.get(Outcome.OVERLOADED, 0.0)
    if shed:
        yield Reason(
            Level.WARN,
            "Shedding load",
            f"{shed:,.0f} requests were refused in {_span(recent)}; {snapshot.limit:.0f} may be in"
            " flight.",
        )
    share = recent.good_share()
    if share is not None and share < OBJECTIVE:
        lost = recent.refused + recent.failed
        yield Reason(
            Level.WARN,
            "Documents are not delivered",
            f"{lost:,.0f} of {lost + recent.good:,.0f} requests in {_span(recent)} failed:"
            f" {_percent(share)} ended well, the objective is {OBJECTIVE * 100:g} %.",
        )


def _machinery(snapshot: Snapshot) -> Iterator[Reason]:
    grown = snapshot.recent.incidents
    store = grown.get("docwarden_store_errors_total", 0.0)
    if store:
        yield Reason(
            Level.WARN, "The store fails", f"{store:,.0f} uses of the store failed; documents flow."
        )
    deep = grown.get("docwarden_deep_check_failures_total", 0.0)
    if deep:
        yield Reason(
            Level.WARN,
            "Deep checks fail",
            f"{deep:,.0f} documents made the deep checker crash, time out or run out of memory.",
        )
    dropped = grown.get("docwarden_log_lines_dropped_total", 0.0)
    if dropped:
        yield Reason(
            Level.WARN, "Log lines are lost", f"{dropped:,.0f} lines found the log queue full."
        )
    if snapshot.stall >= LONG_STALL:
        yield Reason(
            Level.WARN,
            "The event loop stalls",
            f"It stood still for {snapshot.stall:.2f} s within the last two minutes.",
        )
