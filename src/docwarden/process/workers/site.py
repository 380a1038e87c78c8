"""The operator's pages for all workers together."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from docwarden.admin import pages
from docwarden.admin.console.counts import read
from docwarden.admin.console.reading import Reading
from docwarden.admin.console.site import Console
from docwarden.admin.explain_page import ExplainPage
from docwarden.admin.site import READING, TAIL
from docwarden.core import responses
from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.process.workers.tally import Tally
from docwarden.process.workers.worker import Worker
from docwarden.telemetry.metrics import exposition

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


class WorkersSite:
    """Answers operators for all workers; implements `core.request.Handler`."""

    def __init__(
        self,
        pool: WorkerPool,
        workers: AllWorkers,
        console: Console,
        explain: ExplainPage,
        *,
        revision: str,
    ) -> None:
        self._pool = pool
        self._workers = workers
        self._console = console
        self._explain = explain
        self._revision = revision

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if self._explain.answers(request.path):
            return await self._explain.handle(request)
        try:
            response = await self._page(request)
        except Failure as failure:
            response = self.refuse(request, failure)
        return response if request.method != "HEAD" else responses.without_body(response)

    async def _page(self, request: Request) -> Response:
        health: dict[str, Callable[[], Awaitable[Response]]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
        }
        path = request.path
        if request.method not in ("GET", "HEAD"):
            raise Failure(Cause.METHOD)
        if path in health:
            return await health[path]()
        if path == "/metrics":
            registry = await self._workers.registry()
            return responses.page(*exposition(registry, request.headers.get(b"accept", b"")))
        if path == "/version":
            return pages.version(self._revision)
        if path in self._console.pages:
            return self._console.pages[path](request)
        raise Failure(Cause.NO_SUCH_PAGE)

    def refuse(self, request: Request, failure: Failure) -> Response:
        """Return the problem for `failure`."""
        return pages.refusal(request, failure)

    def on_finished(
        self,
        request: Request,  # noqa: ARG002 - the protocol's; nothing is counted here
        response: Response | None,
        sent: int,  # noqa: ARG002 - as above
    ) -> None:
        """Close event streams; nothing is counted, as on the pages of a single process."""
        self._console.on_finished(response)

    async def _count_ok(self, path: str) -> int:
        """Return the number of workers that answer a health page with 200."""
        answers = await asyncio.gather(*(worker.ask(path) for worker in self._pool.workers))
        return sum(answer is not None and answer[0] == 200 for answer in answers)

    async def _livez(self) -> Response:
        """Alive unless a running worker is stuck; one that died is being replaced."""
        running = len(self._pool.workers)
        alive = await self._count_ok("/livez")
        return _health(alive, running, ok=alive >= running)

    async def _readyz(self) -> Response:
        """Ready while any worker takes requests: the kernel sends none to the others."""
        ready = 0 if self._pool.draining else await self._count_ok("/readyz")
        return _health(ready, self._pool.size, ok=ready > 0)

    async def _startupz(self) -> Response:
        started = await self._count_ok("/startupz")
        return _health(started, self._pool.size, ok=started >= self._pool.size)


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
