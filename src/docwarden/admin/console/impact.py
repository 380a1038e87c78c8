"""The impact on clients: the phase of the process, lost documents, slow documents.

Levels follow the share of lost requests, in multiples of the error budget like the burn-rate alerts
(Google SRE workbook, chapter 5): red where somebody would be paged, amber where the objective is
missed, green where only a few requests failed among many.
"""

from collections.abc import Iterator
from typing import Final

from docwarden.admin.console.concern import (
    Concern,
    Level,
    Snapshot,
    counted,
    from_moment,
    percent,
    ranked,
)  # fmt: skip
from docwarden.admin.console.counts import LATENCY_BOUND
from docwarden.admin.console.timeline import Pulse, Stretch
from docwarden.telemetry.health import Phase

OBJECTIVE: Final = 0.999
"""Share of documents delivered intact that the service level objective asks for."""
LATENCY_OBJECTIVE: Final = 0.99
"""Share of deliveries within `LATENCY_BOUND` that the service level objective asks for."""
PAGE_BURN: Final = 14.4
"""Burn rate of the error budget from which on somebody is paged at once."""
OUTAGE: Final = 5.0
"""Seconds without a document that count as an outage, whatever was a minute ago."""
FEW: Final = 3
FEW_SHARE: Final = 0.05
"""Fewer requests than that, and a smaller share of all, raise no concern."""


def impact(snapshot: Snapshot) -> Iterator[Concern]:
    """Yield concerns about the phase of the process, losses and slowness."""
    yield from _life(snapshot)
    yield from _losses(snapshot)
    yield from _slowness(snapshot)


def _life(snapshot: Snapshot) -> Iterator[Concern]:
    if snapshot.stuck:
        yield Concern(
            Level.BAD,
            "A request is stuck",
            f"A request is {snapshot.stuck:.1f} s past its time limits, so liveness fails.",
            "DocwardenDown",
        )
    match snapshot.phase:
        case Phase.STARTING:
            yield Concern(Level.WARN, "Starting", "The public listener is not open yet.")
        case Phase.DRAINING:
            yield Concern(
                Level.WARN,
                "Draining",
                "Shutting down: not ready, but serving until load balancers have noticed.",
            )
        case Phase.CLOSING:
            yield Concern(
                Level.WARN, "Closing", "Shutting down: only finishing requests in flight."
            )


def _losses(snapshot: Snapshot) -> Iterator[Concern]:
    """Yield a concern about documents that were not delivered."""
    recent = snapshot.recent
    share = recent.lost / recent.asked if recent.asked else 0.0
    level = _level(recent.lost, share, OBJECTIVE)
    if level is None:
        return
    numbers = f"{counted(recent.lost, recent.asked, 'requests', recent)} failed"
    outage = snapshot.since(lambda grown: _unless_idle(grown.good == 0, grown.good + grown.lost))
    if not recent.good or (outage and _is_outage(outage)):
        title, text = "No documents delivered", f"No documents delivered{from_moment(outage)}"
        if recent.good and outage:
            text += f": {outage.grown.lost:,.0f} requests failed since then; {numbers}."
        else:
            text += f": {numbers}."
    else:
        failing = snapshot.since(
            lambda grown: _unless_idle(grown.lost > 0, grown.good + grown.lost)
        )
        title = "Some documents are not delivered"
        text = (
            f"{numbers}{from_moment(failing)}: {percent(1 - share)} succeeded, the objective is"
            f" {OBJECTIVE * 100:g} %."
        )
    why = ranked(snapshot.reasons)
    yield Concern(level, title, f"{text} {why}".strip(), "DocwardenDocumentsBudgetBurn")


def _is_outage(stretch: Stretch) -> bool:
    """Whether a stretch without a document is more than a few chance failures."""
    return stretch.seconds >= OUTAGE and stretch.grown.lost >= FEW


def _level(number: float, share: float, objective: float) -> Level | None:
    """Return the level for a share that missed the objective; None within budget, or for few."""
    burn = share / (1 - objective)
    if burn < 1 or (number < FEW and share < FEW_SHARE):
        return None
    return Level.BAD if burn >= PAGE_BURN and number >= FEW else Level.WARN


def _unless_idle(holds: bool, total: float) -> bool | None:  # noqa: FBT001 - the value to pass on
    return holds if total else None


def _slowness(snapshot: Snapshot) -> Iterator[Concern]:
    """Yield a concern about slow deliveries."""
    recent = snapshot.recent
    share = recent.slow / recent.delivered if recent.delivered else 0.0
    level = _level(recent.slow, share, LATENCY_OBJECTIVE)
    if level is None:
        return
    paging_share = PAGE_BURN * (1 - LATENCY_OBJECTIVE)

    def slow(grown: Pulse) -> bool | None:
        return _unless_idle(
            grown.slow >= min(share, paging_share) / 2 * grown.delivered, grown.delivered
        )

    yield Concern(
        level,
        "Deliveries are slow",
        f"{counted(recent.slow, recent.delivered, 'deliveries', recent)} took longer than"
        f" {LATENCY_BOUND:g} s{from_moment(snapshot.since(slow))}: {percent(1 - share)} were in"
        f" time, the objective is {LATENCY_OBJECTIVE * 100:g} %.",
        "DocwardenLatencyBudgetBurn",
    )
