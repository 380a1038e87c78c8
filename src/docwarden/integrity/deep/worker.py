"""One worker: a process forked for the deep checks, which may die of any document.

It reads jobs from its socket and answers on it; `protocol` says how. The CPU time of a job is
limited by a timer that ends the process by its signal's default action, in the middle of C code
too. It ends when its socket does, or with the fork server.
"""

import ctypes
import os
import signal
import socket
import time
from collections.abc import Mapping
from io import BufferedReader
from typing import Final

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.decoders import Decode
from docwarden.integrity.record import Failures, Source
from docwarden.integrity.registry import MEDIA_TYPES

_BUFFER: Final = 256 << 10  # most documents come with one system call
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def become_worker() -> None:
    """Take a process group of its own, and end with the parent, whatever ends that."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def serve(jobs: socket.socket, decoders: Mapping[str, Decode], seconds: float) -> int:
    """Answer jobs until the socket ends. Returns the exit status.

    Args:
        jobs: the socket.
        decoders: what decodes documents of each media type.
        seconds: CPU time for one job.
    """
    source = BufferedReader(jobs.makefile("rb", buffering=0), _BUFFER)
    used = time.process_time()
    while len(head := source.read(protocol.JOB.size)) == protocol.JOB.size:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            failures = _decode(head, source, decoders)
        except MemoryError:  # for the document itself, too
            jobs.sendall(protocol.frame(protocol.OUT_OF_MEMORY, 0.0))
            return 1  # the state of the heap is anybody's guess now
        if failures is None:
            break
        before, used = used, time.process_time()
        jobs.sendall(protocol.encode_answer(failures, used - before))
    return 0


def _decode(head: bytes, source: Source, decoders: Mapping[str, Decode]) -> Failures | None:
    """Return what is found, or None when the document does not come whole."""
    length, media_type, tier = protocol.decode_job(head)
    if MEDIA_TYPES[media_type].streams:
        body = _Body(source, length)
        failures = decoders[media_type](body, tier)
        body.skip()
        return failures
    data = source.read(length)
    return decoders[media_type](data, tier) if len(data) == length else None


class _Body:
    """A document that is looked at while it comes, and never held whole."""

    __slots__ = ("_left", "_source")

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._left = length

    def read(self, size: int, /) -> bytes:
        wanted = min(size, self._left)
        data = self._source.read(wanted)
        self._left = self._left - wanted if len(data) == wanted else 0
        return data

    def skip(self) -> None:
        """Read what the decoder left."""
        while self.read(_BUFFER):
            pass
