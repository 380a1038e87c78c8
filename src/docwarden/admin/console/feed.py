"""One reading a second for all open pages, and a few a minute while there are none.

A slow viewer gets the latest event of each kind and misses those between, so that it never makes
the process hold more than a few kilobytes.
"""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Final

import orjson

from docwarden.admin.console.history import History
from docwarden.admin.console.reading import Reading, Source

VIEWERS: Final = 32
"""Open pages that are fed at once; the admin listener takes a hundred connections."""
PERIOD: Final = 1.0
IDLE_PERIOD: Final = 5.0
"""Seconds between two readings while a page is open, and while none is."""


class Viewer:
    """The events for one open page; an endless iterator of bytes (server-sent events).

    Attributes:
        tail: whether successful requests are among them.
    """

    def __init__(self, feed: "Feed", *, tail: bool) -> None:
        self._feed = feed
        self.tail = tail
        self._pending: dict[str, bytes] = {}
        self._wake = asyncio.Event()

    def push(self, kind: str, data: bytes) -> None:
        """Queue an event, in place of an earlier one of its kind that was not sent yet."""
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
    """Takes readings, and pushes events about them to every viewer.

    Args:
        source: where readings come from.
        report: called with an error of a reading; the next reading is still tried.
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
        self._history = History()
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

    def watch(self, about: bytes, *, tail: bool = False) -> Viewer | None:
        """Return the events for one more page, `about` first; None when too many are open."""
        if len(self._viewers) >= VIEWERS:
            return None
        viewer = Viewer(self, tail=tail)
        viewer.push("about", about)
        if self._latest is not None:
            viewer.push("history", orjson.dumps(self._history.points))
            viewer.push("failures", orjson.dumps(self._latest.failures))
        if self._viewers:
            viewer.push("sample", self._sample)
        # Otherwise the sample is seconds old, and a new one is taken at once.
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
                tail = any(viewer.tail for viewer in self._viewers)
                reading = await self._source.read(tail=tail)
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
        self._sample = orjson.dumps(self._history.take(reading, self._clock(), self._wall_clock()))
        news = None
        if before is None or reading.failed != before.failed:
            news = orjson.dumps(reading.failures)
        for viewer in self._viewers:
            viewer.push("sample", self._sample)
            if news is not None:
                viewer.push("failures", news)
            if viewer.tail:
                viewer.push("successes", orjson.dumps(reading.successes))
