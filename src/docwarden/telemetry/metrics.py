"""The values of the metrics that `catalog` declares.

The hot ones are plain integers and floats in slots; `collect` turns them all into metric families
when Prometheus scrapes.
"""

import itertools
import math
import platform
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.exposition import (
    CONTENT_TYPE_PLAIN_0_0_4,
    choose_encoder,
    generate_latest,
)
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector, CollectorRegistry
from prometheus_client.samples import Exemplar

from docwarden.core.errors import Outcome
from docwarden.telemetry.catalog import (
    ATTEMPT_RESULTS,
    BUCKETS,
    DECLARED,
    TIMED_RESULTS,
    Declared,
)

_BOUNDS: Final = (*map(str, map(float, BUCKETS)), "+Inf")
_STEP: Final = 1.1


def _finer(bounds: Sequence[float]) -> tuple[float, ...]:
    """Return bounds that include `bounds`, each at most `_STEP` times the one before."""
    finer: list[float] = []
    for low, high in itertools.pairwise(bounds):
        steps = math.ceil(math.log(high / low, _STEP))
        finer += (low * (high / low) ** (step / steps) for step in range(steps))
    return (*finer, bounds[-1])


FINE: Final = _finer((0.0005, *BUCKETS, 60.0))
"""Bounds of the internal counts, in seconds: fine enough to estimate a quantile to within a tenth.

They include `BUCKETS`, which a scrape shows."""
# Which of `BUCKETS` each of the fine ones belongs to, those above all bounds included.
_COARSE: Final = (*(bisect_left(BUCKETS, bound) for bound in FINE), len(BUCKETS))
_BY_NAME: Final = {each.name: each for each in DECLARED}

DOCUMENT_ROUTE: Final = "/{id}"
DELIVERED_STATUSES: Final = frozenset((200, 206, 304))

Reading = Callable[[], Iterable[tuple[tuple[str, ...], float]]]


class Histogram:
    """Counts of seconds in `FINE`, shown in `BUCKETS` with the last trace id of each as exemplar.

    Attributes:
        counts: observations up to each bound of `FINE` and above the one before, then the rest.
        total: their sum, in seconds.
        exemplars: trace id and seconds, by index of `BUCKETS`.
    """

    __slots__ = ("counts", "exemplars", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(FINE) + 1)
        self.total = 0.0
        self.exemplars: dict[int, tuple[str, float]] = {}

    def observe(self, seconds: float, trace_id: str = "") -> None:
        """Count one observation."""
        bucket = bisect_left(FINE, seconds)
        self.counts[bucket] += 1
        self.total += seconds
        if trace_id:
            self.exemplars[_COARSE[bucket]] = (trace_id, seconds)

    def buckets(self) -> list[tuple[str, float] | tuple[str, float, Exemplar]]:
        """Return the cumulative buckets with their exemplars."""
        running = 0
        rows: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
        counts = [0] * len(_BOUNDS)
        for coarse, count in zip(_COARSE, self.counts, strict=True):
            counts[coarse] += count
        for index, (bound, count) in enumerate(zip(_BOUNDS, counts, strict=True)):
            running += count
            seen = self.exemplars.get(index)
            if seen is None:
                rows.append((bound, running))
            else:
                rows.append((bound, running, Exemplar({"trace_id": seen[0]}, seen[1])))
        return rows


class Metrics(Collector):
    """The process's counters, and callbacks for values that others hold.

    Attributes:
        requests: answered requests, by route, method and status.
        documents: ended requests for a document, by outcome.
        attempts: ended attempts, by result.
    """

    def __init__(self, *, version: str, revision: str) -> None:
        self.requests: defaultdict[tuple[str, str, int], Histogram] = defaultdict(Histogram)
        self.documents: dict[str, int] = dict.fromkeys(Outcome, 0)
        self.integrity: dict[tuple[str, str, str], int] = {}
        self.observations: dict[tuple[str, str, str], int] = {}
        self.attempts = defaultdict(Histogram, {each: Histogram() for each in TIMED_RESULTS})
        self.verdicts_recalled = 0
        self.hedges: dict[str, int] = {"started": 0, "won": 0}
        self.store_lookups: dict[str, int] = {"hit": 0, "miss": 0}
        self._readings: dict[str, Reading] = {}
        self.read(
            "docwarden_build_info",
            lambda: [((version, revision, platform.python_version()), 1)],
        )

    def read(self, name: str, reading: Reading) -> None:
        """Read the metric `name` from `reading` at each scrape, as rows of label values and value.

        Raises:
            KeyError: `name` is not declared.
        """
        self._readings[_BY_NAME[name].name] = reading

    def gauge(self, name: str, reading: Callable[[], float]) -> None:
        """Read the metric `name`, without labels, from `reading` at each scrape."""
        self.read(name, lambda: [((), reading())])

    def finding(self, media_type: str, reason: str, tier: int, *, refused: bool) -> None:
        """Count one finding of an integrity check."""
        key = (media_type, reason, str(tier))
        findings = self.integrity if refused else self.observations
        findings[key] = findings.get(key, 0) + 1

    def deliveries(self) -> list[int]:
        """Return how many documents were delivered within each bound of `FINE`, then the rest."""
        counts = [0] * (len(FINE) + 1)
        for (route, _, status), seen in self.requests.items():
            if route == DOCUMENT_ROUTE and status in DELIVERED_STATUSES:
                counts = [sum(pair) for pair in zip(counts, seen.counts, strict=True)]
        return counts

    def collect(self) -> Iterator[Metric]:
        """Return every declared metric (prometheus_client's protocol)."""
        for declared in DECLARED:
            if declared.kind == "histogram":
                yield self._histogram(declared)
            else:
                yield self._numbers(declared)

    def _histogram(self, declared: Declared) -> Metric:
        family = HistogramMetricFamily(declared.name, declared.about, labels=declared.labels)
        rows: Iterable[tuple[list[str], Histogram]]
        if declared.name == "http_server_request_duration_seconds":
            rows = [([r, m, str(s)], h) for (r, m, s), h in self.requests.items()]
        else:
            rows = [([result], h) for result, h in self.attempts.items()]
        for labels, histogram in rows:
            family.add_metric(labels, histogram.buckets(), histogram.total)
        return family

    def _numbers(self, declared: Declared) -> Metric:
        kind = CounterMetricFamily if declared.kind == "counter" else GaugeMetricFamily
        family = kind(declared.name, declared.about, labels=declared.labels)
        for labels, value in self._rows(declared.name):
            family.add_metric(labels, value)
        return family

    def _rows(self, name: str) -> Iterable[tuple[tuple[str, ...], float]]:
        if name in self._readings:
            return self._readings[name]()
        counted: dict[str, Iterable[tuple[tuple[str, ...], float]]] = {
            "docwarden_documents": _by_label(self.documents),
            "docwarden_integrity_failures": self.integrity.items(),
            "docwarden_integrity_observations": self.observations.items(),
            "docwarden_upstream_attempts": _by_label(
                dict.fromkeys(ATTEMPT_RESULTS, 0)
                | {result: sum(seen.counts) for result, seen in self.attempts.items()}
            ),
            "docwarden_hedges": _by_label(self.hedges),
            "docwarden_store_lookups": _by_label(self.store_lookups),
            "docwarden_verdicts_recalled": [((), self.verdicts_recalled)],
        }
        return counted.get(name, ())


def _by_label(counts: dict[str, int]) -> list[tuple[tuple[str, ...], float]]:
    return [((label,), count) for label, count in counts.items()]


def exposition(registry: CollectorRegistry, accept: bytes) -> tuple[bytes, bytes]:
    """Return the metrics in the format that an Accept value asks for, and its media type.

    That is Prometheus's text format if the value is not valid.
    """
    try:
        encode, media_type = choose_encoder(accept.decode("latin-1"))
        named = media_type.encode("ascii")
    except (TypeError, ValueError):
        return generate_latest(registry), CONTENT_TYPE_PLAIN_0_0_4.encode("ascii")
    return encode(registry), named


def registry_of(metrics: Metrics) -> CollectorRegistry:
    """Return a registry of `metrics` and of the process metrics."""
    registry = CollectorRegistry()
    registry.register(metrics)
    ProcessCollector(registry=registry)
    return registry
