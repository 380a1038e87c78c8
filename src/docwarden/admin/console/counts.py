"""Rates, shares and quantiles from two readings of the counters. No clock, no I/O."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from prometheus_client.registry import CollectorRegistry

from docwarden.core.errors import Cause, Outcome
from docwarden.gateway.recent_failures import REFUSED
from docwarden.telemetry.metrics import FINE

Numbers = dict[str, dict[tuple[str, ...], float]]
"""Samples by name, then by their label values in declared order."""

GOOD: Final = frozenset(
    (Outcome.DELIVERED, Outcome.DELIVERED_STALE, Outcome.NOT_MODIFIED, Outcome.NOT_FOUND)
)
"""Outcomes that the service level indicator counts as good; client_closed counts for nothing."""
_DAMAGED: Final = frozenset((Cause.CORRUPT, Cause.UNSUPPORTED, Cause.TOO_LARGE))
_ANSWERED: Final = frozenset(("intact", Cause.NOT_FOUND))
_NOT_ITS_FAULT: Final = frozenset((Cause.CLIENT_CLOSED, Cause.MEMORY))
LATENCY_BOUND: Final = 0.5
"""Seconds within which the service level objective asks for a delivery."""
_WITHIN_BOUND: Final = FINE.index(LATENCY_BOUND) + 1


def read(registry: CollectorRegistry) -> Numbers:
    """Return what a scrape would show now."""
    numbers: Numbers = {}
    for family in registry.collect():
        for sample in family.samples:
            # Enumeration members would not do as keys in JSON. Metrics of several workers were
            # parsed, which puts a bucket's bound first.
            named = sorted(sample.labels.items(), key=lambda label: label[0] == "le")
            labels = tuple(str(value) for _, value in named)
            numbers.setdefault(sample.name, {})[labels] = sample.value
    return numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Counters at one moment, or their growth between two.

    Attributes:
        at: monotonic seconds, or the seconds between the two moments.
        outcomes: document requests by outcome.
        attempts: upstream attempts by result.
        attempt_seconds: their total duration, by result.
        late_attempts: those that took longer than `LATENCY_BOUND`, by result.
        delivery: deliveries by their duration, up to each bound of `FINE`, then the rest.
        incidents: counters that should never grow, by name.
    """

    at: float
    outcomes: Mapping[str, float]
    attempts: Mapping[str, float]
    attempt_seconds: Mapping[str, float]
    late_attempts: Mapping[str, float]
    delivery: Sequence[float]
    incidents: Mapping[str, float]

    @classmethod
    def of(cls, numbers: Numbers, delivery: Sequence[float], at: float) -> "Counts":
        """Pick the counters out of a reading."""
        return cls(
            at=at,
            outcomes=_by_label(numbers, "docwarden_documents_total"),
            attempts=_by_label(numbers, "docwarden_upstream_attempts_total"),
            attempt_seconds=_by_label(numbers, "docwarden_upstream_attempt_duration_seconds_sum"),
            late_attempts=_late(numbers),
            delivery=delivery,
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
            attempt_seconds=_growth(self.attempt_seconds, earlier.attempt_seconds),
            late_attempts=_growth(self.late_attempts, earlier.late_attempts),
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
        """Requests that were tried and failed."""
        return sum(self.outcomes.values()) - self.good - self.refused - self.gone

    @property
    def gone(self) -> float:
        """Requests whose client went away."""
        return self.outcomes.get(Outcome.CLIENT_CLOSED, 0.0)

    @property
    def damaged(self) -> float:
        """Attempts that returned something else than an intact document."""
        return _total(self.attempts, _DAMAGED)

    @property
    def answered(self) -> float:
        """Attempts with a proper answer: an intact document, or none of that id."""
        return _total(self.attempts, _ANSWERED)

    @property
    def broken(self) -> float:
        """Attempts without any usable answer."""
        counted = sum(self.attempts.values()) - _total(self.attempts, _NOT_ITS_FAULT)
        return counted - self.damaged - self.answered

    def mean_seconds(self) -> dict[str, float]:
        """Return the mean duration of attempts, by each result that occurred."""
        return {
            result: self.attempt_seconds.get(result, 0.0) / made
            for result, made in self.attempts.items()
            if made
        }

    @property
    def late(self) -> float:
        """Attempts that took longer than `LATENCY_BOUND`."""
        return sum(self.late_attempts.values()) - _total(self.late_attempts, _NOT_ITS_FAULT)

    @property
    def broken_results(self) -> dict[str, float]:
        """Attempts without a usable answer, by result."""
        others = _DAMAGED | _ANSWERED | _NOT_ITS_FAULT
        return {name: n for name, n in self.attempts.items() if n and name not in others}

    @property
    def lost(self) -> float:
        """Requests that did not end well: failed or refused."""
        return self.failed + self.refused

    @property
    def asked(self) -> float:
        """Requests for a document, except those whose client went away."""
        return self.good + self.lost

    def good_share(self) -> float | None:
        """Return the service level indicator, None without requests."""
        return self.good / self.asked if self.asked else None

    @property
    def delivered(self) -> float:
        """Deliveries, slow ones included."""
        return sum(self.delivery)

    @property
    def slow(self) -> float:
        """Deliveries that took longer than `LATENCY_BOUND`."""
        return sum(self.delivery[_WITHIN_BOUND:])

    def rate(self, number: float) -> float:
        """Return `number` of these per second."""
        return number / self.at if self.at > 0 else 0.0


def quantile(share: float, counts: Sequence[float]) -> float | None:
    """Estimate a quantile of durations to within a tenth.

    Args:
        share: from 0 to 1.
        counts: observations up to each bound of `FINE` and above the one before, then the rest.

    Returns:
        Seconds, by linear interpolation within the bucket, as Prometheus' `histogram_quantile`
        does; the last bound for what lies above it; None without observations.
    """
    rank = share * sum(counts)
    if rank <= 0:
        return None
    seen = 0.0
    for index, count in enumerate(counts[:-1]):
        if count and seen + count >= rank:
            below = FINE[index - 1] if index else 0.0
            return below + (FINE[index] - below) * (rank - seen) / count
        seen += count
    return FINE[-1]


def _by_label(numbers: Numbers, name: str) -> dict[str, float]:
    return {labels[0]: value for labels, value in numbers.get(name, {}).items()}


def _late(numbers: Numbers) -> dict[str, float]:
    name = "docwarden_upstream_attempt_duration_seconds"
    buckets = numbers.get(f"{name}_bucket", {})
    return {
        labels[0]: made - buckets.get((labels[0], str(LATENCY_BOUND)), 0.0)
        for labels, made in numbers.get(f"{name}_count", {}).items()
    }


def _growth(now: Mapping[str, float], then: Mapping[str, float]) -> dict[str, float]:
    return {name: value - then.get(name, 0.0) for name, value in now.items()}


def _total(counts: Mapping[str, float], names: Iterable[str]) -> float:
    return sum(counts.get(name, 0.0) for name in names)
