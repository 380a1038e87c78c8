"""The listener: accepts connections, bounds their number, and times them.

One periodic sweep over all connections replaces a timer for each request: timeouts of seconds need
no finer clock.

Connections are accepted here and not by the loop's own server, as libuv accepts one per turn of the
loop. Under load, with a hundred requests served in a turn, a thousand clients that reconnected at
once waited up to 2.4 s.
"""

import asyncio
import socket
import time
from collections import deque
from email.utils import formatdate
from operator import itemgetter
from random import Random
from typing import cast

from docwarden.core.document import Memory
from docwarden.core.request import Handler
from docwarden.net.write_batch import Outbox
from docwarden.server.allowed_hosts import AllowedHosts
from docwarden.server.client_connection import ClientConnection
from docwarden.server.limits import ClientLimits

SWEEP_SECONDS = 0.5
# The kernel's queue of connections that wait to be accepted; Linux caps it at somaxconn, 4096.
_BACKLOG = 4096
# Accepting one takes about 15 us, during which the other clients wait.
_ACCEPTED_TOGETHER = 64
# Out of descriptors or memory, retrying at once is pointless (asyncio's own servers wait as long).
_RETRY_SECONDS = 1.0
# Scanning ten thousand connections takes milliseconds.
_LOOK_SECONDS = 0.1


class Listener:
    """Serves a site on one address; a `client_connection.Acceptor`.

    Args:
        site: answers the requests.
        limits: on each connection, and on their number.
        random: draws request ids.
        memory: the allowance that answers lease from, if there is one.
        hosts: the Host values that are answered; None allows any.

    Attributes:
        shed: connections closed to make room for others, by reason.
    """

    def __init__(
        self,
        site: Handler,
        limits: ClientLimits,
        *,
        random: Random,
        memory: Memory | None = None,
        hosts: AllowedHosts | None = None,
    ) -> None:
        self.site = site
        self.hosts = hosts
        self.limits = limits
        self.random = random
        self.connections: set[ClientConnection] = set()
        self.closing = False
        self.shed = {"idle": 0, "refused": 0, "slow": 0}
        self._memory = memory
        # As of the last scan, longest idle first; entries that have changed since are skipped.
        self._idle: deque[tuple[float, ClientConnection]] = deque()
        self._none_idle_at = 0.0
        self.date = b""
        self._listener: socket.socket | None = None
        self._arriving: set[asyncio.Task[object]] = set()
        self._retry_handle: asyncio.TimerHandle | None = None
        self._empty: asyncio.Future[None] | None = None
        self._sweep_handle: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)

    @property
    def port(self) -> int:
        """The port it listens on."""
        assert self._listener is not None  # noqa: S101 - asked only between start and close
        port: int = self._listener.getsockname()[1]
        return port

    async def start(self, listener: socket.socket) -> None:
        """Accept connections from `listener`."""
        self._sweep()
        listener.listen(_BACKLOG)
        self._listener = listener
        self._accept_when_ready()

    async def adopt(self, connected: socket.socket) -> None:
        """Serve one socket that is already connected, without a listener."""
        self._sweep()
        await self._serve(connected)

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return cast("asyncio.Protocol", ClientConnection(self))

    def _accept_when_ready(self) -> None:
        listener = self._listener
        if listener is not None:
            self.loop.add_reader(listener, self._accept, listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(_ACCEPTED_TOGETHER):
            try:
                connected, _peer = listener.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                self.loop.call_exception_handler(
                    {"message": "accepting connections is paused for a second", "exception": error}
                )
                self.loop.remove_reader(listener)
                self._retry_handle = self.loop.call_later(_RETRY_SECONDS, self._accept_when_ready)
                return
            task = self.loop.create_task(self._serve(connected))
            self._arriving.add(task)
            task.add_done_callback(self._arriving.discard)

    async def _serve(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        try:
            await self.loop.connect_accepted_socket(self.protocol, connected)
        except OSError:
            connected.close()  # the client has already gone

    def retire(self) -> None:
        """Stop keep-alive: each further answer closes its connection."""
        self.closing = True

    async def stop_accepting(self) -> None:
        """Close the listener and all idle connections."""
        self.closing = True
        listener, self._listener = self._listener, None
        if listener is not None:
            self.loop.remove_reader(listener)
            listener.close()
        if self._retry_handle is not None:
            self._retry_handle.cancel()
        await asyncio.gather(*self._arriving, return_exceptions=True)
        for connection in list(self.connections):
            connection.close_if_idle()

    async def close(self, timeout: float) -> bool:
        """Wait up to `timeout` seconds for answers in progress, then reset what is left.

        Returns:
            Whether every connection ended in time.
        """
        await self.stop_accepting()
        if self.connections:
            self._empty = self.loop.create_future()
            await asyncio.wait((self._empty,), timeout=timeout)
        in_time = not self.connections
        left = list(self.connections)
        for connection in left:
            connection.reset()
        # Cancelled requests still record their end.
        if self.connections:
            self._empty = self.loop.create_future()
            await self._empty
        tasks = [connection.task for connection in left if connection.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
        return in_time

    def admit(self, connection: ClientConnection) -> bool:
        """Admit a connection, if need be in place of the longest idle one; False at the limit."""
        if len(self.connections) >= self.limits.connections and not self._close_idle():
            self.shed["refused"] += 1
            return False
        self.connections.add(connection)
        return True

    def _close_idle(self) -> bool:
        """Close the longest idle connection; return False if none is idle."""
        while self._idle or self._find_idle():
            since, connection = self._idle.popleft()
            if connection in self.connections and connection.idle_since == since:
                self.shed["idle"] += 1
                connection.abort()
                self.forget(connection)
                return True
        return False

    def _find_idle(self) -> bool:
        """Scan for idle connections, at most once per `_LOOK_SECONDS` while there are none."""
        now = time.monotonic()
        if now - self._none_idle_at < _LOOK_SECONDS:
            return False
        found = [(each.idle_since, each) for each in self.connections]
        idle = [(since, each) for since, each in found if since is not None]
        self._idle = deque(sorted(idle, key=itemgetter(0)))
        if not idle:
            self._none_idle_at = now
        return bool(idle)

    def forget(self, connection: ClientConnection) -> None:
        """Called when a connection has closed."""
        self.connections.discard(connection)
        if self._empty is not None and not self.connections and not self._empty.done():
            self._empty.set_result(None)

    def report(self, message: str, error: Exception) -> None:
        """Pass an error that cost one request or connection to the loop's exception handler."""
        self.loop.call_exception_handler({"message": message, "exception": error})

    def _sweep(self) -> None:
        self._sweep_handle = self.loop.call_later(SWEEP_SECONDS, self._sweep)
        self.date = b"Date: %b\r\n" % formatdate(time.time(), usegmt=True).encode("ascii")
        now = time.monotonic()
        self._idle.clear()
        for connection in list(self.connections):
            try:
                connection.check_timeouts(now)
            except Exception as error:  # noqa: BLE001 - the other connections must still be checked
                self.report("a connection's timeouts were not checked", error)
                connection.abort()
        try:
            self._make_room(now)
        except Exception as error:  # noqa: BLE001 - the next sweep tries again
            self.report("slow clients were not cut off to free memory", error)

    def _make_room(self, now: float) -> None:
        """Abort the slowest readers while other requests wait for the memory that they hold."""
        missing = self._memory.take_missing() if self._memory is not None else 0
        if not missing:
            return
        paces = [(each.seconds_to_read(now), each) for each in self.connections]
        for seconds, connection in sorted(paces, key=itemgetter(0), reverse=True):
            if missing <= 0 or seconds <= self.limits.send_timeout:
                return
            held = connection.leased_bytes()
            if held:
                missing -= held
                self.shed["slow"] += 1
                connection.abort()


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a bound, non-blocking socket.

    Args:
        host: name or address.
        port: 0 for any free one.
        shared: let other processes listen on the same port (SO_REUSEPORT).

    Raises:
        OSError: when the address cannot be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)
    return listener
