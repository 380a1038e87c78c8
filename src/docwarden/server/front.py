"""The listener: accepts connections, bounds their number, and times them.

One sweep a second looks at all connections instead of a timer for each request: limits of seconds
need no finer clock.
"""

import asyncio
import socket
import time
from email.utils import formatdate
from random import Random
from typing import cast

from docwarden.outbox import Outbox
from docwarden.request import Site
from docwarden.server.client_connection import ClientConnection
from docwarden.server.limits import ClientLimits

SWEEP_SECONDS = 0.5
# The kernel's queue of connections that wait to be accepted; Linux caps it at somaxconn, 4096.
_BACKLOG = 4096


class Front:
    """Serves a site on one address.

    Attributes:
        connections: the open client connections.
        closing: whether answers ask clients to reconnect elsewhere.
        refused: connections closed at once because too many were open.
        date: the Date header's line, renewed by the sweep.
        loop: the event loop that it serves in.
        outbox: takes answers that are written at once.
    """

    def __init__(self, site: Site, limits: ClientLimits, *, random: Random) -> None:
        self.site = site
        self.limits = limits
        self.random = random
        self.connections: set[ClientConnection] = set()
        self.closing = False
        self.refused = 0
        self.date = b""
        self._server: asyncio.Server | None = None
        self._empty: asyncio.Future[None] | None = None
        self._sweep_handle: asyncio.TimerHandle | None = None
        self.loop = asyncio.get_running_loop()
        self.outbox = Outbox(self.loop)

    @property
    def port(self) -> int:
        """The port that is listened on."""
        assert self._server is not None  # noqa: S101 - asked only between start and close
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def start(self, listener: socket.socket) -> None:
        """Accept connections from `listener`."""
        self._sweep()
        self._server = await self.loop.create_server(
            self._protocol, sock=listener, backlog=_BACKLOG
        )

    async def adopt(self, connected: socket.socket) -> None:
        """Serve on one connected socket instead of a listener."""
        self._sweep()
        connected.setblocking(False)
        await self.loop.connect_accepted_socket(self._protocol, connected)

    def _protocol(self) -> asyncio.Protocol:
        return cast("asyncio.Protocol", ClientConnection(self))

    def retire(self) -> None:
        """Ask clients to go elsewhere: each further answer ends its connection."""
        self.closing = True

    async def stop_accepting(self) -> None:
        """Close the listener and the connections that idle."""
        self.closing = True
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close_if_idle()

    async def close(self, timeout: float) -> bool:
        """Wait at most `timeout` seconds for answers under way, then close whatever is left.

        Returns:
            Whether everything ended in time.
        """
        await self.stop_accepting()
        if self.connections:
            self._empty = self.loop.create_future()
            await asyncio.wait((self._empty,), timeout=timeout)
        in_time = not self.connections
        left = list(self.connections)
        for connection in left:
            connection.abort()
        # Cancelled requests still take note of their end.
        if self.connections:
            self._empty = self.loop.create_future()
            await self._empty
        tasks = [connection.task for connection in left if connection.task is not None]
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._sweep_handle is not None:
            self._sweep_handle.cancel()
        return in_time

    def forget(self, connection: ClientConnection) -> None:
        """Note that a connection is gone."""
        self.connections.discard(connection)
        if self._empty is not None and not self.connections and not self._empty.done():
            self._empty.set_result(None)

    def _sweep(self) -> None:
        self.date = b"Date: %b\r\n" % formatdate(time.time(), usegmt=True).encode("ascii")
        now = time.monotonic()
        for connection in list(self.connections):
            connection.check_time(now)
        self._sweep_handle = self.loop.call_later(SWEEP_SECONDS, self._sweep)


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a bound, listening-ready socket.

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
