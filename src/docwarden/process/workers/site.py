"""The operator's pages for all workers together."""

import asyncio
import platform
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Final, Protocol

import orjson
from prometheus_client.core import CounterMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from docwarden import __version__
from docwarden.core import responses
from docwarden.core.errors import Cause, Failure
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.process.workers.tally import Tally
from docwarden.process.workers.worker import Worker
from docwarden.telemetry.metrics import exposition

_JSON: Final = b"application/json"
_RESTARTS: Final = "docwarden_worker_restarts"
_NO_CONSOLE: Final = (
    b"docwarden runs with several workers. The console shows one process, so it is there with"
    b" DOCWARDEN_WORKERS=1 only; /metrics has the numbers of all of them.\n"
)


class WorkerPool(Protocol):
    """What the pages need to know of the supervisor."""

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
    def wanted(self) -> int:
        """How many there should be."""
        ...


class WorkersSite:
    """Answers operators for all workers; implements `core.request.Handler`."""

    def __init__(self, pool: WorkerPool, *, revision: str) -> None:
        self._pool = pool
        self._revision = revision
        self._tally = Tally()
        self._scrape = asyncio.Lock()

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        if request.method not in ("GET", "HEAD"):
            return self.refuse(request, Failure(Cause.METHOD))
        response = await self._page(request)
        return response if request.method == "GET" else responses.without_body(response)

    async def _page(self, request: Request) -> Response:
        pages: dict[str, Callable[[], Awaitable[Response]]] = {
            "/livez": self._livez,
            "/readyz": self._readyz,
            "/startupz": self._startupz,
            "/metrics": lambda: self._metrics(request),
        }
        if request.path in pages:
            return await pages[request.path]()
        if request.path == "/version":
            return self._version()
        if request.path == "/":
            return responses.page(_NO_CONSOLE, b"text/plain; charset=utf-8")
        return self.refuse(request, Failure(Cause.NO_SUCH_PAGE))

    def refuse(self, request: Request, failure: Failure) -> Response:
        """Return the problem for `failure`."""
        extra = b"Allow: GET, HEAD\r\n" if failure.cause is Cause.METHOD else b""
        return responses.problem(
            failure,
            instance=request.instance,
            request_id=request.request_id,
            attempts=0,
            extra=extra,
        )

    def on_finished(self, request: Request, response: Response | None, sent: int) -> None:
        """Nothing is counted here, as on the operator's pages of a single process."""

    async def _well(self, path: str) -> int:
        """Return how many workers answer a health page with 200."""
        answers = await asyncio.gather(*(worker.ask(path) for worker in self._pool.workers))
        return sum(answer is not None and answer[0] == 200 for answer in answers)

    async def _livez(self) -> Response:
        """Alive unless a worker that runs is stuck; one that died is being replaced."""
        running = len(self._pool.workers)
        alive = await self._well("/livez")
        return _verdict(alive, running, well=alive >= running)

    async def _readyz(self) -> Response:
        """Ready while one worker takes requests: the kernel gives none to those that do not."""
        ready = 0 if self._pool.draining else await self._well("/readyz")
        return _verdict(ready, self._pool.wanted, well=ready > 0)

    async def _startupz(self) -> Response:
        started = await self._well("/startupz")
        return _verdict(started, self._pool.wanted, well=started >= self._pool.wanted)

    async def _metrics(self, request: Request) -> Response:
        # One scrape after the other: an older answer added up later would be counters going down.
        async with self._scrape:
            workers = self._pool.workers
            answers = await asyncio.gather(*(worker.ask("/metrics") for worker in workers))
            texts = [None if answer is None else answer[1].decode() for answer in answers]
            families = self._tally.add_up(dict(zip(workers, texts, strict=True)))
        registry = CollectorRegistry()
        registry.register(_Merged(families, self._pool.restarts))
        return responses.page(*exposition(registry, request.headers.get(b"accept", b"")))

    def _version(self) -> Response:
        body: dict[str, Any] = {
            "version": __version__,
            "revision": self._revision,
            "python": platform.python_version(),
        }
        return responses.page(orjson.dumps(body), _JSON)


class _Merged(Collector):
    def __init__(self, families: Iterable[Metric], restarts: int) -> None:
        self._families = [each for each in families if each.name != _RESTARTS]
        replaced = CounterMetricFamily(_RESTARTS, "Workers that died and were replaced.")
        replaced.add_metric((), restarts)
        self._families.append(replaced)

    def collect(self) -> Iterable[Metric]:
        return self._families


def _verdict(count: int, of: int, *, well: bool) -> Response:
    body = orjson.dumps({"status": "ok" if well else "fail", "workers": count, "of": of})
    return responses.page(body, _JSON, status=200 if well else 503)
