"""Observes from outside whether a worker is working on its job, or sleeps."""

import time
from contextlib import suppress
from pathlib import Path
from typing import Final

_SCHED: Final = 2  # CPUCLOCK_SCHED; clock_getcpuclockid(3) makes a process's clock like this
_IDLE: Final = 0.001
_SLEEPING: Final = "S"


def cpu_seconds(pid: int) -> float | None:
    """Return the CPU time that a process has used, or None when there is no such process."""
    try:
        return time.clock_gettime((~pid << 3) | _SCHED)
    except OSError:
        return None


def sleeps(pid: int) -> bool:
    """Whether a process waits for something other than a processor or a disk (proc(5))."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == _SLEEPING
    return False


class JobWatch:
    """Monitors the current job of a worker from tick to tick."""

    __slots__ = ("_began", "_job", "_last", "_slept")

    def __init__(self) -> None:
        self._job: object = None
        self._began = self._last = self._slept = 0.0

    def look(
        self, job: object, pid: int, *, waits_for_us: bool, interval: float
    ) -> tuple[float, float]:
        """Return the CPU seconds of the job, and for how long its worker has been asleep.

        Args:
            job: its current job.
            pid: the worker.
            waits_for_us: whether it has not been sent the whole job.
            interval: seconds since the last tick by the gateway's own schedule, so that a pause of
                the whole host does not count.
        """
        used = cpu_seconds(pid)
        if used is None:
            return 0.0, 0.0
        if job is not self._job:
            self._job = job
            self._began = self._last = used
            self._slept = 0.0
        idle = used - self._last < _IDLE and not waits_for_us and sleeps(pid)
        self._slept = self._slept + interval if idle else 0.0
        self._last = used
        return used - self._began, self._slept
