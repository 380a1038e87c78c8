"""Which document is looked at next: what waits for a worker, in which order, and who is refused.

Rules of this file
    - A job's cost is CPU time as estimated from its size. Up to `SMALL` it is small, unless it
      takes more than `LIGHT` bytes of memory; else it is large.
    - Small jobs never wait behind large ones: one worker takes small ones only.
    - Cheap ones come first, but nobody waits for ever: a job is overtaken by those only that come
      within `AGING` times its cost.
    - Large jobs under way take no more memory than `MEMORY` together, or there is but one.
    - A worker is handed further small jobs before it has answered, up to `AHEAD`, so that it need
      not sleep in between.
    - A job is refused at once when the queue is full, or what is ahead of it will most likely not
      be done before its deadline.

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
"""Bytes of memory beside what the process has loaded."""
MEMORY: Final = 160 << 20
"""Bytes likewise. A container of 512 MiB has them to spare beside `DOCWARDEN_MAX_BUFFERED_BYTES`,
and as many again for a WebP of the most pixels, which has to be alone."""
AHEAD: Final = 0.003
"""Seconds of CPU time that a worker is handed beyond the job that it is at."""
AGING: Final = 4.0
MAX_QUEUED: Final = 512
"""Jobs that may wait; their documents count against the memory of requests all the while."""
MIN_PACE: Final = 0.1
MAX_PACE: Final = 10.0
"""Bounds of what is learned of the seconds that a job takes for each second that it should cost."""

_LEARNING: Final = 0.05


class DeepChecksFullError(Exception):
    """More documents wait for a deep check than can be looked at in time."""


@dataclass(slots=True, eq=False)
class Job:
    """A document to look at.

    Attributes:
        data: its bytes.
        media_type: what they are.
        tier: the highest tier that runs.
        deadline: monotonic second by which an answer is of use.
        finish: takes what is found.
        cost: CPU seconds that it is expected to take.
        memory: bytes that its worker is expected to take for it.
        done: whether it was answered, or nobody waits for it any more.
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
        """Whether it may go to the worker for small ones."""
        return self.cost <= SMALL and self.memory <= LIGHT

    def isolate(self) -> None:
        """Have it looked at by a worker that has no other job at the same time."""
        self.cost = max(self.cost, 2 * AHEAD)

    def answer(self, findings: tuple[Finding, ...]) -> None:
        """Hand on what is found, unless nobody waits for it any more."""
        if not self.done:
            self.done = True
            self.finish(findings)


class _Lane:
    """Jobs in the order of their turns, and what they cost together."""

    __slots__ = ("_heap", "_numbers", "cost")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Job]] = []
        self._numbers = itertools.count()
        self.cost = 0.0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def turn(self) -> float:
        """When the next job has its turn, among all; infinite without one."""
        return self._heap[0][0] if self._heap else math.inf

    def push(self, job: Job, turn: float) -> None:
        """Add a job."""
        heapq.heappush(self._heap, (turn, next(self._numbers), job))
        self.cost += job.cost

    @property
    def memory(self) -> int:
        """Bytes that the next job is expected to take."""
        return self._heap[0][2].memory if self._heap else 0

    def pop(self, max_cost: float) -> Job | None:
        """Return the next job and forget it, if it costs no more than `max_cost`."""
        if not self._heap or self._heap[0][2].cost > max_cost:
            return None
        job = heapq.heappop(self._heap)[2]
        self.cost = self.cost - job.cost if self._heap else 0.0
        return job

    def discard(self, job: Job) -> None:
        """Forget a job, if it is there."""
        kept = [entry for entry in self._heap if entry[2] is not job]
        if len(kept) < len(self._heap):
            heapq.heapify(kept)
            self._heap = kept
            self.cost = self.cost - job.cost if kept else 0.0

    def clear(self) -> list[Job]:
        """Forget all jobs, and return them."""
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
        """Let a job wait for its turn.

        Raises:
            DeepChecksFullError: It would wait in vain.
        """
        if len(self) >= MAX_QUEUED or now + self.expected_wait(job) > job.deadline:
            self.refused += 1
            raise DeepChecksFullError
        self.requeue(job, now)

    def requeue(self, job: Job, now: float) -> None:
        """Let a job wait that was accepted before."""
        self._lane(job).push(job, now + AGING * job.cost)

    def next(
        self, *, small_only: bool = False, max_cost: float = math.inf, held: int = 0
    ) -> Job | None:
        """Return the job that is next, of no more than `max_cost`, and forget it.

        Args:
            small_only: Whether large ones are passed over.
            max_cost: Seconds of CPU time.
            held: Bytes that large jobs under way take.
        """
        large_is_next = (
            not small_only
            and self._large.turn < self._small.turn
            and (not held or held + self._large.memory <= MEMORY)
        )
        return (self._large if large_is_next else self._small).pop(max_cost)

    def discard(self, job: Job) -> None:
        """Forget a job that nobody waits for any more."""
        self._lane(job).discard(job)

    def clear(self) -> list[Job]:
        """Forget all jobs, and return them."""
        return self._small.clear() + self._large.clear()

    def observe(self, cost: float, seconds: float) -> None:
        """Learn how long a job took that was expected to cost so much."""
        ratio = min(max(seconds / cost, MIN_PACE), MAX_PACE)
        self._pace += (ratio - self._pace) * _LEARNING

    def expected_wait(self, job: Job) -> float:
        """Return the seconds until a worker would begin with `job`, at the pace of late."""
        if job.small:
            return self._small.cost * self._pace / (self._workers + 1)
        return (self._small.cost + self._large.cost) * self._pace / self._workers

    def _lane(self, job: Job) -> _Lane:
        return self._small if job.small else self._large
