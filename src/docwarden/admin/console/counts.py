"""What is derived from two readings of the counters: rates, shares, quantiles. No clock, no I/O."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.registry import CollectorRegistry

from docwarden.core.errors import Cause, Outcome
from docwarden.gateway.recent_failures import REFUSED
from docwarden.telemetry.catalog import BUCKETS

Numbers = dict[str, dict[tuple[str, ...], float]]
"""Samples by name, then by their label values in declared order."""

GOOD: Final = frozenset(
    (Outcome.DELIVERED, Outcome.DELIVERED_STALE, Outcome.NOT_MODIFIED, Outcome.NOT_FOUND)
)
"""Outcomes that the service level indicator counts as good; client_closed counts for nothing."""
_DAMAGED: Final = frozenset((Cause.CORRUPT, Cause.UNSUPPORTED, Cause.TOO_LARGE))
_ANSWERED: Final = frozenset(("intact", Cause.NOT_FOUND))
_NOT_ITS_FAULT: Final = frozenset((Cause.CLIENT_CLOSED, Cause.MEMORY))
_DELIVERED_STATUSES: Final = frozenset(("200", "206", "304"))
_DURATIONS: Final = "http_server_request_duration_seconds_bucket"


def read(registry: CollectorRegistry) -> Numbers:
    """Return what a scrape would show now."""
    numbers: Numbers = {}
    for family in registry.collect():
        for sample in family.samples:
            # Labels that come from enumerations would not do as keys in JSON.
            labels = tuple(map(str, sample.labels.values()))
            numbers.setdefault(sample.name, {})[labels] = sample.value
    return numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counters at one moment, or their growth between two.

    Attributes:
        at: monotonic seconds, or the seconds between the two moments.
        outcomes: document requests by outcome.
        attempts: upstream attempts by result.
        delivery: deliveries by bucket of their duration, cumulative, `+Inf` last.
        incidents: what should never grow, by name.
    """

    at: float
    outcomes: Mapping[str, float]
    attempts: Mapping[str, float]
    delivery: Sequence[float]
    incidents: Mapping[str, float]

    @classmethod
    def of(cls, numbers: Numbers, at: float) -> "Counts":
        """Pick the counters out of a reading."""
        return cls(
            at=at,
            outcomes=_by_label(numbers, "docwarden_documents_total"),
            attempts=_by_label(numbers, "docwarden_upstream_attempts_total"),
            delivery=_delivery(numbers),
            incidents={
                name: sum(numbers.get(name, {}).values())
                for name in (
                    "docwarden_store_errors_total",
                    "docwarden_deep_check_failures_total",
                    "docwarden_log_lines_dropped_total",
                )
            },
        )

    def since(self, earlier: "Counts") -> "Counts":
        """Return the growth from `earlier` to this."""
        return Counts(
            at=self.at - earlier.at,
            outcomes=_growth(self.outcomes, earlier.outcomes),
            attempts=_growth(self.attempts, earlier.attempts),
            delivery=[
                now - then for now, then in zip(self.delivery, earlier.delivery, strict=True)
            ],
            incidents=_growth(self.incidents, earlier.incidents),
        )

    @property
    def good(self) -> float:
        """Requests that ended well."""
        return _total(self.outcomes, GOOD)

    @property
    def refused(self) -> float:
        """Requests that were turned away to protect the gateway or the upstream."""
        return _total(self.outcomes, REFUSED)

    @property
    def failed(self) -> float:
        """Requests that were tried and came to nothing."""
        return sum(self.outcomes.values()) - self.good - self.refused - self.gone

    @property
    def gone(self) -> float:
        """Requests whose client went away."""
        return self.outcomes.get(Outcome.CLIENT_CLOSED, 0.0)

    @property
    def damaged(self) -> float:
        """Attempts that brought something else than an intact document."""
        return _total(self.attempts, _DAMAGED)

    @property
    def answered(self) -> float:
        """Attempts that were answered as they should: intact, or no such document."""
        return _total(self.attempts, _ANSWERED)

    @property
    def broken(self) -> float:
        """Attempts that brought no usable answer at all."""
        told = sum(self.attempts.values()) - _total(self.attempts, _NOT_ITS_FAULT)
        return told - self.damaged - self.answered

    def good_share(self) -> float | None:
        """Return the service level indicator, None without requests."""
        all_counted = self.good + self.refused + self.failed
        return self.good / all_counted if all_counted else None

    def rate(self, number: float) -> float:
        """Return `number` of these per second."""
        return number / self.at if self.at > 0 else 0.0


def quantile(share: float, cumulative: Sequence[float]) -> float | None:
    """Estimate a quantile of durations, as Prometheus' `histogram_quantile` does.

    Args:
        share: from 0 to 1.
        cumulative: observations up to each of `BUCKETS`, then all.

    Returns:
        Seconds, by linear interpolation within the bucket; the last bound for what lies above it;
        None without observations.
    """
    if not cumulative or cumulative[-1] <= 0:
        return None
    rank = share * cumulative[-1]
    index = bisect_left(cumulative, rank)
    if index >= len(BUCKETS):
        return float(BUCKETS[-1])
    below, count = (0.0, 0.0) if index == 0 else (BUCKETS[index - 1], cumulative[index - 1])
    inside = cumulative[index] - count
    return below + (BUCKETS[index] - below) * ((rank - count) / inside if inside else 1.0)


def _by_label(numbers: Numbers, name: str) -> dict[str, float]:
    return {labels[0]: value for labels, value in numbers.get(name, {}).items()}


def _delivery(numbers: Numbers) -> list[float]:
    """Add up the cumulative buckets of every method and status that delivers a document."""
    rows: dict[str, float] = {}
    for (route, _, status, bound), value in numbers.get(_DURATIONS, {}).items():
        if route == "/{id}" and status in _DELIVERED_STATUSES:
            rows[bound] = rows.get(bound, 0.0) + value
    # Bounds come in rising order, so the sums do too.
    return list(rows.values()) or [0.0] * (len(BUCKETS) + 1)


def _growth(now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    return {name: value - then.get(name, 0.0) for name, value in now.items()}


def _total(counts: Mapping[str, float], names: Iterable[str]) -> float:
    return sum(counts.get(name, 0.0) for name in names)
