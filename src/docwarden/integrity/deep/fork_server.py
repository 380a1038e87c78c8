"""The fork server of the deep checks: `python -m docwarden.integrity.deep.fork_server`.

It loads the libraries once, limits itself, and forks a worker for every socket that the gateway
sends it. So replacing a worker costs a fork, and workers share the memory of the libraries. It
decodes no document itself, reports how its workers ended, and ends with its control socket, which
is its standard input.
"""

import argparse
import gc
import os
import resource
import select
import signal
import socket
import sys
import warnings
from contextlib import suppress
from typing import Final

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.decoders import Decode, load_decoder
from docwarden.integrity.deep.worker import become_worker, serve
from docwarden.integrity.registry import MEDIA_TYPES

_OPEN_FILES: Final = 64


def main() -> int:
    """Fork workers until the control socket is closed. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="docwarden.integrity.deep.fork_server")
    parser.add_argument("--memory", type=int, required=True, help="address space, bytes")
    parser.add_argument("--seconds", type=float, required=True, help="CPU time of a job")
    limits = parser.parse_args()
    control = _take_control()
    _limit_process(limits.memory)
    warnings.simplefilter("ignore")  # they would go nowhere
    control.send(protocol.CONTROL.pack(protocol.READY, 0, 0))
    decoders = {media_type: load_decoder(media_type) for media_type in MEDIA_TYPES}
    gc.collect()
    gc.freeze()  # a collection in a worker would copy every page that it marks
    control.send(protocol.CONTROL.pack(protocol.LOADED, 0, 0))
    return _ForkServer(control, decoders, limits.seconds).run()


def _take_control() -> socket.socket:
    """Move the control socket away from standard input, as libraries may print."""
    control = socket.socket(fileno=os.dup(0))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    return control


def _limit_process(memory: int) -> None:
    for kind, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
    ):
        hard = resource.getrlimit(kind)[1]
        # A lower hard limit is the operator's (setrlimit(2)).
        limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (limit, limit))
    # Ctrl-C on a terminal is for the parent, which then closes the socket.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _ForkServer:
    """Executes the orders of the control socket. Workers are known by their numbers."""

    def __init__(self, control: socket.socket, decoders: dict[str, Decode], seconds: float) -> None:
        self._control = control
        self._decoders = decoders
        self._seconds = seconds
        self._workers: dict[int, int] = {}  # process ids
        self._woken, self._wake = os.pipe()

    def run(self) -> int:
        for end in (self._woken, self._wake):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        while True:
            ready = {descriptor for descriptor, _ in poll.poll()}
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._reap()
            if self._control.fileno() in ready:
                order, sockets, _, _ = socket.recv_fds(self._control, protocol.CONTROL.size, 1)
                if not order:
                    break
                self._execute(order, sockets)
        for pid in self._workers.values():
            self._kill_group(pid)
        return 0

    def _execute(self, order: bytes, sockets: list[int]) -> None:
        what, number, _ = protocol.CONTROL.unpack(order)
        if what == protocol.KILL and number in self._workers:
            self._kill_group(self._workers[number])
        elif what == protocol.FORK:
            (jobs,) = sockets
            pid = os.fork()
            if pid == 0:
                self._work(socket.socket(fileno=jobs))
            os.close(jobs)
            self._workers[number] = pid
            self._report(protocol.STARTED, number, pid)

    def _work(self, jobs: socket.socket) -> None:
        status = 1
        try:
            become_worker()
            self._control.close()
            os.close(self._woken)
            os.close(self._wake)
            status = serve(jobs, self._decoders, self._seconds)
        finally:
            os._exit(status)

    def _reap(self) -> None:
        """Reap workers, kill what they have started, and report how they ended."""
        for number, pid in list(self._workers.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            self._kill_group(pid)  # while the process id is still taken
            _, status = os.waitpid(pid, 0)
            del self._workers[number]
            self._report(protocol.ENDED, number, os.waitstatus_to_exitcode(status))

    def _report(self, what: int, number: int, value: int) -> None:
        with suppress(OSError):  # the gateway is gone: the control socket will end
            self._control.send(protocol.CONTROL.pack(what, number, value))

    @staticmethod
    def _kill_group(pid: int) -> None:
        for end in (os.killpg, os.kill):  # it may not lead its group yet
            with suppress(ProcessLookupError, PermissionError):
                end(pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
