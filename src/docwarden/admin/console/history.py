"""The readings of the last minutes, and what a page shows of the newest one."""

from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

from docwarden.admin.console.concern import Snapshot
from docwarden.admin.console.counts import LATENCY_BOUND, Counts, Numbers, quantile
from docwarden.admin.console.diagnosis import Diagnosis, diagnose
from docwarden.admin.console.reading import Reading
from docwarden.admin.console.timeline import Pulse, Timeline
from docwarden.gateway.recent_failures import REFUSED, FailedRequest

_SHORT: Final = 10.0
"""Seconds over which rates and quantiles are taken: smooth, yet responsive."""
_LONG: Final = 60.0
_CHART: Final = 180.0
"""Seconds that a chart shows."""
_SLACK: Final = 0.5
"""Seconds by which a reading may be older than its span."""


class History:
    """Records readings as pages need them."""

    def __init__(self) -> None:
        self._history: deque[Counts] = deque()
        self._points: deque[dict[str, Any]] = deque()
        self._timeline = Timeline()

    @property
    def points(self) -> list[dict[str, Any]]:
        """What the charts show, oldest first."""
        return list(self._points)

    def take(self, reading: Reading, now: float, wall: float) -> dict[str, Any]:
        """Record a reading, and return what a page shows of it.

        Args:
            reading: the newest.
            now: monotonic seconds.
            wall: epoch seconds.
        """
        numbers = reading.numbers
        counts = Counts.of(numbers, reading.delivery, now)
        before = self._history[-1] if self._history else counts
        self._history.append(counts)
        while len(self._history) > 1 and counts.at - self._history[1].at >= _LONG:
            self._history.popleft()
        self._timeline.note(Pulse.of(counts, wall))
        short, long = self._grown(counts, _SHORT), counts.since(self._history[0])
        point = {
            "t": round(wall, 3),
            **_rates(counts.since(before)),
            **_quantiles(short),
            **_gauges(numbers),
        }
        self._points.append(point)
        while point["t"] - self._points[0]["t"] > _CHART:
            self._points.popleft()
        return {
            "point": point,
            "verdict": self._diagnosis(reading, long, wall),
            "short": {**_by_name(short), **_rates(short), "seconds": short.at},
            "long": {
                "good_share": long.good_share(),
                "seconds": long.at,
                "bound": LATENCY_BOUND,
                **_quantiles(long),
                "means": long.mean_seconds(),
            },
            "details": reading.details,
            "metrics": _shown(numbers),
        }

    def _grown(self, counts: Counts, seconds: float) -> Counts:
        """Return the growth over the last `seconds`, as closely as readings allow."""
        earlier = next(each for each in self._history if counts.at - each.at < seconds + _SLACK)
        if earlier is counts and len(self._history) > 1:
            earlier = self._history[-2]
        return counts.since(earlier)

    def _diagnosis(self, reading: Reading, recent: Counts, wall: float) -> Diagnosis:
        details = reading.details
        return diagnose(
            Snapshot(
                phase=details.phase,
                stuck=details.stuck,
                breaker=details.breaker,
                breaker_wait=details.breaker_wait,
                limit=_one(reading.numbers, "docwarden_concurrency_limit"),
                stall=_one(reading.numbers, "docwarden_event_loop_stall_seconds"),
                recent=recent,
                reasons=_reasons(each for each in reading.failures if wall - each.at <= _LONG),
                since=self._timeline.since,
            )
        )


def _reasons(failures: Iterable[FailedRequest]) -> Counter[str]:
    """Count the reasons of failures; refusals only if there is no other."""
    listed = list(failures)
    tried = [each for each in listed if each.outcome not in REFUSED]
    return Counter(map(_reason, tried or listed))


def _reason(failed: FailedRequest) -> str:
    return f"{failed.reason} ({failed.detail})" if failed.detail else failed.reason


def _one(numbers: Numbers, name: str) -> float:
    return next(iter(numbers.get(name, {}).values()), 0.0)


def _gauges(numbers: Numbers) -> dict[str, float]:
    names = ("requests_in_flight", "requests_waiting", "concurrency_limit")
    return {name: _one(numbers, f"docwarden_{name}") for name in names}


def _rates(change: Counts) -> dict[str, float]:
    """Return what the charts show, per second."""
    return {
        name: round(change.rate(number), 3)
        for name, number in (
            ("good", change.good),
            ("failed", change.failed),
            ("refused", change.refused),
            ("answered", change.answered),
            ("damaged", change.damaged),
            ("broken", change.broken),
        )
    }


def _quantiles(change: Counts) -> dict[str, float | None]:
    return {
        name: quantile(share, change.delivery)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99))
    }


def _by_name(change: Counts) -> dict[str, dict[str, float]]:
    """Return the rates that the tables show."""
    return {
        "outcomes": {name: change.rate(n) for name, n in change.outcomes.items()},
        "attempts": {name: change.rate(n) for name, n in change.attempts.items()},
    }


def _shown(numbers: Numbers) -> dict[str, list[list[Any]]]:
    """Return every sample as rows of label values and value; without buckets."""
    return {
        name: [[*labels, value] for labels, value in rows.items()]
        for name, rows in numbers.items()
        if not name.endswith(("_bucket", "_created"))
    }
