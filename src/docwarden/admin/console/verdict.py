"""How the gateway is, in words: whom it hurts, why, since when, and what to do.

Levels follow the share of what is lost, in multiples of the error budget as the burn-rate alerts
have them (Google SRE workbook, chapter 5): red where a page would be due, amber where the
objective is missed, green with the number told where a few requests failed among many.
"""

import enum
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from docwarden.admin.console.counts import LATENCY_BOUND, Counts
from docwarden.admin.console.course import Pulse
from docwarden.core.errors import Outcome
from docwarden.fetching.resilience.breaker import State
from docwarden.telemetry.health import Phase

OBJECTIVE: Final = 0.999
"""Share of documents delivered intact that the service level objective asks for."""
LATENCY_OBJECTIVE: Final = 0.99
"""Share of deliveries within `LATENCY_BOUND` that the service level objective asks for."""
PAGE_BURN: Final = 14.4
"""Times the error budget from which on somebody is paged at once."""
MANY_DAMAGED: Final = 0.3
"""Share of attempts; the upstream sends 10 % corrupt on a normal day."""
MANY_BROKEN: Final = 0.05
MIN_ATTEMPTS: Final = 20
"""Attempts in the window below which a share says little."""
FEW: Final = 3
FEW_SHARE: Final = 0.05
"""Fewer requests than that, and a smaller share of all, are told and not held against it."""
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
class Concern:
    """One thing that is as it should not be.

    Attributes:
        level: how bad it is.
        title: a few words.
        text: a sentence with the numbers.
        runbook: the alert whose runbook tells what to do, if there is one.
    """

    level: Level
    title: str
    text: str
    runbook: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The worst level, its title, and all concerns: impact before causes, worst first."""

    level: Level
    title: str
    concerns: tuple[Concern, ...]


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
        recent: growth of the counters over the last minute.
        reasons: why the last requests failed, with how many of them each did.
        since: tells from when on something has held, epoch seconds, or None.
    """

    phase: Phase
    stuck: float
    breaker: State
    breaker_wait: float
    limit: float
    stall: float
    recent: Counts
    reasons: Mapping[str, int] = field(default_factory=dict)
    since: Callable[[Callable[[Pulse], bool | None]], float | None] = lambda _: None


def judge(snapshot: Snapshot) -> Verdict:
    """Return the verdict on what is known."""
    impact = [*_life(snapshot), *_losses(snapshot), *_slowness(snapshot)]
    causes = [*_upstream(snapshot), *_shedding(snapshot), *_machinery(snapshot)]
    impact.sort(key=lambda concern: -_WEIGHT[concern.level])
    causes.sort(key=lambda concern: -_WEIGHT[concern.level])
    concerns = (*impact, *causes)
    if not concerns:
        concerns = (Concern(Level.GOOD, "Serving", _all_is_well(snapshot)),)
    worst = max(concerns, key=lambda concern: _WEIGHT[concern.level])
    return Verdict(worst.level, concerns[0].title, concerns)


def _all_is_well(snapshot: Snapshot) -> str:
    recent = snapshot.recent
    if not recent.asked:
        quiet = f" No document was asked for in {_span(recent)}." if recent.at >= 1 else ""
        return f"Nothing is wrong.{quiet}"
    part = "All" if not recent.lost else f"{recent.good:,.0f} of"
    told = f"{part} {recent.asked:,.0f} requests in {_span(recent)} ended well."
    return f"{told} {_why(snapshot)}".strip() if recent.lost else told


def _span(recent: Counts) -> str:
    """Name the window: it is shorter than a minute when the process began just now."""
    return "the last minute" if recent.at >= WINDOW else f"the last {max(1, recent.at):.0f} s"


def _percent(share: float) -> str:
    """Round down, as the page does: 99.999 % is not all."""
    return f"{math.floor(share * 10_000) / 100:.2f} %"


def _why(snapshot: Snapshot) -> str:
    """Name the reasons of the last failures, the commonest first."""
    ranked = sorted(snapshot.reasons.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{reason} x {n:,}" for reason, n in ranked) + ("." if ranked else "")


def _from(began: float | None) -> str:
    """Name the moment from which on it has held, in UTC."""
    return "" if began is None else f" since {time.strftime('%H:%M:%S', time.gmtime(began))} UTC"


def _life(snapshot: Snapshot) -> Iterator[Concern]:
    if snapshot.stuck:
        yield Concern(
            Level.BAD,
            "Work is stuck",
            f"A request is {snapshot.stuck:.1f} s past its bounds, so liveness fails.",
            "DocwardenDown",
        )
    match snapshot.phase:
        case Phase.STARTING:
            yield Concern(Level.WARN, "Starting", "The public listener is not open yet.")
        case Phase.DRAINING:
            yield Concern(
                Level.WARN,
                "Draining",
                "Shutting down: not ready, still serving while load balancers take note.",
            )
        case Phase.CLOSING:
            yield Concern(
                Level.WARN, "Closing", "Shutting down: only requests in flight are finished."
            )


def _losses(snapshot: Snapshot) -> Iterator[Concern]:
    """Tell of documents that were asked for and not delivered."""
    recent = snapshot.recent
    share = recent.lost / recent.asked if recent.asked else 0.0
    burn = share / (1 - OBJECTIVE)
    if burn < 1 or _are_few(recent.lost, share):
        return
    numbers = f"{recent.lost:,.0f} of {recent.asked:,.0f} requests in {_span(recent)} failed"
    if not recent.good:
        began = snapshot.since(lambda grown: _told(grown.good == 0, grown.good + grown.lost))
        level = Level.BAD if recent.lost >= FEW else Level.WARN
        title, told = "No documents delivered", f"No documents delivered{_from(began)}: {numbers}."
    else:
        began = snapshot.since(lambda grown: _told(grown.lost > 0, grown.good + grown.lost))
        level = Level.BAD if burn >= PAGE_BURN and recent.lost >= FEW else Level.WARN
        title = "Documents are not delivered"
        told = (
            f"{numbers}{_from(began)}: {_percent(1 - share)} ended well, the objective is"
            f" {OBJECTIVE * 100:g} %."
        )
    yield Concern(level, title, f"{told} {_why(snapshot)}".strip(), "DocwardenDocumentsBudgetBurn")


def _are_few(number: float, share: float) -> bool:
    return number < FEW and share < FEW_SHARE


def _told(holds: bool, total: float) -> bool | None:  # noqa: FBT001 - what it is told
    return holds if total else None


def _slowness(snapshot: Snapshot) -> Iterator[Concern]:
    """Tell of documents that came, and late."""
    recent = snapshot.recent
    share = recent.slow / recent.delivered if recent.delivered else 0.0
    burn = share / (1 - LATENCY_OBJECTIVE)
    if burn < 1 or _are_few(recent.slow, share):
        return
    most = PAGE_BURN * (1 - LATENCY_OBJECTIVE)

    def slow(grown: Pulse) -> bool | None:
        return _told(grown.slow >= min(share, most) / 2 * grown.delivered, grown.delivered)

    yield Concern(
        Level.BAD if burn >= PAGE_BURN and recent.slow >= FEW else Level.WARN,
        "Documents come slowly",
        f"{recent.slow:,.0f} of {recent.delivered:,.0f} deliveries in {_span(recent)} took longer"
        f" than {LATENCY_BOUND:g} s{_from(snapshot.since(slow))}: {_percent(1 - share)} were in"
        f" time, the objective is {LATENCY_OBJECTIVE * 100:g} %.",
        "DocwardenLatencyBudgetBurn",
    )


def _upstream(snapshot: Snapshot) -> Iterator[Concern]:
    yield from _breaker(snapshot)
    recent = snapshot.recent
    attempts = recent.answered + recent.damaged + recent.broken
    if attempts < MIN_ATTEMPTS:
        return
    if recent.broken / attempts >= MANY_BROKEN:
        yield Concern(
            Level.WARN,
            "The upstream fails",
            f"{recent.broken:,.0f} of {attempts:,.0f} attempts in {_span(recent)} brought no usable"
            f" answer: {_results(recent)}.",
            "DocwardenUpstreamDown",
        )
    if recent.damaged / attempts >= MANY_DAMAGED:
        yield Concern(
            Level.WARN,
            "The upstream sends damaged documents",
            f"{recent.damaged:,.0f} of {attempts:,.0f} attempts in {_span(recent)} brought"
            " something else than an intact document.",
            "DocwardenCorruptionHigh",
        )


def _breaker(snapshot: Snapshot) -> Iterator[Concern]:
    if snapshot.breaker is State.OPEN:
        yield Concern(
            Level.BAD,
            "Upstream circuit open",
            "The upstream failed repeatedly and is not called; the next probe is in"
            f" {snapshot.breaker_wait:.0f} s.",
            "DocwardenBreakerOpen",
        )
    elif snapshot.breaker is State.HALF_OPEN:
        yield Concern(
            Level.WARN,
            "Upstream on probation",
            "The circuit is half open: one request at a time finds out whether the upstream is"
            " well again.",
            "DocwardenBreakerOpen",
        )


def _results(recent: Counts) -> str:
    """Name how attempts failed, the commonest first."""
    ranked = sorted(recent.broken_results.items(), key=lambda item: -item[1])[:3]
    return ", ".join(f"{result} x {n:,.0f}" for result, n in ranked)


def _shedding(snapshot: Snapshot) -> Iterator[Concern]:
    recent = snapshot.recent
    shed = recent.outcomes.get(Outcome.OVERLOADED, 0.0)
    if shed:
        yield Concern(
            Level.WARN,
            "Shedding load",
            f"{shed:,.0f} requests were refused in {_span(recent)}; {snapshot.limit:.0f} may be in"
            " flight.",
            "DocwardenShedding",
        )


def _machinery(snapshot: Snapshot) -> Iterator[Concern]:
    grown = snapshot.recent.incidents
    store = grown.get("docwarden_store_errors_total", 0.0)
    if store:
        yield Concern(
            Level.WARN,
            "The store fails",
            f"{store:,.0f} uses of the store failed; documents flow.",
            "DocwardenStoreUnreachable",
        )
    deep = grown.get("docwarden_deep_check_failures_total", 0.0)
    if deep:
        yield Concern(
            Level.WARN,
            "Deep checks fail",
            f"{deep:,.0f} documents made the deep checker crash, time out or run out of memory.",
            "DocwardenDeepCheckFailing",
        )
    dropped = grown.get("docwarden_log_lines_dropped_total", 0.0)
    if dropped:
        yield Concern(
            Level.WARN, "Log lines are lost", f"{dropped:,.0f} lines found the log queue full."
        )
    if snapshot.stall >= LONG_STALL:
        yield Concern(
            Level.WARN,
            "The event loop stalls",
            f"It stood still for {snapshot.stall:.2f} s within the last two minutes.",
            "DocwardenEventLoopStalled",
        )
