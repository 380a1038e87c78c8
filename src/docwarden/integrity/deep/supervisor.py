"""Tiers 3 and 4 in supervised processes: a parser that crashes or hangs is a failed check.

Rules of this file
    - A job is limited by CPU time, which its worker's own timer enforces. Wall-clock time says
      nothing about a document: a worker without CPU is waited for as long as its job is needed.
    - When a worker ends, its job has failed. If it had several, any of them may be the cause: each
      is checked once more, by a worker that has no other.
    - An unexpected exception is a crash too.

`workers` starts the processes, watches and replaces them.
"""

import asyncio
import math
from collections.abc import Callable, Sequence

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.channel import Channel
from docwarden.integrity.deep.process import server_command
from docwarden.integrity.deep.schedule import Job, Schedule
from docwarden.integrity.deep.workers import Workers
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Data, Finding


class DeepChecker:
    """Checks documents with strict parsers, in processes that may crash.

    Args:
        workers: How many processes take documents of any size; one more takes small ones only.
        cpu_limit: Seconds of CPU time for one document.
        memory_limit: Bytes of address space of a process.
        command: Starts the fork server; the limits are added as options.
        on_replace: Called with why a process ended, and the seconds until it is replaced.

    Attributes:
        crashes: How often a process died, or sent an invalid answer.
        timeouts: How often a document ran out of time.
        memory_failures: How often a document ran out of memory.
    """

    def __init__(
        self,
        *,
        workers: int = 1,
        cpu_limit: float = 2.0,
        memory_limit: int = 512 << 20,
        command: Sequence[str] | None = None,
        on_replace: Callable[[str, float], None] | None = None,
    ) -> None:
        self.crashes = 0
        self.timeouts = 0
        self.memory_failures = 0
        self._workers = Workers(
            workers,
            cpu_limit=cpu_limit,
            memory_limit=memory_limit,
            command=tuple(command or server_command()),
            owner=self,
        )
        self._on_replace = on_replace
        self._schedule = Schedule(workers)
        # On one core, waking another worker costs a switch: busy ones with room come first.
        self._order = (True, False) if workers == 1 else (False, True)
        self._running = False

    @property
    def restarts(self) -> int:
        """How often a process was replaced, since the start."""
        return self._workers.restarts

    @property
    def waiting(self) -> int:
        """Documents that wait for a process."""
        return len(self._schedule)

    @property
    def refused(self) -> int:
        """Documents that were refused because too many waited, since the start."""
        return self._schedule.refused

    async def start(self) -> None:
        """Start the processes; they take jobs at once, and answer when they have loaded.

        Raises:
            WorkerFailedError: The fork server does not start; the installation is broken.
        """
        self._loop = asyncio.get_running_loop()
        await self._workers.launch()
        self._running = True

    async def check(
        self, data: Data, media_type: str, policy: Policy, deadline: float = math.inf
    ) -> tuple[Finding, ...]:
        """Return what tiers 3 to `policy.tier` find in `data`.

        Running out of time or memory, or a crash, is a finding of the check `deep-check`.

        Raises:
            DeepChecksFullError: No answer is to be expected before `deadline`.
        """
        answer: asyncio.Future[tuple[Finding, ...]] = asyncio.get_running_loop().create_future()

        def finish(findings: tuple[Finding, ...]) -> None:
            if not answer.done():
                answer.set_result(findings)

        job = self.submit(data, media_type, policy.tier, finish, deadline)
        try:
            return await answer
        finally:
            self.cancel(job)

    def submit(
        self,
        data: Data,
        media_type: str,
        tier: int,
        finish: Callable[[tuple[Finding, ...]], None],
        deadline: float = math.inf,
    ) -> Job:
        """Have `data` checked; `finish` is called with the findings, at once or later.

        Raises:
            DeepChecksFullError: No answer is to be expected before `deadline`, monotonic seconds.
        """
        job = Job(data, media_type, tier, deadline, finish)
        if not self._running:
            job.answer(_crashed("the deep checker is not running"))
            return job
        self._schedule.add(job, self._loop.time())
        self._dispatch()
        return job

    def cancel(self, job: Job) -> None:
        """Cancel a job; a worker that has begun it still completes it."""
        if not job.done:
            job.done = True
            job.data = b""  # its lease may end now; what is being sent has its own view
            self._schedule.discard(job)

    async def close(self) -> None:
        """Stop the processes. Waiting jobs are answered with a failed check."""
        self._running = False
        for job in self._workers.leave():
            job.answer(_crashed("the deep checker was closed"))
        self._fail_waiting("the deep checker was closed")
        await self._workers.close()

    # Called by `Workers`.

    def workers_ready(self) -> None:
        """Hand jobs to the workers that have room."""
        self._dispatch()

    def worker_lost(self, channel: Channel, reason: Reason, detail: str) -> None:
        """Fail the job of a worker that ended; of several, check each again."""
        jobs = channel.leave()
        if not channel.blame:
            self._count(reason)
            if len(jobs) == 1:
                jobs.pop().answer((Finding.of(reason, detail),))
        now = self._loop.time()
        for job in jobs:
            if not job.done:
                job.isolate()
                self._schedule.requeue(job, now)

    def _dispatch(self) -> None:
        """Hand jobs to the workers that have room."""
        channels = self._workers.channels.values()
        held = sum([channel.held for channel in channels])
        for busy in self._order:
            for channel in channels:
                while bool(channel.under_way) is busy and (room := channel.room) > 0:
                    job = self._schedule.next(
                        small_only=channel.small_only, max_cost=room, held=held
                    )
                    if job is None:
                        break
                    held -= channel.held
                    channel.send(job)
                    held += channel.held
        self._workers.keep_watching()

    def worker_answered(self, channel: Channel, job: Job, message: bytes, seconds: float) -> None:
        """Handle a worker's answer to its oldest job."""
        self._schedule.observe(job.cost, seconds)
        if message == protocol.OUT_OF_MEMORY:
            self.worker_failed(
                channel, job, Reason.DEEP_CHECK_MEMORY, "the memory limit was reached"
            )
            return
        try:
            findings = protocol.decode_findings(message)
        except Exception as error:  # noqa: BLE001 - what a worker says ends no more than that worker
            detail = f"invalid answer: {type(error).__name__}: {error}"
            self.worker_failed(channel, job, Reason.DEEP_CHECK_CRASHED, detail)
            return
        self._workers.failures = 0
        if self._schedule:
            self._dispatch()
        job.answer(findings)

    def worker_failed(self, channel: Channel, job: Job, reason: Reason, detail: str) -> None:
        """Fail a job, and end its worker."""
        self._count(reason)
        channel.blame = detail
        channel.close()
        self._workers.kill(channel)
        job.answer((Finding.of(reason, detail),))

    def worker_replaced(self, cause: str, pause: float) -> None:
        """Report that a process is replaced."""
        if self._on_replace is not None:
            self._on_replace(cause, pause)

    def workers_missing(self, detail: str) -> None:
        """Count a failed start, and fail the waiting jobs."""
        self._count(Reason.DEEP_CHECK_CRASHED)
        self._fail_waiting(detail)

    def _count(self, reason: Reason) -> None:
        self._workers.failures += 1
        if reason is Reason.DEEP_CHECK_TIMEOUT:
            self.timeouts += 1
        elif reason is Reason.DEEP_CHECK_MEMORY:
            self.memory_failures += 1
        else:
            self.crashes += 1

    def _fail_waiting(self, detail: str) -> None:
        for job in self._schedule.clear():
            job.answer(_crashed(detail))


def _crashed(detail: str) -> tuple[Finding, ...]:
    return (Finding.of(Reason.DEEP_CHECK_CRASHED, detail),)
