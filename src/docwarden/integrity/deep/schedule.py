"""The queue of the deep checks: which document is next, and which are refused.

Rules of this file
    - A job's cost is CPU time as estimated from its size. Up to `SMALL` it is small, unless it
      takes more than `LIGHT` bytes of memory; else it is large.
    - Small jobs never wait behind large ones: one worker takes small ones only.
    - Cheap ones come first, but none starves: a job is overtaken only by those that arrive within
      `AGING` times its cost.
    - Large jobs in progress take no more memory than `MEMORY` together, unless there is only one.
    - A worker is sent further small jobs before it has answered, up to `AHEAD`, so that it does
      not sleep in between.
    - A job is refused at once when the queue is full, or when the jobs ahead of it will most likely
      not be done before its deadline.

Time and workers are passed in; nothing here waits.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from docwarden.integrity.registry import MEDIA_TYPES
from docwarden.integrity.verdict import Data, Finding

SMALL: Final = 0.010
"""Seconds of CPU time: several page scans, or a PDF of some hundred kilobytes."""
LIGHT: Final = 16 << 20
"""Bytes of memory on top of what the process has loaded."""
MEMORY: Final = 160 << 20
"""The same for large jobs together. A container of 512 MiB has as much to spare besides
`DOCWARDEN_MAX_BUFFERED_BYTES`, and as much again for the largest WebP, which runs alone."""
AHEAD: Final = 0.003
"""Seconds of CPU time of the jobs that a worker is sent beyond its current one."""
AGING: Final = 4.0
MAX_QUEUED: Final = 512
"""Jobs that may wait; their documents count against the memory of requests all the while."""
MIN_PACE: Final = 0.1
MAX_PACE: Final = 10.0
"""Bounds of the learned ratio of the seconds that a job takes to those that it should cost."""

_LEARNING: Final = 0.05


class DeepChecksFullError(Exception):
    """More documents wait for a deep check than can be checked in time."""


@dataclass(slots=True, eq=False)
class Job:
    """A document to check.

    Attributes:
        data: its bytes.
        media_type: what they are.
        tier: the highest tier that runs.
        deadline: monotonic time after which the answer is useless.
        finish: called with the findings.
        cost: CPU seconds that it is expected to take.
        memory: bytes that its worker is expected to need for it.
        done: whether it was answered or cancelled.
    """

    data: Data
    media_type: str
    tier: int
    deadline: float
    finish: Callable[[tuple[Finding, ...]], None]
    cost: float = field(init=False)
    memory: int = field(init=False)
    done: bool = False

    def __post_init__(self) -> None:
        record = MEDIA_TYPES[self.media_type]
        self.cost = record.decode_cost(self.data)
        self.memory = record.decode_memory(self.data)

    @property
    def small(self) -> bool:
        """Whether the worker for small jobs may take it."""
        return self.cost <= SMALL and self.memory <= LIGHT

    def isolate(self) -> None:
        """Make it large enough that its worker is given no other job at the same time."""
        self.cost = max(self.cost, 2 * AHEAD)

    def answer(self, findings: tuple[Finding, ...]) -> None:
        """Deliver the findings, unless it was answered or cancelled."""
        if not self.done:
            self.done = True
            self.finish(findings)


class _Lane:
    """Jobs in the order of their turns, and their total cost."""

    __slots__ = ("_heap", "_numbers", "cost")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self.cost = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def turn(self) -> float:
        """The turn of the next job, for comparison with others; infinite without one."""
        return self._heap[0][0] if self._heap else math.inf

    def push(self, job: Job, turn: float) -> None:
        """Add a job."""
        heapq.heappush(self._heap, (turn, next(self._numbers), job))
        self.cost += job.cost

    @property
    def memory(self) -> int:
        """Bytes that the next job is expected to need."""
        return self._heap[0][2].memory if self._heap else 0

    def pop(self, max_cost: float) -> Job | None:
        """Remove and return the next job, if it costs no more than `max_cost`."""
        if not self._heap or self._heap[0][2].cost > max_cost:
            return None
        job = heapq.heappop(self._heap)[2]
        self.cost = self.cost - job.cost if self._heap else 0.0
        return job

    def discard(self, job: Job) -> None:
        """Remove a job, if it is there."""
        kept = [entry for entry in self._heap if entry[2] is not job]
        if len(kept) < len(self._heap):
            heapq.heapify(kept)
            self._heap = kept
            self.cost = self.cost - job.cost if kept else 0.0

    def clear(self) -> list[Job]:
        """Remove and return all jobs."""
        jobs = [entry[2] for entry in self._heap]
        self._heap.clear()
        self.cost = 0.0
        return jobs


class Schedule:
    """The jobs that wait, for `workers` workers and one more for small jobs.

    Attributes:
        refused: jobs refused since the start.
    """

    __slots__ = ("_large", "_pace", "_small", "_workers", "refused")

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._small = _Lane()
        self._large = _Lane()
        self._pace = 1.0
        self.refused = 0

    def __len__(self) -> int:
        return len(self._small) + len(self._large)

    def add(self, job: Job, now: float) -> None:
        """Queue a job.

        Raises:
            DeepChecksFullError: It would not be done in time.
        """
        if len(self) >= MAX_QUEUED or now + self.expected_wait(job) > job.deadline:
            self.refused += 1
            raise DeepChecksFullError
        self.requeue(job, now)

    def requeue(self, job: Job, now: float) -> None:
        """Queue a job that was accepted before."""
        self._lane(job).push(job, now + AGING * job.cost)

    def next(
        self, *, small_only: bool = False, max_cost: float = math.inf, held: int = 0
    ) -> Job | None:
        """Remove and return the next job that costs no more than `max_cost`.

        Args:
            small_only: Whether large ones are passed over.
            max_cost: Seconds of CPU time.
            held: Bytes that large jobs in progress need.
        """
        large_is_next = (
            not small_only
            and self._large.turn < self._small.turn
            and (not held or held + self._large.memory <= MEMORY)
        )
        return (self._large if large_is_next else self._small).pop(max_cost)

    def discard(self, job: Job) -> None:
        """Remove a job that was cancelled."""
        self._lane(job).discard(job)

    def clear(self) -> list[Job]:
        """Remove and return all jobs."""
        return self._small.clear() + self._large.clear()

    def observe(self, cost: float, seconds: float) -> None:
        """Learn from the `seconds` that a job of expected `cost` took."""
        ratio = min(max(seconds / cost, MIN_PACE), MAX_PACE)
        self._pace += (ratio - self._pace) * _LEARNING

    def expected_wait(self, job: Job) -> float:
        """Estimate the seconds until a worker would begin `job`, at the recent pace."""
        if job.small:
            return self._small.cost * self._pace / (self._workers + 1)
        return (self._small.cost + self._large.cost) * self._pace / self._workers

    def _lane(self, job: Job) -> _Lane:
        return self._small if job.small else self._large
