"""The operator's pages for all workers together."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from docwarden.admin import pages
from docwarden.admin.console.counts import read
from docwarden.admin.console.reading import Reading
from docwarden.admin.console.site import Console
from docwarden.admin.explain_page import ExplainPage
from docwarden.admin.operator_site import OperatorSite, Page
from docwarden.admin.site import READING, TAIL
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.process.workers.tally import Tally
from docwarden.process.workers.worker import Worker

_OK: Final = 200
_RESTARTS: Final = "docwarden_worker_restarts"


class WorkerPool(Protocol):
    """The supervisor, as the pages see it."""

    restarts: int

    @property
    def draining(self) -> bool:
        """Whether the workers are shutting down."""
        ...

    @property
    def workers(self) -> Sequence[Worker]:
        """The workers that run now."""
        ...

    @property
    def size(self) -> int:
        """The configured number of workers."""
        ...


class AllWorkers:
    """Reads the metrics of all workers, and the console's details, as if of one process."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._tally = Tally()
        self._scrape = asyncio.Lock()

    async def registry(self) -> CollectorRegistry:
        """Return a registry with the metrics of all workers."""
        # One scrape at a time: adding an older answer later would make counters go down.
        async with self._scrape:
            workers = self._pool.workers
            answers = await asyncio.gather(*(worker.ask("/metrics") for worker in workers))
            texts = [None if answer is None else answer[1].decode() for answer in answers]
            families = self._tally.add_up(dict(zip(workers, texts, strict=True)))
        registry = CollectorRegistry()
        registry.register(_Merged(families, self._pool.restarts))
        return registry

    async def read(self, *, tail: bool) -> Reading | None:
        """Return a reading, or None if no worker answers."""
        page = TAIL if tail else READING
        answers = await asyncio.gather(*(worker.ask(page) for worker in self._pool.workers))
        readings = [answer[1] for answer in answers if answer is not None and answer[0] == _OK]
        return Reading.merged(read(await self.registry()), readings)


class WorkersSite(OperatorSite):
    """The pages of all workers together."""

    def __init__(
        self,
        pool: WorkerPool,
        workers: AllWorkers,
        console: Console,
        explain: ExplainPage,
        *,
        revision: str,
    ) -> None:
        by_path: dict[str, Page] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
            "/metrics": self._metrics,
        }
        super().__init__(by_path, console=console, explain=explain, revision=revision)
        self._pool = pool
        self._workers = workers

    async def _count_ok(self, path: str) -> int:
        """Return the number of workers that answer a health page with 200."""
        answers = await asyncio.gather(*(worker.ask(path) for worker in self._pool.workers))
        return sum(answer is not None and answer[0] == 200 for answer in answers)

    async def _livez(self, _: Request) -> Response:
        """Alive unless a running worker is stuck; one that died is being replaced."""
        running = len(self._pool.workers)
        alive = await self._count_ok("/livez")
        return _health(alive, running, ok=alive >= running)

    async def _readyz(self, _: Request) -> Response:
        """Ready while any worker takes requests: the kernel sends none to the others."""
        ready = 0 if self._pool.draining else await self._count_ok("/readyz")
        return _health(ready, self._pool.size, ok=ready > 0)

    async def _startupz(self, _: Request) -> Response:
        started = await self._count_ok("/startupz")
        return _health(started, self._pool.size, ok=started >= self._pool.size)

    async def _metrics(self, request: Request) -> Response:
        return pages.metrics(request, await self._workers.registry())


class _Merged(Collector):
    def __init__(self, families: Iterable[Metric], restarts: int) -> None:
        self._families = [each for each in families if each.name != _RESTARTS]
        replaced = CounterMetricFamily(_RESTARTS, "Workers that died and were replaced.")
        replaced.add_metric((), restarts)
        self._families.append(replaced)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _health(count: int, of: int, *, ok: bool) -> Response:
    return pages.health({"status": "ok" if ok else "fail", "workers": count, "of": of}, ok=ok)
