"""One worker process, as its supervisor sees it."""

import asyncio
import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Final, Self

# How long a worker may take to answer its supervisor; a scrape waits for the slowest.
ANSWER_SECONDS: Final = 1.0
_PR_SET_PDEATHSIG: Final = 1


class Worker:
    """A process that serves clients, and the channel on which it answers its supervisor.

    The channel is one end of a socket pair and speaks the HTTP of the operator's pages.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.process = process
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()
        self._usable = True
        self._answer_pending = False
        self._head = b""

    @classmethod
    async def start(cls, options: Sequence[str]) -> Self:
        """Start `docwarden serve` with the options `options`."""
        ours, theirs = socket.socketpair()
        with theirs:
            descriptor = theirs.fileno()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "docwarden", "serve", "--channel", str(descriptor),
                "--parent", str(os.getpid()), *options,
                pass_fds=(descriptor,), start_new_session=True,
            )  # fmt: skip
        reader, writer = await asyncio.open_connection(sock=ours)
        return cls(process, reader, writer)

    async def ask(self, path: str) -> tuple[int, bytes] | None:
        """Return status and body of one of the worker's operator pages, None if it fails."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._turn:
                return await self._exchange(path) if self._usable else None
        except TimeoutError:
            return None
        # RuntimeError: uvloop raises it for a closed transport.
        except (OSError, RuntimeError, asyncio.IncompleteReadError, ValueError):
            self._usable = False
            return None

    async def _exchange(self, path: str) -> tuple[int, bytes]:
        if self._answer_pending:
            # The answer to an earlier request that timed out comes first.
            await self._answer()
        self._answer_pending = True
        self._writer.write(b"GET %b HTTP/1.1\r\nHost: worker\r\n\r\n" % path.encode("ascii"))
        return await self._answer()

    async def _answer(self) -> tuple[int, bytes]:
        """Read one answer, continuing one whose reading was cancelled."""
        if not self._head:
            self._head = await self._reader.readuntil(b"\r\n\r\n")
        lines = self._head.split(b"\r\n")
        lengths = [line[16:] for line in lines if line.lower().startswith(b"content-length: ")]
        body = await self._reader.readexactly(int(lengths[0]))
        self._answer_pending = False
        self._head = b""
        return int(lines[0].split()[1]), body

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, unless the process has ended."""
        with contextlib.suppress(ProcessLookupError):
            if self.process.returncode is None:
                self.process.send_signal(number)

    def close(self) -> None:
        """Close the channel."""
        self._writer.close()


def end_with_parent(parent: int) -> None:
    """Have the kernel send this process SIGTERM when its `parent` ends (prctl(2), Linux only)."""
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    # The parent may have ended before that, so that this process has another one by now.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
