"""Child processes that end with the benchmark, however it ends.

Each gets a process group of its own, so that Ctrl-C reaches the benchmark alone, and the kernel
signals it should the benchmark die without a word (prctl(2), PR_SET_PDEATHSIG).
"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Self

STOP_SECONDS: Final = 5.0
READY_SECONDS: Final = 20.0


class BenchError(Exception):
    """The benchmark cannot go on; the message says why."""


class Children:
    """Starts processes on given cores, and ends all of them on the way out."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._running: list[subprocess.Popen[bytes]] = []
        self._ports: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for child in list(self._running):
            self.stop(child)

    def start(
        self,
        name: str,
        command: Sequence[str],
        *,
        core: int,
        environ: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a process whose output goes to files named after it."""
        # Appended to, so that the file may be cut while the process writes.
        with (
            (self._run / f"{name}.out").open("ab") as out,
            (self._run / f"{name}.err").open("ab") as err,
        ):
            child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "taskset", "--cpu-list", str(core), *command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **(environ or {})},
                start_new_session=True,
            )
        self._running.append(child)
        return child

    def stop(self, child: "subprocess.Popen[bytes]") -> None:
        """End a process and whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        # Its group is empty unless it left somebody behind.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        self._running.remove(child)

    def free_port(self) -> int:
        """Return a port of 127.0.0.1 that nobody listens on, another one each time."""
        while True:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port: int = probe.getsockname()[1]
            if port not in self._ports:
                self._ports.add(port)
                return port

    def await_document(self, child: "subprocess.Popen[bytes]", port: int, path: str) -> None:
        """Wait until the first answer 200.

        Raises:
            BenchError: it ended, or did not answer in time.
        """
        end = time.monotonic() + READY_SECONDS
        request = f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode()
        while time.monotonic() < end:
            if child.poll() is not None:
                raise BenchError(
                    f"{child.args!r} ended with status {child.returncode}; see {self._run}"
                )
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                    connection.sendall(request)
                    status = connection.recv(15)
                    while connection.recv(1 << 16):
                        pass
            except OSError:
                status = b""
            if status.startswith(b"HTTP/1.1 200"):
                return
            time.sleep(0.002)
        raise BenchError(f"{child.args!r} did not answer within {READY_SECONDS:.0f} s")
