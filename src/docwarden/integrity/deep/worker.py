"""The process that runs tiers 3 and 4: `python -m docwarden.integrity.deep.worker`.

It reads jobs from its standard input and answers on its standard output; `deep_protocol` says how.
It limits itself before the first job, so that whatever a parser does ends with this process:
address space, CPU seconds per job, core dumps, open files, and an alarm that ends it when the
parent died without closing the pipe. It ends when its input does.
"""

import argparse
import os
import resource
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from docwarden.integrity.deep import protocol
from docwarden.integrity.deep.decoders import Decode, load_decoder

_OPEN_FILES = 64
_ALL_FILES = 1 << 20
_LOADING_SECONDS = 30


def main() -> int:
    """Answer jobs until the input ends. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="docwarden.integrity.deep.worker")
    parser.add_argument("--memory", type=int, required=True, help="address space, bytes")
    parser.add_argument("--seconds", type=int, required=True, help="time for a job, seconds")
    limits = parser.parse_args()
    jobs, answers = _take_pipes()
    _limit_process(limits.memory)
    warnings.simplefilter("ignore")  # nobody would read them
    protocol.write(answers, protocol.READY)
    try:
        _answer_all(jobs, answers, limits.seconds)
    except MemoryError:  # for the document itself, too
        protocol.write(answers, protocol.OUT_OF_MEMORY)
        return 1  # the state of the heap is anybody's guess now
    return 0


def _answer_all(jobs: BinaryIO, answers: BinaryIO, seconds: int) -> None:
    loaded: dict[str, Decode] = {}
    for job in iter(lambda: protocol.read(jobs), None):
        media_type, tier, data = protocol.decode_job(job)
        if media_type not in loaded:
            # The parent does not count the loading of a library as time of the document.
            protocol.write(answers, protocol.LOADING)
            with _limited_time(_LOADING_SECONDS):
                loaded[media_type] = load_decoder(media_type)
            protocol.write(answers, protocol.LOADED)
        with _limited_time(seconds):
            failures = loaded[media_type](data, tier)
        protocol.write(answers, protocol.encode_answer(failures))


def _take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Keep the pipes for the protocol alone: libraries print to wherever they like."""
    jobs, answers = os.dup(0), os.dup(1)
    # Not every event loop closes what is inheritable before it starts a process.
    os.closerange(3, min(jobs, answers))
    os.closerange(min(jobs, answers) + 1, max(jobs, answers))
    os.closerange(max(jobs, answers) + 1, _ALL_FILES)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
    return os.fdopen(jobs, "rb"), os.fdopen(answers, "wb")


def _limit_process(memory: int) -> None:
    for kind, wanted in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, _OPEN_FILES),
        (resource.RLIMIT_FSIZE, 0),
    ):
        limit = _at_most(wanted, resource.getrlimit(kind)[1])
        resource.setrlimit(kind, (limit, limit))
    # A terminal's Ctrl-C is for the parent, which then closes the pipe.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _at_most(wanted: int, hard: int) -> int:
    """Return the limit to set: a lower hard one is the operator's (setrlimit(2))."""
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


@contextmanager
def _limited_time(seconds: int) -> Iterator[None]:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    used = usage.ru_utime + usage.ru_stime
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    # Both end the process by their signals' default action, in the middle of C code too.
    resource.setrlimit(resource.RLIMIT_CPU, (_at_most(int(used) + seconds + 1, hard), hard))
    # The parent kills earlier; the alarm is for a parent that is gone.
    signal.alarm(2 * seconds + 1)
    try:
        yield
    finally:
        signal.alarm(0)


if __name__ == "__main__":
    sys.exit(main())
