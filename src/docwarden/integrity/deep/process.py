"""The fork server, as the gateway sees it: its start, the workers that it forks, its end."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import Final, Protocol

from docwarden.integrity.deep import protocol
from docwarden.integrity.reasons import Reason

START_LIMIT: Final = 30.0
"""Seconds to start; a throttled container may be slow."""
STOP_LIMIT: Final = 0.5
"""Seconds between closing the socket and killing the process."""


class WorkerFailedError(Exception):
    """A process of the deep checks failed.

    Attributes:
        reason: One of the reasons of the check `deep-check`.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class WorkerEvents(Protocol):
    """Is notified of the workers that it asked for, by their numbers."""

    def worker_started(self, number: int, pid: int) -> None:
        """Called with the process id of a worker."""
        ...

    def worker_ended(self, number: int, status: int) -> None:
        """Called with a worker's exit status, or minus the number of the signal that ended it."""
        ...

    def server_gone(self) -> None:
        """Called when the fork server has ended unexpectedly, and its workers with it."""
        ...


def server_command() -> tuple[str, ...]:
    """Return the command that starts the fork server."""
    return (sys.executable, "-s", "-P", "-m", "docwarden.integrity.deep.fork_server")


def _environment() -> dict[str, str]:
    """Return the environment of the process: little but where its modules are."""
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        # numpy comes with simplejpeg and would start a thread a core for algebra.
        "OPENBLAS_NUM_THREADS": "1",
        # Return the memory of a large document to the system at once.
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "262144",
        "MALLOC_TRIM_THRESHOLD_": "262144",
    }


class ForkServer:
    """A running fork server."""

    __slots__ = ("_control", "_events", "_loop", "_process", "_ready")

    def __init__(
        self, process: "subprocess.Popen[bytes]", control: socket.socket, events: WorkerEvents
    ) -> None:
        self._process = process
        self._control = control
        self._events = events
        self._loop = asyncio.get_running_loop()
        self._ready: asyncio.Future[bool] = self._loop.create_future()
        self._loop.add_reader(control.fileno(), self._readable)

    @classmethod
    async def launch(
        cls, command: Sequence[str], *, cpu_limit: float, memory_limit: int, events: WorkerEvents
    ) -> "ForkServer":
        """Start a fork server, and wait until it runs; it loads the libraries afterwards.

        Raises:
            WorkerFailedError: It does not start.
        """
        own, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        limits = (f"--memory={memory_limit}", f"--seconds={cpu_limit}")
        try:
            process = subprocess.Popen(  # noqa: ASYNC220, S603 - our own command; a fork and exec takes 2 ms
                (*command, *limits),
                stdin=other.fileno(),
                stdout=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C on a terminal is for the parent alone
            )
        except OSError as error:
            own.close()
            raise WorkerFailedError(Reason.DEEP_CHECK_CRASHED, f"cannot start: {error}") from error
        finally:
            other.close()
        own.setblocking(False)
        self = cls(process, own, events)
        try:
            await self._expect_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    async def _expect_ready(self) -> None:
        try:
            async with asyncio.timeout(START_LIMIT):
                ready = await self._ready
        except TimeoutError as error:
            raise WorkerFailedError(Reason.DEEP_CHECK_TIMEOUT, "does not start") from error
        if not ready:
            await self.stop()
            status = self._process.returncode
            detail = f"does not start: ended with status {status}"
            raise WorkerFailedError(Reason.DEEP_CHECK_CRASHED, detail)

    def fork(self, number: int) -> socket.socket:
        """Ask for a worker, and return the socket to send its jobs to.

        Raises:
            OSError: The fork server is gone, or no file descriptor is free.
        """
        own, other = socket.socketpair()
        try:
            own.setblocking(False)
            packet = protocol.CONTROL.pack(protocol.FORK, number, 0)
            socket.send_fds(self._control, [packet], [other.fileno()])
        except OSError:
            own.close()
            raise
        finally:
            other.close()
        return own

    def kill(self, number: int) -> None:
        """Have a worker killed; its end is reported like any other."""
        with suppress(OSError):  # gone: the control socket will end
            self._control.send(protocol.CONTROL.pack(protocol.KILL, number, 0))

    async def stop(self) -> None:
        """Stop the fork server and its workers, by force if necessary, and wait for its end."""
        if self._control.fileno() >= 0:
            self._loop.remove_reader(self._control.fileno())
            self._control.close()
        ended = self._loop.run_in_executor(None, self._wait)
        await asyncio.shield(ended)

    def _wait(self) -> None:
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_LIMIT)
            return
        # Its workers have the kernel end them with it.
        with suppress(ProcessLookupError, PermissionError):
            os.kill(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _readable(self) -> None:
        while True:
            try:
                packet = self._control.recv(protocol.CONTROL.size)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if len(packet) != protocol.CONTROL.size:
                self._loop.remove_reader(self._control.fileno())
                self._take_end()
                return
            self._take(*protocol.CONTROL.unpack(packet))

    def _take(self, what: int, number: int, value: int) -> None:
        if what == protocol.READY and not self._ready.done():
            self._ready.set_result(True)
        elif what == protocol.STARTED:
            self._events.worker_started(number, value)
        elif what == protocol.ENDED:
            self._events.worker_ended(number, value)

    def _take_end(self) -> None:
        if not self._ready.done():
            self._ready.set_result(False)
        else:
            self._events.server_gone()
