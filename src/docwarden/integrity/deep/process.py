"""One process of the deep checker, seen from the gateway: its start, its jobs, its end."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from math import ceil
from typing import Final, Self

from docwarden.integrity.deep import protocol
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Data, Finding

START_LIMIT: Final = 30.0
"""Seconds to start, and to load a library; a throttled container takes its time."""
STOP_LIMIT: Final = 0.5
"""Seconds to end after the pipe was closed, before the process is killed."""

_TIME_SIGNALS: Final = frozenset({signal.SIGXCPU, signal.SIGALRM})


class WorkerFailedError(Exception):
    """The process did not do its job.

    Attributes:
        reason: One of the reasons of the check `deep-check`.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def worker_command() -> tuple[str, ...]:
    """Return the command that starts the process."""
    return (sys.executable, "-s", "-P", "-m", "docwarden.integrity.deep.worker")


def _environment() -> dict[str, str]:
    """Return all that the process learns of its surroundings: where its modules are."""
    return {
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "PYTHONDONTWRITEBYTECODE": "1",
        # numpy comes with simplejpeg and would start a thread a core for algebra.
        "OPENBLAS_NUM_THREADS": "1",
        # Give the memory of a large document back when it is done.
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "262144",
        "MALLOC_TRIM_THRESHOLD_": "262144",
    }


class DeepProcess:
    """A running process. After `WorkerFailedError` only `stop` makes sense."""

    __slots__ = ("_ended", "_job_limit", "_process", "_reader", "_writer")

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        job_limit: float,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._job_limit = job_limit
        self._ended: asyncio.Task[None] | None = None  # waits for the end, once stopped

    @classmethod
    async def launch(cls, command: Sequence[str], *, job_limit: float, memory_limit: int) -> Self:
        """Start a process and wait until it takes jobs.

        Raises:
            WorkerFailedError: It does not start.
        """
        limits = (f"--memory={memory_limit}", f"--seconds={ceil(job_limit)}")
        try:
            process = await asyncio.create_subprocess_exec(
                *command,
                *limits,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                env=_environment(),
                start_new_session=True,  # a terminal's Ctrl-C is for the parent alone
            )
        except OSError as error:
            raise WorkerFailedError(Reason.DEEP_CHECK_CRASHED, f"cannot start: {error}") from error
        if process.stdin is None or process.stdout is None:  # pragma: no cover - asked for above
            raise WorkerFailedError(Reason.DEEP_CHECK_CRASHED, "cannot start: no pipes")
        self = cls(process, process.stdout, process.stdin, job_limit)
        try:
            await self._expect_ready()
        except BaseException:
            await self.stop()
            raise
        return self

    @property
    def gone(self) -> bool:
        """Whether it has ended, as when the kernel ended it while it had nothing to do."""
        return self._process.returncode is not None or self._writer.is_closing()

    async def ask(self, data: Data, media_type: str, tier: int) -> tuple[Finding, ...]:
        """Return the findings of tiers 3 to `tier`.

        Raises:
            WorkerFailedError: The process died, took too long, or ran out of memory.
        """
        message = await self._exchange(protocol.encode_job(data, media_type, tier))
        if message == protocol.OUT_OF_MEMORY:
            raise WorkerFailedError(Reason.DEEP_CHECK_MEMORY, "the memory limit was reached")
        try:
            return protocol.decode_answer(message)
        except (ValueError, RecursionError) as error:
            raise WorkerFailedError(Reason.DEEP_CHECK_CRASHED, f"nonsense: {error}") from error

    async def stop(self) -> None:
        """End the process and what it started, by force if need be, and wait for its end.

        May be called again when it was cancelled.
        """
        self._writer.close()
        if self._ended is None:
            self._ended = asyncio.create_task(self._end_of_pipe())
        ended = self._ended
        try:
            # Not asyncio.timeout: before Python 3.11.3 it takes a task that cleans up after its
            # cancellation for cancelled again (python/cpython#102780).
            await asyncio.wait((ended,), timeout=STOP_LIMIT)
        finally:
            # It leads a group of its own: what it forked would hold the pipe open.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        await asyncio.wait((ended,), timeout=STOP_LIMIT)
        if not ended.done():  # something left the group, and holds the pipe open still
            ended.cancel()
            self._process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001

    async def _end_of_pipe(self) -> None:
        await self._process.wait()
        with suppress(OSError):
            await self._reader.read()  # up to its end, so that the transport closes

    async def _expect_ready(self) -> None:
        try:
            async with asyncio.timeout(START_LIMIT):
                ready = await self._receive() == protocol.READY
        except TimeoutError as error:
            raise WorkerFailedError(Reason.DEEP_CHECK_TIMEOUT, "does not start") from error
        if not ready:
            raise WorkerFailedError(Reason.DEEP_CHECK_CRASHED, "does not start as it should")

    async def _exchange(self, job: tuple[bytes, Data]) -> bytes:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._job_limit) as clock:
                self._writer.writelines(job)
                with suppress(OSError):  # its end shows when the answer is read
                    await self._writer.drain()
                message = await self._receive()
                if message == protocol.LOADING:
                    clock.reschedule(loop.time() + START_LIMIT)
                    await self._receive()
                    clock.reschedule(loop.time() + self._job_limit)
                    message = await self._receive()
                return message
        except TimeoutError as error:
            detail = f"took longer than {self._job_limit:g} s"
            raise WorkerFailedError(Reason.DEEP_CHECK_TIMEOUT, detail) from error

    async def _receive(self) -> bytes:
        try:
            (length,) = protocol.LENGTH.unpack(await self._reader.readexactly(protocol.LENGTH.size))
            if length > protocol.MAX_ANSWER:
                raise WorkerFailedError(Reason.DEEP_CHECK_CRASHED, "an answer without end")
            return await self._reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError) as error:
            raise await self._obituary() from error

    async def _obituary(self) -> WorkerFailedError:
        """Say what the process, whose pipe is at its end, died of."""
        with suppress(TimeoutError):
            async with asyncio.timeout(STOP_LIMIT):
                await self._process.wait()
        status = self._process.returncode
        if status is not None and -status in _TIME_SIGNALS:
            return WorkerFailedError(Reason.DEEP_CHECK_TIMEOUT, "used up its processor time")
        if status is not None and status < 0:
            name = signal.strsignal(-status) or "a signal"  # real-time ones are no signal.Signals
            return WorkerFailedError(Reason.DEEP_CHECK_CRASHED, f"died of {-status}, {name}")
        return WorkerFailedError(Reason.DEEP_CHECK_CRASHED, f"ended with status {status}")
