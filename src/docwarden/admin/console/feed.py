"""One reading a second for all who look, and a few a minute while nobody does.

A viewer that reads slowly gets the latest of each kind of event and misses those between, so no
viewer makes the process hold more than a few kilobytes.
"""

import asyncio
import contextlib
from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

import orjson

from docwarden.admin.console.counts import LATENCY_BOUND, Counts, Numbers, quantile
from docwarden.admin.console.course import Course, Pulse
from docwarden.admin.console.reading import Reading, Source
from docwarden.admin.console.verdict import Snapshot, Verdict, judge

VIEWERS: Final = 32
"""Open pages that are fed at once; the admin listener takes a hundred connections."""
PERIOD: Final = 1.0
IDLE_PERIOD: Final = 5.0
"""Seconds between two readings while somebody looks, and while nobody does."""
_SHORT: Final = 10.0
"""Seconds over which rates and quantiles are taken: calm, yet quick to follow."""
_LONG: Final = 60.0
_CHART: Final = 180.0
"""Seconds that a chart shows."""


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
    """Takes readings, and hands what follows from them to every viewer.

    Args:
        source: where readings come from.
        report: takes a defect met while reading; the next reading is tried all the same.
        clock: monotonic seconds.
        wall_clock: seconds since the epoch.
    """

    def __init__(
        self,
        source: Source,
        *,
        report: Callable[[Exception], None],
        clock: Callable[[], float],
        wall_clock: Callable[[], float],
    ) -> None:
        self._source = source
        self._report = report
        self._clock = clock
        self._wall_clock = wall_clock
        self._viewers: set[Viewer] = set()
        self._history: deque[Counts] = deque()
        self._points: deque[dict[str, Any]] = deque()
        self._course = Course()
        self._latest: Reading | None = None
        self._sample = b""
        self._looked_at = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def viewers(self) -> int:
        """Pages that are open."""
        return len(self._viewers)

    def start(self) -> None:
        """Begin to take readings."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Take no more readings."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def watch(self, about: bytes) -> Viewer | None:
        """Return the events for one more page, `about` first; None when too many are open."""
        if len(self._viewers) >= VIEWERS:
            return None
        viewer = Viewer(self)
        viewer.push("about", about)
        if self._latest is not None:
            viewer.push("history", orjson.dumps(list(self._points)))
            viewer.push("failures", orjson.dumps(self._latest.failures))
        if self._viewers:
            viewer.push("sample", self._sample)
        # Else it is a few seconds old, and the next one is taken at once.
        self._viewers.add(viewer)
        self._looked_at.set()
        return viewer

    def forget(self, viewer: Viewer) -> None:
        """Stop feeding a viewer."""
        self._viewers.discard(viewer)
        if not self._viewers:
            self._looked_at.clear()

    async def _run(self) -> None:
        while True:
            try:
                reading = await self._source.read()
                if reading is not None:
                    self._take(reading)
            except Exception as error:  # noqa: BLE001 - one reading's failure is not the next one's
                self._report(error)
            if self._viewers:
                await asyncio.sleep(PERIOD)
            else:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._looked_at.wait(), IDLE_PERIOD)

    def _take(self, reading: Reading) -> None:
        before, self._latest = self._latest, reading
        self._sample = orjson.dumps(self._derive(reading))
        news = None
        if before is None or reading.failed != before.failed:
            news = orjson.dumps(reading.failures)
        for viewer in self._viewers:
            viewer.push("sample", self._sample)
            if news is not None:
                viewer.push("failures", news)

    def _derive(self, reading: Reading) -> dict[str, Any]:
        """Return what a page shows of a reading, given those before it."""
        numbers = reading.numbers
        counts = Counts.of(numbers, reading.delivery, self._clock())
        wall = self._wall_clock()
        before = self._history[-1] if self._history else counts
        self._history.append(counts)
        while len(self._history) > 1 and counts.at - self._history[1].at >= _LONG:
            self._history.popleft()
        self._course.note(Pulse.of(counts, wall))
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
            "verdict": self._verdict(reading, long, wall),
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
        """Return the growth over the last so many seconds, or as near to them as readings lie."""
        earlier = next(each for each in self._history if counts.at - each.at < seconds + PERIOD / 2)
        if earlier is counts and len(self._history) > 1:
            earlier = self._history[-2]
        return counts.since(earlier)

    def _verdict(self, reading: Reading, recent: Counts, wall: float) -> Verdict:
        details = reading.details
        return judge(
            Snapshot(
                phase=details.phase,
                stuck=details.stuck,
                breaker=details.breaker,
                breaker_wait=details.breaker_wait,
                limit=_one(reading.numbers, "docwarden_concurrency_limit"),
                stall=_one(reading.numbers, "docwarden_event_loop_stall_seconds"),
                recent=recent,
                reasons=Counter(
                    each.reason for each in reading.failures if wall - each.at <= _LONG
                ),
                since=self._course.since,
            )
        )


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
    """Return every sample as rows of label values and value; buckets are of no use to a reader."""
    return {
        name: [[*labels, value] for labels, value in rows.items()]
        for name, rows in numbers.items()
        if not name.endswith(("_bucket", "_created"))
    }
