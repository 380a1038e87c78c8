"""Tiers 3 and 4 in supervised processes: a parser that crashes or hangs is a failed check.

Rules of this file
    - One process works on one document at a time. A job has a limit of CPU time, which the process
      sets itself, and one of wall-clock time, which is kept here by killing the process.
    - A job whose caller went away is finished and dropped, so the pipe never falls out of step.
    - An exception that nobody foresaw is a crash too, and never ends the supervision.
    - After any failure the process is replaced at once; failures in a row are answered with growing
      pauses, so that a run of hostile documents is no run of process starts.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from docwarden.integrity.deep.process import DeepProcess, WorkerFailedError, worker_command
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Data, Finding

FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 1.0
"""Seconds before a process is replaced after two failures in a row, doubled up to the maximum."""


@dataclass(slots=True)
class _Job:
    data: Data
    media_type: str
    tier: int
    answer: asyncio.Future[tuple[Finding, ...]]


class DeepChecker:
    """Looks at documents with strict parsers, in processes that may die of them.

    Args:
        workers: How many processes.
        job_limit: Seconds of wall-clock time for one document, and of CPU time, rounded up.
        memory_limit: Bytes of address space of a process.
        command: What starts a process; the limits are added as options.

    Attributes:
        crashes: How often a process died, or answered nonsense.
        timeouts: How often a document ran out of time.
        memory_failures: How often a document ran out of memory.
        restarts: How often a process was replaced.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        job_limit: float = 2.0,
        memory_limit: int = 512 << 20,
        command: Sequence[str] | None = None,
    ) -> None:
        self.crashes = 0
        self.timeouts = 0
        self.memory_failures = 0
        self.restarts = 0
        self._command = tuple(command or worker_command())
        self._workers = workers
        self._job_limit = job_limit
        self._memory_limit = memory_limit
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start the processes and wait until they take jobs.

        Raises:
            WorkerFailedError: A process does not start; the installation is broken.
        """
        processes: list[DeepProcess] = []
        try:
            for _ in range(self._workers):
                processes.append(await self._launch())  # noqa: PERF401 - on failure, stop these
        except WorkerFailedError:
            for process in processes:
                await process.stop()
            raise
        self._tasks = [asyncio.create_task(self._supervise(process)) for process in processes]
        # A task that is cancelled before its first step never gets to stop its process.
        await asyncio.sleep(0)

    async def check(self, data: Data, media_type: str, policy: Policy) -> tuple[Finding, ...]:
        """Return what tiers 3 to `policy.tier` find in `data`.

        A crash, a timeout or too little memory is a finding of the check `deep-check`. Waits for a
        free process without limit: the caller has a deadline.
        """
        if not self._tasks:
            return (Finding.of(Reason.DEEP_CHECK_CRASHED, "the deep checker is not running"),)
        job = _Job(data, media_type, policy.tier, asyncio.get_running_loop().create_future())
        self._jobs.put_nowait(job)
        return await job.answer

    async def close(self) -> None:
        """Stop the processes. Jobs that wait are answered with a failed check."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._fail_waiting("the deep checker was closed")

    async def _launch(self) -> DeepProcess:
        return await DeepProcess.launch(
            self._command, job_limit=self._job_limit, memory_limit=self._memory_limit
        )

    async def _supervise(self, first: DeepProcess) -> None:
        """Feed one process with jobs, and replace it when it fails."""
        process: DeepProcess | None = first
        failures = 0
        try:
            while True:
                if process is None:
                    process = await self._replace(failures)
                    failures += process is None
                    continue
                job = await self._jobs.get()
                if job.answer.done():
                    continue
                if process.gone:
                    self.crashes += 1
                    self._jobs.put_nowait(job)  # its document has no part in that
                    await process.stop()
                    process = None
                    continue
                if await self._run(process, job):
                    failures = 0
                else:
                    failures += 1
                    with suppress(Exception):
                        await process.stop()
                    process = None
        finally:
            if process is not None:
                await process.stop()

    async def _run(self, process: DeepProcess, job: _Job) -> bool:
        """Answer `job`. Returns whether the process can go on."""
        try:
            findings = await process.ask(job.data, job.media_type, job.tier)
        except WorkerFailedError as failure:
            self._count(failure.reason)
            _answer(job, (Finding.of(failure.reason, str(failure)),))
            return False
        except asyncio.CancelledError:
            _answer(job, (Finding.of(Reason.DEEP_CHECK_CRASHED, "the deep checker was closed"),))
            raise
        except Exception as error:  # noqa: BLE001 - nothing ends the supervision but its end
            self.crashes += 1
            detail = f"{type(error).__name__}: {error}"
            _answer(job, (Finding.of(Reason.DEEP_CHECK_CRASHED, detail),))
            return False
        _answer(job, findings)
        return True

    async def _replace(self, failures: int) -> DeepProcess | None:
        if failures > 1:
            await asyncio.sleep(min(FIRST_PAUSE * 2 ** min(failures - 2, 10), MAX_PAUSE))
        self.restarts += 1
        try:
            return await self._launch()
        except Exception as failure:  # noqa: BLE001 - as in _run
            self.crashes += 1
            self._fail_waiting(str(failure))
            return None

    def _count(self, reason: Reason) -> None:
        if reason is Reason.DEEP_CHECK_TIMEOUT:
            self.timeouts += 1
        elif reason is Reason.DEEP_CHECK_MEMORY:
            self.memory_failures += 1
        else:
            self.crashes += 1

    def _fail_waiting(self, detail: str) -> None:
        while not self._jobs.empty():
            _answer(self._jobs.get_nowait(), (Finding.of(Reason.DEEP_CHECK_CRASHED, detail),))


def _answer(job: _Job, findings: tuple[Finding, ...]) -> None:
    if not job.answer.done():  # done already: the caller went away
        job.answer.set_result(findings)
