"""Tiers 3 and 4 in supervised processes: a parser that crashes or hangs is a failed check.

Rules of this file
    - A job is limited by CPU time, which its worker's own timer holds. Wall-clock time says nothing
      of a document: a worker that gets no CPU is waited for until nobody waits for its job.
    - One tick looks after all workers while any has work: it kills one that outlived its CPU limit,
      and one that sleeps over a job, whose bytes it has, for as long as that limit.
    - When a worker ends, the job that it had has failed. Where it had several, it may have died of
      any of them: each is looked at once more, by a worker that has no other.
    - An exception that nobody foresaw is a crash too, and never ends the supervision.
    - A worker is replaced at once; after failures in a row with growing pauses, so that a run of
      hostile documents is no run of process starts.
"""

import asyncio
import math
import signal
from collections.abc import Callable, Sequence
from typing import Final

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.channel import Channel
from docwarden.integrity.deep.process import ForkServer, server_command
from docwarden.integrity.deep.schedule import Job, Schedule
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Data, Finding

FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 1.0
"""Seconds before a process is replaced after two failures in a row, doubled up to the maximum."""
TICK: Final = 0.25
"""Seconds between two looks at workers that have work."""

_TIME_SIGNALS: Final = frozenset({signal.SIGPROF, signal.SIGXCPU})


class DeepChecker:
    """Looks at documents with strict parsers, in processes that may die of them.

    Args:
        workers: How many processes take documents of any size; one more takes small ones only.
        cpu_limit: Seconds of CPU time for one document.
        memory_limit: Bytes of address space of a process.
        command: What starts the fork server; the limits are added as options.

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
        cpu_limit: float = 2.0,
        memory_limit: int = 512 << 20,
        command: Sequence[str] | None = None,
    ) -> None:
        self.crashes = 0
        self.timeouts = 0
        self.memory_failures = 0
        self.restarts = 0
        self._command = tuple(command or server_command())
        self._cpu_limit = cpu_limit
        self._memory_limit = memory_limit
        self._workers = workers
        self._schedule = Schedule(workers)
        self._channels: dict[int, Channel] = {}
        self._forked = 0
        self._failures = 0  # in a row
        self._server: ForkServer | None = None
        self._running = False
        self._ticking = False
        self._relaunching: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """Documents that wait for a process."""
        return len(self._schedule)

    @property
    def refused(self) -> int:
        """Documents that were refused because too many waited, since the start."""
        return self._schedule.refused

    async def start(self) -> None:
        """Start the processes; they take jobs when this returns, and answer when they are loaded.

        Raises:
            WorkerFailedError: The fork server does not start; the installation is broken.
        """
        self._loop = asyncio.get_running_loop()
        await self._launch()
        self._running = True

    async def check(
        self, data: Data, media_type: str, policy: Policy, deadline: float = math.inf
    ) -> tuple[Finding, ...]:
        """Return what tiers 3 to `policy.tier` find in `data`.

        A crash, a lack of time or of memory is a finding of the check `deep-check`.

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
        """Have `data` looked at; `finish` takes what is found, at once or later.

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
        """Forget a job whose answer nobody needs; a worker that is at it goes on."""
        if not job.done:
            job.done = True
            job.data = b""  # nobody's memory any more; what is on its way has a view of its own
            self._schedule.discard(job)

    async def close(self) -> None:
        """Stop the processes. Jobs that wait are answered with a failed check."""
        self._running = False
        if self._relaunching is not None:
            self._relaunching.cancel()
            await asyncio.wait((self._relaunching,))
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            for job in channel.leave():
                job.answer(_crashed("the deep checker was closed"))
        self._fail_waiting("the deep checker was closed")
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    # What becomes of the workers; the fork server tells it.

    def worker_started(self, number: int, pid: int) -> None:
        """Take the process id of a worker."""
        if number in self._channels:
            self._channels[number].pid = pid

    def worker_ended(self, number: int, status: int) -> None:
        """Answer the job that a worker was at, and replace it."""
        channel = self._channels.get(number)
        if channel is None:
            return
        channel.drain()  # what it said before its end
        del self._channels[number]
        self._bury(channel, *_obituary(status))
        self._replace(small_only=channel.small_only)

    def server_gone(self) -> None:
        """Answer the jobs that the workers were at, and start anew."""
        channels, self._channels = self._channels, {}
        for channel in channels.values():
            channel.drain()
            self._bury(channel, Reason.DEEP_CHECK_CRASHED, "the fork server ended")
        server, self._server = self._server, None
        if server is not None:
            self._relaunching = asyncio.create_task(self._relaunch(server))

    def _bury(self, channel: Channel, reason: Reason, detail: str) -> None:
        """Blame the job that a worker had for its end; of several, none is known to be guilty."""
        jobs = channel.leave()
        if not channel.blamed:
            self._count(reason)
            if len(jobs) == 1:
                jobs.pop().answer((Finding.of(reason, detail),))
        now = self._loop.time()
        for job in jobs:
            if not job.done:
                job.keep_apart()
                self._schedule.put_back(job, now)

    def _replace(self, *, small_only: bool) -> None:
        self.restarts += 1
        pause = self._pause()
        if pause:
            self._loop.call_later(pause, self._fork, small_only)
        else:
            self._fork(small_only)

    def _pause(self) -> float:
        if self._failures <= 1:
            return 0.0
        return float(min(FIRST_PAUSE * 2 ** min(self._failures - 2, 10), MAX_PAUSE))

    def _fork(self, small_only: bool) -> None:  # noqa: FBT001 - a callback
        if self._server is None:
            return  # a new one is on its way, and all workers with it
        self._forked += 1
        try:
            own = self._server.fork(self._forked)
        except OSError:
            self._loop.call_later(MAX_PAUSE, self._fork, small_only)
            return
        self._channels[self._forked] = Channel(
            self._forked, own, small_only=small_only, answered=self._answered
        )
        self._dispatch()

    async def _launch(self) -> None:
        self._server = await ForkServer.launch(
            self._command,
            cpu_limit=self._cpu_limit,
            memory_limit=self._memory_limit,
            listener=self,
        )
        for small_only in (True, *[False] * self._workers):
            self._fork(small_only)

    async def _relaunch(self, server: ForkServer) -> None:
        while True:
            self.restarts += 1
            await server.stop()
            await asyncio.sleep(self._pause())
            try:
                await self._launch()
            except Exception as failure:  # noqa: BLE001 - nothing ends the supervision but its end
                self._count(Reason.DEEP_CHECK_CRASHED)
                self._fail_waiting(str(failure))
            else:
                return

    # Documents.

    @property
    def _order(self) -> tuple[bool, bool]:
        """Whether busy workers with room come first: on one core, waking another costs a switch."""
        return (True, False) if self._workers == 1 else (False, True)

    def _dispatch(self) -> None:
        """Hand jobs to the workers that have room."""
        for busy in self._order:
            for channel in self._channels.values():
                while bool(channel.under_way) is busy and (room := channel.room) > 0:
                    job = self._schedule.next(small_only=channel.small_only, max_cost=room)
                    if job is None:
                        break
                    channel.send(job)
        self._keep_ticking()

    def _keep_ticking(self) -> None:
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK, self._tick)

    def _answered(self, channel: Channel, job: Job, message: bytes, seconds: float) -> None:
        """Take a worker's answer to the job that it was at."""
        self._schedule.observe(job.cost, seconds)
        if message == protocol.OUT_OF_MEMORY:
            self._fail(channel, job, Reason.DEEP_CHECK_MEMORY, "the memory limit was reached")
            return
        try:
            findings = protocol.decode_findings(message)
        except Exception as error:  # noqa: BLE001 - what a worker says ends no more than that worker
            detail = f"nonsense: {type(error).__name__}: {error}"
            self._fail(channel, job, Reason.DEEP_CHECK_CRASHED, detail)
            return
        self._failures = 0
        if self._schedule:
            self._dispatch()
        job.answer(findings)

    def _fail(self, channel: Channel, job: Job, reason: Reason, detail: str) -> None:
        """Answer a job whose worker is of no more use, and end that."""
        self._count(reason)
        channel.blamed = True
        channel.close()
        if self._server is not None:
            self._server.kill(channel.number)
        job.answer((Finding.of(reason, detail),))

    def _tick(self) -> None:
        self._ticking = any(each.under_way for each in self._channels.values())
        if self._ticking:
            self._loop.call_later(TICK, self._tick)
        for channel in list(self._channels.values()):
            channel.drain()  # an answer that waits is no sleep
            if channel.gone:
                if self._server is not None:
                    self._server.kill(channel.number)
            elif channel.under_way and channel.pid:
                self._watch(channel)

    def _watch(self, channel: Channel) -> None:
        job = channel.under_way[0]
        used, slept = channel.watch.look(
            job, channel.pid, waits_for_us=not channel.sent, interval=TICK
        )
        if used > self._cpu_limit + 1.0:  # its own timer is gone
            detail = "used up its processor time"
        elif slept >= self._cpu_limit:
            detail = f"did nothing for {self._cpu_limit:g} s"
        else:
            return
        if len(channel.under_way) == 1:
            channel.under_way.clear()
            self._fail(channel, job, Reason.DEEP_CHECK_TIMEOUT, detail)
        elif self._server is not None:
            self._server.kill(channel.number)

    def _count(self, reason: Reason) -> None:
        self._failures += 1
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


def _obituary(status: int) -> tuple[Reason, str]:
    """Say what a worker died of."""
    if -status in _TIME_SIGNALS:
        return Reason.DEEP_CHECK_TIMEOUT, "used up its processor time"
    if status < 0:
        name = signal.strsignal(-status) or "a signal"  # real-time ones are no signal.Signals
        return Reason.DEEP_CHECK_CRASHED, f"died of {-status}, {name}"
    return Reason.DEEP_CHECK_CRASHED, f"ended with status {status}"
