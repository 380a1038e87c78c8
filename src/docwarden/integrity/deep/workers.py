"""The processes of the deep checks: started, watched while they work, replaced when they end.

Rules of this file
    - One timer monitors all workers while any has work. It ends one that exceeds its CPU limit, or
      sleeps for as long although it has its whole job.
    - A worker is replaced at once, but with growing pauses after failures in a row, so that hostile
      documents in a row do not cause a process start each.
    - No error ends the supervision.
"""

import asyncio
import signal
from collections.abc import Sequence
from typing import Final, Protocol

from docwarden.integrity.deep.channel import Channel
from docwarden.integrity.deep.process import ForkServer
from docwarden.integrity.deep.schedule import Job
from docwarden.integrity.reasons import Reason

FIRST_PAUSE: Final = 0.05
MAX_PAUSE: Final = 1.0
"""Seconds before a process is replaced after two failures in a row, doubled up to the maximum."""
TICK: Final = 0.25
"""Seconds between checks of workers that have work."""

_TIME_SIGNALS: Final = frozenset({signal.SIGPROF, signal.SIGXCPU})


class Owner(Protocol):
    """Owns the jobs, and is notified of what happens to the workers."""

    def workers_ready(self) -> None:
        """Called when there is a new worker."""
        ...

    def worker_answered(self, channel: Channel, job: Job, message: bytes, seconds: float) -> None:
        """Called with a worker's answer to its oldest job."""
        ...

    def worker_failed(self, channel: Channel, job: Job, reason: Reason, detail: str) -> None:
        """Called when a worker must be ended because of a job."""
        ...

    def worker_lost(self, channel: Channel, reason: Reason, detail: str) -> None:
        """Called when a worker has ended."""
        ...

    def worker_replaced(self, cause: str, pause: float) -> None:
        """Called with why a process ended, and the seconds until it is replaced."""
        ...

    def workers_missing(self, detail: str) -> None:
        """Called when no workers can be started at present."""
        ...


class Workers:
    """Processes that take documents of any size, and one more that takes small ones only.

    Args:
        count: How many take documents of any size.
        cpu_limit: Seconds of CPU time for one document.
        memory_limit: Bytes of address space of a process.
        command: Starts the fork server; the limits are added as options.
        owner: Owns the jobs.

    Attributes:
        channels: The channel to each worker, by its number.
        restarts: How often a process was replaced.
        failures: How many in a row; the owner counts them.
    """

    def __init__(
        self,
        count: int,
        *,
        cpu_limit: float,
        memory_limit: int,
        command: Sequence[str],
        owner: Owner,
    ) -> None:
        self.channels: dict[int, Channel] = {}
        self.restarts = 0
        self.failures = 0
        self._count = count
        self._cpu_limit = cpu_limit
        self._memory_limit = memory_limit
        self._command = command
        self._owner = owner
        self._forked = 0
        self._server: ForkServer | None = None
        self._ticking = False
        self._relaunching: asyncio.Task[None] | None = None

    async def launch(self) -> None:
        """Start the processes; they take jobs at once, and answer when they have loaded.

        Raises:
            WorkerFailedError: The fork server does not start.
        """
        self._loop = asyncio.get_running_loop()
        self._server = await ForkServer.launch(
            self._command,
            cpu_limit=self._cpu_limit,
            memory_limit=self._memory_limit,
            events=self,
        )
        for small_only in (True, *[False] * self._count):
            self._fork(small_only)

    def leave(self) -> list[Job]:
        """Give up all workers, and return their jobs."""
        channels, self.channels = self.channels, {}
        return [job for channel in channels.values() for job in channel.leave()]

    async def close(self) -> None:
        """Stop the processes."""
        if self._relaunching is not None:
            self._relaunching.cancel()
            await asyncio.wait((self._relaunching,))
        self.leave()
        server, self._server = self._server, None
        if server is not None:
            await server.stop()

    def kill(self, channel: Channel) -> None:
        """Have a worker killed; its end is reported like any other."""
        if self._server is not None:
            self._server.kill(channel.number)

    # Called by `ForkServer`.

    def worker_started(self, number: int, pid: int) -> None:
        """Record the process id of a worker."""
        if number in self.channels:
            self.channels[number].pid = pid

    def worker_ended(self, number: int, status: int) -> None:
        """Report why a worker ended, and replace it."""
        channel = self.channels.get(number)
        if channel is None:
            return
        channel.drain()  # answers that it sent before
        del self.channels[number]
        reason, detail = _exit_reason(status)
        self._owner.worker_lost(channel, reason, detail)
        self._replace(channel.blame or detail, small_only=channel.small_only)

    def server_gone(self) -> None:
        """Report that all workers are lost, and start again."""
        channels, self.channels = self.channels, {}
        for channel in channels.values():
            channel.drain()
            self._owner.worker_lost(channel, Reason.DEEP_CHECK_CRASHED, "the fork server ended")
        server, self._server = self._server, None
        if server is not None:
            self._relaunching = asyncio.create_task(self._relaunch(server))

    def _replace(self, cause: str, *, small_only: bool) -> None:
        pause = self._note_restart(cause)
        if pause:
            self._loop.call_later(pause, self._fork, small_only)
        else:
            self._fork(small_only)

    def _note_restart(self, cause: str) -> float:
        """Count and report a restart; return the seconds until it is tried."""
        self.restarts += 1
        pause = self._pause()
        self._owner.worker_replaced(cause, pause)
        return pause

    def _pause(self) -> float:
        if self.failures <= 1:
            return 0.0
        return float(min(FIRST_PAUSE * 2 ** min(self.failures - 2, 10), MAX_PAUSE))

    def _fork(self, small_only: bool) -> None:  # noqa: FBT001 - a callback
        if self._server is None:
            return  # a new one is being started, with all its workers
        self._forked += 1
        try:
            own = self._server.fork(self._forked)
        except OSError:
            self._loop.call_later(MAX_PAUSE, self._fork, small_only)
            return
        self.channels[self._forked] = Channel(
            self._forked, own, small_only=small_only, answered=self._owner.worker_answered
        )
        self._owner.workers_ready()

    async def _relaunch(self, server: ForkServer) -> None:
        cause = "the fork server ended"
        while True:
            pause = self._note_restart(cause)
            await server.stop()
            await asyncio.sleep(pause)
            try:
                await self.launch()
            except Exception as failure:  # noqa: BLE001 - no error ends the supervision
                cause = str(failure)
                self._owner.workers_missing(cause)
            else:
                return

    # Monitoring.

    def keep_watching(self) -> None:
        """Monitor the workers as long as any has work."""
        if not self._ticking:
            self._ticking = True
            self._loop.call_later(TICK, self._tick)

    def _tick(self) -> None:
        self._ticking = any(each.under_way for each in self.channels.values())
        if self._ticking:
            self._loop.call_later(TICK, self._tick)
        for channel in list(self.channels.values()):
            channel.drain()  # a worker whose answer is unread is not asleep
            if channel.gone:
                self.kill(channel)
            elif channel.under_way and channel.pid:
                self._watch(channel)

    def _watch(self, channel: Channel) -> None:
        job = channel.under_way[0]
        used, slept = channel.watch.look(
            job, channel.pid, waits_for_us=not channel.sent, interval=TICK
        )
        if used > self._cpu_limit + 1.0:  # its own timer has failed
            detail = "exceeded its CPU time limit"
        elif slept >= self._cpu_limit:
            detail = f"was idle for {self._cpu_limit:g} s"
        else:
            return
        if len(channel.under_way) == 1:
            channel.under_way.clear()
            self._owner.worker_failed(channel, job, Reason.DEEP_CHECK_TIMEOUT, detail)
        else:
            self.kill(channel)


def _exit_reason(status: int) -> tuple[Reason, str]:
    """Return why a worker ended."""
    if -status in _TIME_SIGNALS:
        return Reason.DEEP_CHECK_TIMEOUT, "exceeded its CPU time limit"
    if status < 0:
        name = signal.strsignal(-status) or "a signal"  # real-time signals have no signal.Signals
        return Reason.DEEP_CHECK_CRASHED, f"died of {-status}, {name}"
    return Reason.DEEP_CHECK_CRASHED, f"ended with status {status}"
