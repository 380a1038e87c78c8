"""One worker: a process forked for the deep checks, which any document may crash.

It reads jobs from its socket and answers on it; `protocol` says how. The CPU time of a job is
limited by a timer whose signal ends the process by default, even in the middle of C code. It ends
when its socket is closed, or with the fork server.
"""

import ctypes
import os
import signal
import socket
import time
from collections.abc import Callable, Mapping
from typing import Final

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.decoders import Decode
from docwarden.integrity.record import Failures, Source
from docwarden.integrity.registry import MEDIA_TYPES

_BUFFER: Final = 192 << 10  # most documents come with one system call
_LARGE: Final = 1 << 20
"""Bytes from which a document is received in one piece."""
_PR_SET_PDEATHSIG: Final = 1  # prctl(2)


def become_worker() -> None:
    """Lead a process group of its own, and end with the parent, however that ends."""
    os.setpgid(0, 0)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def serve(jobs: socket.socket, decoders: Mapping[str, Decode], seconds: float) -> int:
    """Answer jobs until the socket is closed. Returns the exit status.

    Args:
        jobs: the socket.
        decoders: the decoder of each media type.
        seconds: CPU time for one job.
    """
    answers = bytearray()

    def flush() -> None:
        jobs.sendall(answers)
        answers.clear()

    # Answers are batched: each wakes the gateway, which on one core preempts this process.
    source = _Inbox(jobs, flush)
    used = time.process_time()
    while len(head := source.read(protocol.JOB.size)) == protocol.JOB.size:
        signal.setitimer(signal.ITIMER_PROF, seconds)
        try:
            failures = _decode(head, source, decoders)
        except MemoryError:  # for the document itself, too
            jobs.sendall(answers + protocol.frame(protocol.OUT_OF_MEMORY, 0.0))
            return 1  # the heap is in an unknown state
        except Exception:
            flush()  # the answers to earlier jobs are valid
            raise
        if failures is None:
            break
        before, used = used, time.process_time()
        answers += protocol.encode_answer(failures, used - before)
    return 0


class _Inbox:
    """Reads from the socket; sends the answers before it waits for more."""

    __slots__ = ("_at", "_before_waiting", "_buffer", "_socket")

    def __init__(self, jobs: socket.socket, before_waiting: Callable[[], None]) -> None:
        self._socket = jobs
        self._before_waiting = before_waiting
        self._buffer = b""
        self._at = 0

    def read(self, size: int, /) -> bytes:
        """Return the next `size` bytes, fewer only at the end."""
        at = self._at
        self._at = at + size
        if self._at <= len(self._buffer):
            return self._buffer[at : self._at]
        parts = [self._buffer[at:]]
        missing = size - len(parts[0])
        if missing >= _LARGE:
            return self._read_large(size, parts[0])
        while missing > 0:
            self._buffer = self._receive(max(missing, _BUFFER))
            self._at = min(missing, len(self._buffer))
            if not self._buffer:
                break
            parts.append(self._buffer[: self._at])
            missing -= self._at
        return b"".join(parts)

    def _read_large(self, size: int, begun: bytes) -> bytes:
        """Receive into the final buffer: joining pieces would take the memory twice."""
        self._buffer, self._at = b"", 0
        self._before_waiting()
        data, place = _unfilled_bytes(size)
        at = len(begun)
        place[:at] = begun
        while at < size:
            received = self._socket.recv_into(place[at:], 0, socket.MSG_WAITALL)
            if not received:
                return data[:at]
            at += received
        return data

    def _receive(self, size: int) -> bytes:
        try:
            return self._socket.recv(size, socket.MSG_DONTWAIT)
        except BlockingIOError:
            self._before_waiting()
            return self._socket.recv(size)


def _unfilled_bytes(size: int) -> tuple[bytes, memoryview]:
    """Return bytes, and the view through which the caller fills them before use.

    The Python/C API allows writing to a bytes object only while it is new
    (PyBytes_FromStringAndSize); decoders would copy any other type.
    """
    make, address = ctypes.pythonapi.PyBytes_FromStringAndSize, ctypes.pythonapi.PyBytes_AsString
    make.argtypes, make.restype = (ctypes.c_char_p, ctypes.c_ssize_t), ctypes.py_object
    address.argtypes, address.restype = (ctypes.py_object,), ctypes.c_void_p
    data: bytes = make(None, size)
    return data, memoryview((ctypes.c_char * size).from_address(address(data))).cast("B")


def _decode(head: bytes, source: Source, decoders: Mapping[str, Decode]) -> Failures | None:
    """Return the failures, or None if the document is incomplete."""
    length, media_type, tier = protocol.decode_job(head)
    if MEDIA_TYPES[media_type].streams:
        body = _Body(source, length)
        failures = decoders[media_type](body, tier)
        body.skip()
        return failures
    data = source.read(length)
    return decoders[media_type](data, tier) if len(data) == length else None


class _Body:
    """A document that is decoded as it arrives, and never held whole."""

    __slots__ = ("_left", "_source")

    def __init__(self, source: Source, length: int) -> None:
        self._source = source
        self._left = length

    def read(self, size: int, /) -> bytes:
        count = min(size, self._left)
        data = self._source.read(count)
        self._left = self._left - count if len(data) == count else 0
        return data

    def skip(self) -> None:
        """Skip what the decoder did not read."""
        while self.read(_BUFFER):
            pass
