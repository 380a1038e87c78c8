"""Causes of trouble: the upstream, overload, and the parts of the gateway itself."""

from collections.abc import Iterator
from typing import Final

from docwarden.admin.console.concern import Concern, Level, Snapshot, counted, ranked, span
from docwarden.admin.console.counts import LATENCY_BOUND
from docwarden.core.errors import Outcome
from docwarden.fetching.resilience.breaker import State

MANY_DAMAGED: Final = 0.3
"""Share of attempts; the upstream sends 10 % corrupt on a normal day."""
MANY_BROKEN: Final = 0.05
MANY_LATE: Final = 0.05
MIN_ATTEMPTS: Final = 20
"""Attempts in the window from which on a share is meaningful."""
LONG_STALL: Final = 0.5
"""Seconds of a stall of the event loop; Kubernetes' probes time out after one by default."""


def causes(snapshot: Snapshot) -> Iterator[Concern]:
    """Yield what may be behind an impact, or is wrong without having one."""
    yield from _upstream(snapshot)
    yield from _shedding(snapshot)
    yield from _machinery(snapshot)


def _upstream(snapshot: Snapshot) -> Iterator[Concern]:
    yield from _breaker(snapshot)
    recent = snapshot.recent
    attempts = recent.answered + recent.damaged + recent.broken
    if attempts < MIN_ATTEMPTS:
        return
    if recent.broken / attempts >= MANY_BROKEN:
        yield Concern(
            Level.WARN,
            "The upstream is failing",
            f"{counted(recent.broken, attempts, 'attempts', recent)} got no usable answer:"
            f" {ranked(recent.broken_results)}",
            "DocwardenUpstreamDown",
        )
    if recent.late / attempts >= MANY_LATE:
        yield Concern(
            Level.WARN,
            "The upstream is slow",
            f"{counted(recent.late, attempts, 'attempts', recent)} took longer than"
            f" {LATENCY_BOUND:g} s.",
            "DocwardenUpstreamSlow",
        )
    if recent.damaged / attempts >= MANY_DAMAGED:
        yield Concern(
            Level.WARN,
            "The upstream sends damaged documents",
            f"{counted(recent.damaged, attempts, 'attempts', recent)} returned something other"
            " than an intact document.",
            "DocwardenCorruptionHigh",
        )


def _breaker(snapshot: Snapshot) -> Iterator[Concern]:
    if snapshot.breaker is State.OPEN:
        yield Concern(
            Level.BAD,
            "Upstream circuit open",
            "The upstream failed repeatedly and is not contacted; the next probe is in"
            f" {snapshot.breaker_wait:.0f} s.",
            "DocwardenBreakerOpen",
        )
    elif snapshot.breaker is State.HALF_OPEN:
        yield Concern(
            Level.WARN,
            "Upstream circuit half-open",
            "The circuit breaker is half-open: one request at a time probes whether the upstream"
            " has recovered.",
            "DocwardenBreakerOpen",
        )


def _shedding(snapshot: Snapshot) -> Iterator[Concern]:
    recent = snapshot.recent
    shed = recent.outcomes.get(Outcome.OVERLOADED, 0.0)
    if shed:
        yield Concern(
            Level.WARN,
            "Shedding load",
            f"{shed:,.0f} requests were refused in {span(recent)}; the limit is"
            f" {snapshot.limit:.0f} in flight.",
            "DocwardenShedding",
        )


def _machinery(snapshot: Snapshot) -> Iterator[Concern]:
    grown = snapshot.recent.incidents
    store = grown.get("docwarden_store_errors_total", 0.0)
    if store:
        yield Concern(
            Level.WARN,
            "The store is failing",
            f"{store:,.0f} store operations failed; documents are still delivered.",
            "DocwardenStoreUnreachable",
        )
    deep = grown.get("docwarden_deep_check_failures_total", 0.0)
    if deep:
        yield Concern(
            Level.WARN,
            "Deep checks are failing",
            f"{deep:,.0f} documents made the deep checker crash, time out or run out of memory.",
            "DocwardenDeepCheckFailing",
        )
    dropped = grown.get("docwarden_log_lines_dropped_total", 0.0)
    if dropped:
        yield Concern(
            Level.WARN,
            "Log lines are lost",
            f"{dropped:,.0f} lines were dropped because the log queue was full.",
        )
    if snapshot.stall >= LONG_STALL:
        yield Concern(
            Level.WARN,
            "The event loop stalls",
            f"It was blocked for {snapshot.stall:.2f} s within the last two minutes.",
            "DocwardenEventLoopStalled",
        )
