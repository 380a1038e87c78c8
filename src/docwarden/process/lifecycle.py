"""The life of one gateway process: start, serve, drain, stop.

On SIGTERM it keeps serving for the drain delay without being ready, so that load balancers notice;
then it closes the listener, and requests in flight may end within the drain timeout. SIGHUP, from a
terminal that is closed, does the same. Ctrl-C skips the delay, and a second signal the rest.
"""

import asyncio
import contextlib
import dataclasses
import math
import os
import signal
import socket
from typing import Final

from docwarden import __version__
from docwarden.composition import Parts
from docwarden.core.request import READ_FIELDS
from docwarden.fetching.store.redis import RedisMissingError
from docwarden.integrity.checks import Check
from docwarden.integrity.deep.process import WorkerFailedError
from docwarden.integrity.specimens import specimens
from docwarden.net.allocator import tune_collector
from docwarden.net.units import Address, format_duration
from docwarden.process.descriptors import RESERVED, clients_within, raise_limit
from docwarden.process.observability import Observability
from docwarden.server.allowed_hosts import AllowedHosts
from docwarden.server.limits import ClientLimits
from docwarden.server.listener import Listener, bind
from docwarden.settings.settings import PREFIX, Settings
from docwarden.telemetry.health import Phase
from docwarden.telemetry.logs import Log
from docwarden.tracing import TracingError

# Probes and scrapes need a handful; a flood of clients there must not take all descriptors.
ADMIN_CONNECTIONS: Final = 100


# A name server or an upstream that does not answer must not delay readiness longer.
OPEN_AHEAD_SECONDS: Final = 1.0


class StartError(Exception):
    """The process cannot start; the message names the setting to change."""


class App:
    """One gateway process: both listeners and everything behind them.

    Raises:
        StartError: traces or a store are configured, but not available.
    """

    def __init__(
        self, settings: Settings, log: Log, *, channel: socket.socket | None = None
    ) -> None:
        self._settings = settings
        self._log = log
        self._channel = channel
        try:
            self.parts = Parts(settings, log)
        except (RedisMissingError, TracingError) as error:
            raise StartError(str(error)) from error
        self.observability = Observability(settings, self.parts)
        random = self.parts.random
        limits = client_limits(settings, self._client_limit())
        self.public = Listener(self.parts.public, limits, random=random, memory=self.parts.memory)
        limits = client_limits(settings, ADMIN_CONNECTIONS)
        if channel is not None:
            limits = dataclasses.replace(limits, idle_timeout=math.inf)
        self.admin = Listener(
            self.observability.site, limits, random=random, hosts=admin_hosts(settings)
        )
        self.parts.metrics.read("docwarden_client_connections_shed", self._shed)
        self.parts.metrics.gauge(
            "docwarden_client_connections", lambda: len(self.public.connections)
        )
        self._hurry = asyncio.Event()
        self._draining_since: float | None = None
        self.ready = asyncio.Event()

    def _shed(self) -> list[tuple[tuple[str, ...], float]]:
        listeners = (("public", self.public), ("operator", self.admin))
        return [
            ((name, reason), count)
            for name, listener in listeners
            for reason, count in listener.shed.items()
        ]

    def _client_limit(self) -> int:
        """Return the limit of client connections: as configured, if the system allows it."""
        configured = self._settings.max_client_connections
        others = ADMIN_CONNECTIONS + self._settings.upstream_connections + RESERVED
        room = raise_limit(configured + others)
        clients = clients_within(room, configured=configured, others=others)
        if clients < configured:
            message = (
                f"{clients} clients may be connected instead of {configured}:"
                f" {room} files may be open"
            )
            self._log.event(
                "warning",
                "process.few_descriptors",
                message,
                limit=room,
                clients=clients,
                wanted=configured,
            )
        return clients

    async def start(self) -> None:
        """Open the listeners; the process is ready when it returns.

        Raises:
            StartError: an address cannot be listened on, or a part does not start.
        """
        await self.prepare()
        await self.open()

    async def prepare(self) -> None:
        """Start everything but the public listener, and warm up.

        Raises:
            StartError: when an address cannot be listened on or a part does not start.
        """
        settings, parts = self._settings, self.parts
        parts.watch.start()
        # The operator's pages come first, to show that the rest is starting.
        if self._channel is None:
            await self.admin.start(listen(settings.admin_listen, "ADMIN_LISTEN"))
            self.observability.feed.start()
        else:
            await self.admin.adopt(self._channel)
        if parts.deep is not None:
            try:
                await parts.deep.start()
            except WorkerFailedError as error:
                raise StartError(f"the process of the deep checks: {error}") from error
        # The upstream need not be up: readiness does not depend on it.
        await asyncio.gather(self._warm_up(), parts.pool.open_ahead(OPEN_AHEAD_SECONDS))

    async def open(self) -> None:
        """Accept clients.

        Raises:
            StartError: when the address cannot be listened on.
        """
        settings, parts = self._settings, self.parts
        shared = self._channel is not None
        await self.public.start(listen(settings.listen, "LISTEN", shared=shared))
        parts.health.phase = Phase.READY
        self.ready.set()
        self._log_ready()

    async def _warm_up(self) -> None:
        """Run every check on an intact document of each type, to spare the first clients the wait.

        Raises:
            StartError: one is refused, as every document of its type would be.
        """
        for media_type, document in specimens():
            verdict = await self.parts.verifier.verify(document)
            rejected = verdict.rejected
            if rejected is None:
                continue
            if rejected.check is not Check.DEEP_CHECK:
                raise StartError(
                    f"an intact {media_type} is refused as {rejected.reason}: the installation is"
                    " broken"
                )
            # The host may be too busy; the process of the deep checks was replaced.
            message = f"an intact {media_type} was not checked in time"
            self._log.event("warning", "process.not_warm", message, media_type=media_type)

    def _log_ready(self) -> None:
        settings = self._settings
        if self._channel is not None:
            pid = os.getpid()
            self._log.event("info", "worker.ready", f"worker {pid} serves", pid=pid)
            return
        listen_url = f"http://{Address(settings.listen.host, self.public.port)}"
        admin_url = f"http://{Address(settings.admin_listen.host, self.admin.port)}"
        self._log.event(
            "info",
            "process.ready",
            f"serving on {listen_url}, operators on {admin_url}",
            **{
                "service.version": __version__,
                "listen": listen_url,
                "admin_listen": admin_url,
                "upstream": settings.upstream_url,
            },
        )

    async def drain(self, delay: float, *, cause: str) -> bool:
        """Keep serving for `delay` seconds while not ready, then let requests in flight end.

        Args:
            delay: seconds; 0 if there is no load balancer to notice.
            cause: what caused it, such as the name of a signal.

        Returns:
            Whether every request ended within the drain timeout.
        """
        health = self.parts.health
        health.phase = Phase.DRAINING
        self.public.retire()
        self._draining_since = self.parts.clock()
        in_flight = len(health.in_flight)
        self._log.event(
            "info",
            "process.draining",
            f"{cause}: serving on for {format_duration(delay)}, {in_flight} requests under way",
            cause=cause,
            in_flight=in_flight,
            delay_s=delay,
        )
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), timeout=delay)
        health.phase = Phase.CLOSING
        ending = asyncio.ensure_future(self.public.close(self._settings.drain_timeout))
        hurried = asyncio.ensure_future(self._hurry.wait())
        await asyncio.wait((ending, hurried), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ending.done():
            ending.cancel()
            return await self.public.close(0)
        return ending.result()

    async def stop(self) -> None:
        """Close everything."""
        parts = self.parts
        await self.public.close(0)
        await self.observability.feed.close()
        await self.admin.close(0)
        await parts.pool.close()
        if parts.deep is not None:
            await parts.deep.close()
        if parts.copies is not None:
            await parts.copies.close()
        parts.watch.stop()
        if parts.tracing is not None:
            await parts.tracing.export.close()
        log_stopped(self._log, self._draining_since, parts.clock())

    async def run(self) -> int:
        """Serve until a signal; return the exit status."""
        loop = asyncio.get_running_loop()
        signals: asyncio.Queue[signal.Signals] = asyncio.Queue()

        def received(which: signal.Signals) -> None:
            if not signals.empty() or self.parts.health.draining:
                self._hurry.set()
            signals.put_nowait(which)

        for which in ending_signals():
            loop.add_signal_handler(which, received, which)
        try:
            await self.prepare()
            tune_collector()
            await self.open()
            first = await signals.get()
            delay = 0.0 if first is signal.SIGINT else self._settings.drain_delay
            in_time = await self.drain(delay, cause=first.name)
            return 0 if in_time else 1
        finally:
            await self.stop()


def log_stopped(log: Log, since: float | None, now: float) -> None:
    """Log that the process has stopped, and how long it had been draining."""
    fields = {} if since is None else {"duration_s": round(now - since, 3)}
    took = (
        "" if since is None else f", {format_duration(round(now - since, 1))} after it was asked to"
    )
    log.event("info", "process.stopped", f"everything is closed{took}", **fields)


def ending_signals() -> tuple[signal.Signals, ...]:
    """Return the signals that end the process cleanly; under `nohup` SIGHUP stays ignored."""
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        return (signal.SIGTERM, signal.SIGINT)
    return (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def listen(address: Address, setting: str, *, shared: bool = False) -> socket.socket:
    """Return a socket bound to `address`, the value of DOCWARDEN_`setting`.

    Raises:
        StartError: the address cannot be used; the message names the setting.
    """
    try:
        return bind(address.host, address.port, shared=shared)
    except OSError as error:
        raise StartError(
            f"cannot listen on {address} ({PREFIX}{setting}): {error.strerror or error}"
        ) from error


def admin_hosts(settings: Settings) -> AllowedHosts:
    """Return the hosts that the operator listener answers for."""
    named = [name.strip() for name in settings.admin_hosts.split(",") if name.strip()]
    return AllowedHosts([socket.gethostname(), settings.admin_listen.host, *named])


def client_limits(settings: Settings, connections: int) -> ClientLimits:
    """Return the limits of a listener that takes up to `connections`."""
    return ClientLimits(
        connections=connections,
        header_bytes=settings.max_header_bytes,
        header_timeout=settings.header_timeout,
        idle_timeout=settings.idle_timeout,
        send_timeout=settings.send_timeout,
        kept_fields=READ_FIELDS | settings.extra_header_fields(),
    )
