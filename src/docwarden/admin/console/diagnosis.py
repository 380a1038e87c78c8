"""The state of the gateway in words: the impact, its causes, since when, and what to do."""

from dataclasses import dataclass
from typing import Final

from docwarden.admin.console.causes import causes
from docwarden.admin.console.concern import Concern, Level, Snapshot, counted, ranked, span
from docwarden.admin.console.impact import impact

_WEIGHT: Final = {level: weight for weight, level in enumerate(Level)}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The worst level, its title, and all concerns: impact before causes, worst first."""

    level: Level
    title: str
    concerns: tuple[Concern, ...]


def diagnose(snapshot: Snapshot) -> Diagnosis:
    """Return the diagnosis of the state."""
    ordered = [
        concern
        for found in (impact(snapshot), causes(snapshot))
        for concern in sorted(found, key=lambda each: -_WEIGHT[each.level])
    ]
    concerns = tuple(ordered)
    if not concerns:
        concerns = (Concern(Level.GOOD, "Serving", _all_is_well(snapshot)),)
    worst = max(concerns, key=lambda concern: _WEIGHT[concern.level])
    return Diagnosis(worst.level, concerns[0].title, concerns)


def _all_is_well(snapshot: Snapshot) -> str:
    recent = snapshot.recent
    if not recent.asked:
        quiet = f" No document was requested in {span(recent)}." if recent.at >= 1 else ""
        return f"Nothing is wrong.{quiet}"
    if not recent.lost:
        return f"All {recent.asked:,.0f} requests in {span(recent)} succeeded."
    text = f"{counted(recent.good, recent.asked, 'requests', recent)} succeeded."
    return f"{text} {ranked(snapshot.reasons)}".strip()
