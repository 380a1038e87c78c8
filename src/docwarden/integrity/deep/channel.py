"""The socket to one worker: jobs out, answers in, without a task or a timer for either."""

import asyncio
import socket
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.schedule import AHEAD, Job
from docwarden.integrity.deep.watch import JobWatch

_READ: Final = 16 << 10
_MAX_PARTS: Final = 64
_ANY: Final = float("inf")

Answered = Callable[["Channel", Job, bytes, float], None]
"""Takes the worker, the job, the encoded findings, and the seconds since the worker began it."""


class Channel:
    """One worker, seen from the gateway.

    Attributes:
        number: its number, shared with the fork server.
        small_only: whether it takes small jobs only.
        pid: its process id, 0 until it is known.
        under_way: jobs without an answer yet; it may answer several together.
        held: bytes that its large jobs are expected to need.
        watch: monitors its current job.
        blame: what it did wrong, if that was reported and counted already; else empty.
        gone: whether it takes no more jobs.
    """

    __slots__ = (
        "_answered", "_began", "_inbox", "_load", "_loop", "_outbox", "_sending", "_socket",
        "blame", "gone", "held", "number", "pid", "small_only", "under_way", "watch",
    )  # fmt: skip

    def __init__(
        self, number: int, own: socket.socket, *, small_only: bool, answered: Answered
    ) -> None:
        self.number = number
        self.small_only = small_only
        self.pid = 0
        self.under_way: deque[Job] = deque()
        self.held = 0
        self.watch = JobWatch()
        self.blame = ""
        self.gone = False
        self._socket = own
        self._answered = answered
        self._loop = asyncio.get_running_loop()
        self._inbox = b""
        self._outbox: deque[memoryview] = deque()
        self._sending = False
        self._load = 0.0
        self._began = 0.0
        self._loop.add_reader(own.fileno(), self.readable)

    @property
    def sent(self) -> bool:
        """Whether the worker has all bytes of its jobs."""
        return not self._outbox

    @property
    def room(self) -> float:
        """CPU seconds that one more job may cost."""
        if self.gone:
            return 0.0
        return AHEAD - self._load if self.under_way else _ANY

    def send(self, job: Job) -> None:
        """Hand a job to the worker."""
        if not self.under_way:
            self._began = time.monotonic()
        self.under_way.append(job)
        self._load += job.cost
        self.held += 0 if job.small else job.memory
        head = protocol.encode_job(job.data, job.media_type, job.tier)
        self._outbox += (memoryview(head), memoryview(job.data))
        if not self._sending:
            # Jobs of one turn of the event loop are sent together, and wake the worker once.
            self._sending = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Send the queued bytes, as many as fit, and the rest when there is room."""
        while self._outbox:
            parts = list(islice(self._outbox, _MAX_PARTS))
            try:
                sent = self._socket.sendmsg(parts)
            except BlockingIOError:
                self._loop.add_writer(self._socket.fileno(), self._flush)
                return
            except OSError:  # `readable` will notice the end
                self._outbox.clear()
                break
            while sent:
                part = self._outbox.popleft()
                if len(part) > sent:
                    self._outbox.appendleft(part[sent:])
                sent -= min(sent, len(part))
            while self._outbox and not self._outbox[0]:
                self._outbox.popleft()
        self._sending = False
        if not self.gone:
            self._loop.remove_writer(self._socket.fileno())

    def readable(self) -> bool:
        """Handle the answers that have arrived. Returns whether there may be more."""
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return False
        except OSError:  # closed while handling an answer, or by the worker's end
            data = b""
        if not data:
            self.close()
            return False
        self._inbox += data
        self._take_answers()
        return True

    def drain(self) -> None:
        """Handle all answers that the worker has sent."""
        while self.readable():
            pass

    def close(self) -> None:
        """Take no more jobs, and let the worker end; the fork server reports how."""
        if self.gone:
            return
        self.gone = True
        self._outbox.clear()
        self._loop.remove_reader(self._socket.fileno())
        self._loop.remove_writer(self._socket.fileno())
        self._socket.close()

    def leave(self) -> list[Job]:
        """Close, and return the jobs that got no answer."""
        self.close()
        jobs = list(self.under_way)
        self.under_way.clear()
        return jobs

    def _take_answers(self) -> None:
        while not self.gone and len(self._inbox) >= protocol.ANSWER.size:
            length, _ = protocol.ANSWER.unpack_from(self._inbox)
            end = protocol.ANSWER.size + length
            if length > protocol.MAX_ANSWER or not self.under_way:
                self.close()  # it no longer follows the protocol
            elif len(self._inbox) < end:
                return
            else:
                findings = self._inbox[protocol.ANSWER.size : end]
                self._inbox = self._inbox[end:]
                job = self.under_way.popleft()
                self._load = self._load - job.cost if self.under_way else 0.0
                self.held -= 0 if job.small else job.memory
                began, self._began = self._began, time.monotonic()
                self._answered(self, job, findings, self._began - began)
