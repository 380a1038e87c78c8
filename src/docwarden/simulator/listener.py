"""A listening socket that can refuse connections for a while without losing its port."""

import asyncio
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

_BACKLOG = 1024
_ACCEPTED_AT_ONCE = 64  # per turn of the event loop
_OUT_OF_FILES_SECONDS = 0.1


class SimulatorListener:
    """Holds the port from `start` to `close`; accepts connections between `open` and `shut`.

    Linux keeps a socket bound when its listening is shut down, and answers connection attempts
    with RST, as if there were no listener. So even an ephemeral port can be opened again. asyncio's
    servers cannot do that, hence this accept loop. `delay` returns the seconds for which a new
    connection is left unread.
    """

    def __init__(
        self,
        host: str,
        port: int,
        make: Callable[[], asyncio.Protocol],
        *,
        delay: Callable[[], float],
    ) -> None:
        self._host = host
        self._port = port
        self._make = make
        self._delay = delay
        self._socket: socket.socket | None = None
        self._open = False
        self._entering: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port held.

        Raises:
            RuntimeError: not started, or closed.
        """
        if self._socket is None:
            raise RuntimeError("the simulator is not running")
        port: int = self._socket.getsockname()[1]
        return port

    async def start(self) -> None:
        """Bind the port, and accept connections.

        Raises:
            OSError: it is taken, or the host is not ours.
        """
        found = await asyncio.get_running_loop().getaddrinfo(
            self._host, self._port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, _, _, _, address = found[0]
        with _bound(family, address) as free:
            # After a shutdown, a socket keeps its port only if it was bound by number.
            numbered = (address[0], free.getsockname()[1], *address[2:])
            sock = _bound(family, numbered)
        try:
            sock.listen(_BACKLOG)  # here already, as only this detects another listener
        except OSError:
            sock.close()
            raise
        self._socket = sock
        self.open()

    def open(self) -> None:
        """Accept connections; does nothing if it already does.

        Raises:
            OSError: another process took the port while this one refused.
        """
        if self._socket and not self._open:
            self._socket.listen(_BACKLOG)
            asyncio.get_running_loop().add_reader(self._socket, self._accept)
            self._open = True

    def shut(self) -> None:
        """Refuse connections; does nothing if it already does."""
        if self._socket and self._open:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.shutdown(socket.SHUT_RDWR)
            self._open = False
        for task in self._entering:
            task.cancel()

    async def close(self) -> None:
        """Release the port."""
        self.shut()
        if self._entering:
            await asyncio.wait(self._entering)
        if self._socket:
            self._socket.close()
            self._socket = None

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            if not (self._socket and self._open):
                return
            try:
                accepted, _peer = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # out of file descriptors: leave the rest in the backlog for now
                loop = asyncio.get_running_loop()
                loop.remove_reader(self._socket)
                loop.call_later(_OUT_OF_FILES_SECONDS, self._accept_again)
                return
            accepted.setblocking(False)
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            task = asyncio.get_running_loop().create_task(self._enter(accepted))
            self._entering.add(task)
            task.add_done_callback(partial(self._entered, accepted))

    def _accept_again(self) -> None:
        if self._socket and self._open:
            asyncio.get_running_loop().add_reader(self._socket, self._accept)

    async def _enter(self, accepted: socket.socket) -> None:
        await asyncio.sleep(self._delay())
        await asyncio.get_running_loop().connect_accepted_socket(self._make, accepted)

    def _entered(self, accepted: socket.socket, task: asyncio.Task[None]) -> None:
        self._entering.discard(task)
        if task.cancelled() or task.exception():  # for instance, the peer has gone by now
            accepted.close()


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.setblocking(False)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock
