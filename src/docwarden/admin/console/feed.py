"""One reading a second for all who look, none while nobody does.

A viewer that reads slowly gets the latest of each kind of event and misses those between, so no
viewer makes the process hold more than a few kilobytes.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import orjson
from prometheus_client.registry import CollectorRegistry

from docwarden.admin.console.counts import Counts, Numbers, quantile, read
from docwarden.admin.console.details import Details
from docwarden.admin.console.verdict import Snapshot, judge
from docwarden.gateway.recent_failures import RecentFailures

VIEWERS: Final = 8
"""Open pages that are fed at once; the admin listener takes a hundred connections."""
PERIOD: Final = 1.0
_SHORT: Final = 10
"""Readings, so seconds, over which rates and quantiles are taken: calm, yet quick to follow."""
_LONG: Final = 60
_CHART: Final = 180
"""Points that a chart shows: three minutes."""


class Viewer:
    """The events for one open page; an endless iterator of bytes (server-sent events)."""

    def __init__(self, feed: "Feed") -> None:
        self._feed = feed
        self._pending: dict[str, bytes] = {}
        self._wake = asyncio.Event()

    def push(self, kind: str, data: bytes) -> None:
        """Have the event sent, in place of an earlier one of its kind that still waits."""
        self._pending[kind] = data
        self._wake.set()

    def close(self) -> None:
        """Send no more; may be called again."""
        self._feed.forget(self)

    def __aiter__(self) -> "Viewer":
        return self

    async def __anext__(self) -> bytes:
        await self._wake.wait()
        self._wake.clear()
        pending, self._pending = self._pending, {}
        return b"".join(
            b"event: %b\ndata: %b\n\n" % (kind.encode(), data) for kind, data in pending.items()
        )


class Feed:
    """Reads the metrics while somebody looks, and hands what follows from them to every viewer.

    Args:
        registry: what `/metrics` shows.
        details: what the console shows beside it, at this moment.
        failures: the last failed requests.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        *,
        registry: CollectorRegistry,
        details: Callable[[], Details],
        failures: RecentFailures,
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._registry = registry
        self._details = details
        self._failures = failures
        self._clock = clock
        self._wall_clock = wall_clock
        self._viewers: set[Viewer] = set()
        self._history: deque[Counts] = deque(maxlen=_LONG + 1)
        self._points: deque[dict[str, Any]] = deque(maxlen=_CHART)
        self._failures_told = -1
        self._latest = b""
        self._next: asyncio.Handle | None = None

    @property
    def viewers(self) -> int:
        """Pages that are open."""
        return len(self._viewers)

    @property
    def running(self) -> bool:
        """Whether readings are taken."""
        return self._next is not None

    def watch(self, about: bytes) -> Viewer | None:
        """Return the events for one more page, `about` first; None when too many are open."""
        if len(self._viewers) >= VIEWERS:
            return None
        viewer = Viewer(self)
        viewer.push("about", about)
        if self._latest:
            viewer.push("history", orjson.dumps(list(self._points)))
            viewer.push("sample", self._latest)
        viewer.push("failures", orjson.dumps(self._failures.newest_first()))
        self._viewers.add(viewer)
        if self._next is None:
            self._failures_told = self._failures.total
            self._next = asyncio.get_running_loop().call_soon(self._tick)
        return viewer

    def forget(self, viewer: Viewer) -> None:
        """Stop feeding a viewer, and reading when it was the last."""
        self._viewers.discard(viewer)
        if not self._viewers and self._next is not None:
            self._next.cancel()
            self._next = None
            self._history.clear()
            self._points.clear()
            self._latest = b""

    def _tick(self) -> None:
        self._next = asyncio.get_running_loop().call_later(PERIOD, self._tick)
        self._latest = orjson.dumps(self._sample())
        news = None
        if self._failures.total != self._failures_told:
            self._failures_told = self._failures.total
            news = orjson.dumps(self._failures.newest_first())
        for viewer in self._viewers:
            viewer.push("sample", self._latest)
            if news is not None:
                viewer.push("failures", news)

    def _sample(self) -> dict[str, Any]:
        numbers = read(self._registry)
        details = self._details()
        counts = Counts.of(numbers, self._clock())
        self._history.append(counts)
        history = self._history
        before = history[-2] if len(history) > 1 else counts
        short = counts.since(history[max(0, len(history) - 1 - _SHORT)])
        long = counts.since(history[0])
        gauges = {
            name: _one(numbers, f"docwarden_{name}")
            for name in ("requests_in_flight", "requests_waiting", "concurrency_limit")
        }
        point = {
            "t": round(self._wall_clock(), 3),
            **_rates(counts.since(before)),
            **_quantiles(short),
            **gauges,
        }
        self._points.append(point)
        verdict = judge(
            Snapshot(
                phase=details.phase,
                stuck=details.stuck,
                breaker=details.breaker,
                breaker_wait=details.breaker_wait,
                limit=gauges["concurrency_limit"],
                stall=_one(numbers, "docwarden_event_loop_stall_seconds"),
                recent=long,
            )
        )
        return {
            "point": point,
            "verdict": verdict,
            "short": {**_by_name(short), **_rates(short), "seconds": short.at},
            "long": {"good_share": long.good_share(), "seconds": long.at},
            "details": details,
            "metrics": _shown(numbers),
        }


def _one(numbers: Numbers, name: str) -> float:
    return next(iter(numbers.get(name, {}).values()), 0.0)


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
    """Return every sample as rows of label values and value; buckets are of no use to a reader."""
    return {
        name: [[*labels, value] for labels, value in rows.items()]
        for name, rows in numbers.items()
        if not name.endswith(("_bucket", "_created"))
    }
