"""The process that starts the workers, replaces those that die, and passes signals on.

All workers listen on the public port (SO_REUSEPORT), so the kernel spreads connections over them.
The supervisor has the operator's listener, with the health and metrics of all workers together.
"""

import asyncio
import contextlib
import random
import signal
from collections.abc import Sequence
from typing import Final

from docwarden import __version__
from docwarden.admin.explain_page import ExplainPage
from docwarden.net.units import Address
from docwarden.process.lifecycle import (
    ADMIN_CONNECTIONS,
    StartError,
    admin_hosts,
    client_limits,
    ending_signals,
    listen,
    log_stopped,
)
from docwarden.process.observability import console_of, feed_of
from docwarden.process.workers.site import AllWorkers, WorkersSite
from docwarden.process.workers.worker import Worker
from docwarden.server.listener import Listener
from docwarden.settings.settings import Settings
from docwarden.telemetry.logs import Log

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 5.0
# A worker that has run this long has started well; pauses begin at the shortest again.
_SETTLED_SECONDS: Final = 10.0
_LOOK_SECONDS: Final = 0.02
# A worker that leaves so many probes in a row unanswered for `ANSWER_SECONDS` each has stalled: its
# share of new connections would hang for ever. Starting takes longer.
_PROBE_SECONDS: Final = 1.0
_MAX_UNANSWERED: Final = 5
_MAX_UNANSWERED_AT_START: Final = 30
# How much longer than its drain a worker may take to end before it is killed.
_GRACE_SECONDS: Final = 5.0
_USAGE: Final = 2


class Supervisor:
    """Runs `settings.workers` processes until a signal.

    Attributes:
        restarts: workers that died and were replaced.
    """

    def __init__(self, settings: Settings, log: Log, *, options: Sequence[str] = ()) -> None:
        self._settings = settings
        self._log = log
        self._options = tuple(options)
        self._slots: list[Worker | None] = [None] * settings.workers
        self._statuses: list[int] = []
        self._address = settings.listen
        self._stopping = asyncio.Event()
        self._stopping_since: float | None = None
        self._served = False
        self.restarts = 0
        workers = AllWorkers(self)
        self._feed = feed_of(workers, log)
        console = console_of(settings, self._feed)
        self.admin = Listener(
            WorkersSite(
                self, workers, console, ExplainPage(settings, log), revision=settings.revision
            ),
            client_limits(settings, ADMIN_CONNECTIONS),
            random=random.Random(),  # noqa: S311 - request ids, nothing secret
            hosts=admin_hosts(settings),
        )

    @property
    def workers(self) -> Sequence[Worker]:
        """The workers that run now."""
        return [worker for worker in self._slots if worker is not None]

    @property
    def draining(self) -> bool:
        """Whether the workers are shutting down."""
        return self._stopping.is_set()

    @property
    def size(self) -> int:
        """The configured number of workers."""
        return len(self._slots)

    async def run(self) -> int:
        """Serve until a signal; return 0, or the highest exit status of a worker.

        Raises:
            StartError: an address cannot be listened on, or the workers do not start.
        """
        loop = asyncio.get_running_loop()

        def received(which: signal.Signals) -> None:
            self._stopping_since = self._stopping_since or loop.time()
            self._stopping.set()
            for worker in self.workers:
                worker.signal(which)

        for which in ending_signals():
            loop.add_signal_handler(which, received, which)
        # Bound but never listening: it reserves the port for the workers, and gets no connections.
        reserved = listen(self._settings.listen, "LISTEN", shared=True)
        with reserved:
            self._address = Address(self._settings.listen.host, reserved.getsockname()[1])
            await self.admin.start(listen(self._settings.admin_listen, "ADMIN_LISTEN"))
            self._feed.start()
            keepers = [asyncio.ensure_future(self._keep(slot)) for slot in range(self.size)]
            try:
                await self._until_ready(keepers)
                await self._stopping.wait()
                await self._wait_for_workers(keepers)
            finally:
                await self._shut_down(keepers)
        return max(self._statuses, default=0)

    async def _keep(self, slot: int) -> None:
        """Keep one slot filled with a worker until the drain."""
        pause = _FIRST_PAUSE
        while not self._stopping.is_set():
            try:
                worker = await Worker.start(("--listen", str(self._address), *self._options))
            except OSError as error:  # out of descriptors, processes or memory, for now
                self._log.event(
                    "error", "worker.not_started", f"no worker started: {error}", reason=str(error)
                )
                await asyncio.sleep(_LONGEST_PAUSE)
                continue
            self._slots[slot] = worker
            if self._stopping.is_set():
                worker.signal(signal.SIGTERM)
            started = asyncio.get_running_loop().time()
            watching = asyncio.ensure_future(self._watch(worker))
            status = await worker.process.wait()
            watching.cancel()
            self._slots[slot] = None
            worker.close()
            # Once all have served, the settings are right: a resource was missing.
            if (status == _USAGE and not self._served) or self._stopping.is_set():
                # A worker that got the signal before it could handle it has ended as it should.
                self._statuses.append(0 if status == -signal.SIGTERM else abs(status))
                return
            self.restarts += 1
            pid = worker.process.pid
            message = f"worker {pid} ended with status {status} and is replaced"
            self._log.event("error", "worker.died", message, pid=pid, exit_status=status)
            settled = asyncio.get_running_loop().time() - started > _SETTLED_SECONDS
            pause = _FIRST_PAUSE if settled else min(pause * 2, _LONGEST_PAUSE)
            await asyncio.sleep(pause)

    async def _watch(self, worker: Worker) -> None:
        """Kill a stalled worker, so that it is replaced."""
        unanswered, limit = 0, _MAX_UNANSWERED_AT_START
        while unanswered < limit:
            await asyncio.sleep(_PROBE_SECONDS)
            if await worker.ask("/livez") is None:
                unanswered += 1
            else:
                unanswered, limit = 0, _MAX_UNANSWERED
            if self._stopping.is_set():
                return  # the drain has its own timeouts
        pid = worker.process.pid
        self._log.event("error", "worker.stalled", f"worker {pid} has stalled", pid=pid)
        worker.signal(signal.SIGKILL)

    async def _until_ready(self, keepers: Sequence[asyncio.Future[None]]) -> None:
        while not self._stopping.is_set():
            if any(keeper.done() for keeper in keepers):
                # The worker has printed the reason to standard error.
                raise StartError("the workers did not start")
            answers = [await worker.ask("/readyz") for worker in self.workers]
            if sum(answer is not None and answer[0] == 200 for answer in answers) == self.size:
                self._served = True
                break
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            return
        listen_url = f"http://{self._address}"
        admin_url = f"http://{Address(self._settings.admin_listen.host, self.admin.port)}"
        self._log.event(
            "info",
            "process.ready",
            f"serving on {listen_url}, operators on {admin_url}",
            **{
                "service.version": __version__,
                "listen": listen_url,
                "admin_listen": admin_url,
                "upstream": self._settings.upstream_url,
            },
        )

    async def _wait_for_workers(self, keepers: Sequence[asyncio.Future[None]]) -> None:
        settings = self._settings
        longest = settings.drain_delay + settings.drain_timeout + _GRACE_SECONDS
        _, late = await asyncio.wait(keepers, timeout=longest)
        for worker in self.workers if late else ():
            worker.signal(signal.SIGKILL)

    async def _shut_down(self, keepers: Sequence[asyncio.Future[None]]) -> None:
        """End all processes and tasks, whatever happened."""
        self._stopping.set()
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        for keeper in keepers:
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self._feed.close()
        await self.admin.close(0)
        log_stopped(self._log, self._stopping_since, asyncio.get_running_loop().time())
