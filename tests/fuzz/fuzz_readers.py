"""Fuzz the readers of requests and of answers, each that remembers heads against one without.

    python tests/fuzz/fuzz_readers.py requests --seconds 60
    python tests/fuzz/fuzz_readers.py answers --seconds 60

What a reader remembers of earlier heads saves work and must change nothing: the same bytes in the
same pieces have to give the same to both, and no exception. Pieces of a stream that do not are
written to `.cache/fuzz/`, and the exit status is 1; it is 1 too when nothing was ever remembered.
"""

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from docwarden.core.document import Lease, Memory
from docwarden.server.request_parser import RequestReader
from docwarden.upstream.read_buffer import Arrivals
from docwarden.upstream.response_head import PlainHeads
from docwarden.upstream.response_parser import AnswerReader

CRASHES = Path(".cache/fuzz")
HEAD_BYTES = 512
MAX_BODY = 4096

REQUESTS = (
    b"GET /7 HTTP/1.1\r\nHost: test\r\n\r\n",
    b"GET /529852 HTTP/1.1\r\nHost: test\r\n\r\n",
    b"GET /7 HTTP/1.1\r\nHost: test\r\nRange: bytes=0-1\r\n\r\n",
    b"HEAD /7 HTTP/1.1\r\nHost: test\r\n\r\n",
    b"GET /7 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /7 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
    b"POST /7 HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /7 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: test\r\n\r\n",
    b"\r\n\r\n",
)
ANSWERS = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 7\r\n\r\na\r\n\r\nbc",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2000\r\n\r\n" + bytes(2000),
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 203 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.1 404 No\r\nContent-Length: 3\r\n\r\nabc",
    b"HTTP/1.0 200 OK\r\n\r\nabc",
    b"\r\n\r\n",
)
WORDS = (
    b"\r\n", b"\n", b"\r", b":", b" ", b"\0", b"\xff", b"chunked", b"Content-Length: 4\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Connection: close\r\n", b"HTTP/1.0", b"GET ", b"-1", b"0",
)  # fmt: skip


class CountingHeads(PlainHeads):
    """Remembers, and counts how often that was of use."""

    __slots__ = ("hits",)

    def __init__(self) -> None:
        super().__init__()
        self.hits = 0
        self.lengths = _Counting(self)


class _Counting(dict[bytes, int]):
    def __init__(self, heads: CountingHeads) -> None:
        super().__init__()
        self._heads = heads

    def get(self, head: bytes, default: Any = None) -> Any:
        self._heads.hits += head in self
        return super().get(head, default)


class Forgetful(PlainHeads):
    """Knows no head."""

    __slots__ = ()

    def remember(self, head: bytes | bytearray, declared: int) -> None:
        pass


def compare_requests(pieces: Sequence[bytes], rng: random.Random) -> tuple[str | None, int]:
    """Return where two readers of requests differ, if so, and how often one remembered."""
    knowing, forgetful = (RequestReader("192.0.2.1", HEAD_BYTES, random.Random(1)) for _ in "ab")
    hits = 0
    for at, piece in enumerate(pieces):
        if forgetful.last:
            break
        forgetful._repeated = b""
        hits += bool(knowing._repeated) and piece.endswith(knowing._repeated)
        for reader in (knowing, forgetful):
            reader.feed(piece, float(at), 0.0)
        told = [_told(reader) for reader in (knowing, forgetful)]
        if told[0] != told[1]:
            return f"piece {at}: {told[0]} with memory, {told[1]} without", hits
        if rng.random() < 0.8:  # answered, before more comes
            knowing.pending.clear()
            forgetful.pending.clear()
    return None, hits


def _told(reader: RequestReader) -> object:
    requests = [
        (asked.method, asked.path, asked.headers, asked.started, failure and failure.reason, *rest)
        for asked, failure, *rest in reader.pending
    ]
    return requests, reader.last, reader.in_request, reader.began


class Answering:
    """Takes answers one after the other, as a connection does."""

    def __init__(self, plain: PlainHeads) -> None:
        self._reader = AnswerReader(MAX_BODY, Arrivals(), plain)
        self._begin()

    def _begin(self) -> None:
        self._reader.begin(Lease(Memory(MAX_BODY // 3)))

    def take(self, piece: bytes) -> tuple[object, bool]:
        """Return what has come of the answer with this piece, and whether more may come."""
        reader, left = self._reader, piece
        while left:
            room = reader.place(-1)
            count = min(len(left), len(room))
            room[:count] = left[:count]
            left = left[count:]
            failure = reader.buffer_filled(count)
            if failure is not None:
                return failure.reason, False
            if reader.bytes_needed and reader.finished is None:
                reader.make_room()
        if reader.finished is None:
            return "under way", True
        status, body = reader.finished
        told, keep = (status, bytes(body), reader.keep), reader.keep
        reader.forget()
        self._begin()
        return told, keep

    def close(self) -> str:
        """Return what a close makes of the answer."""
        return repr(self._reader.at_close())


def compare_answers(pieces: Sequence[bytes], _: random.Random) -> tuple[str | None, int]:
    """Return where two readers of answers differ, if so, and how often one remembered."""
    plain = CountingHeads()
    knowing, forgetful = Answering(plain), Answering(Forgetful())
    for at, piece in enumerate(pieces):
        with_memory, without = knowing.take(piece), forgetful.take(piece)
        if with_memory != without:
            return f"piece {at}: {with_memory} with memory, {without} without", plain.hits
        if not without[1]:  # the next connection knows what this one has learned
            knowing, forgetful = Answering(plain), Answering(Forgetful())
    if knowing.close() != forgetful.close():
        return "they differ in what a close means", plain.hits
    return None, plain.hits


def stream(messages: Sequence[bytes], rng: random.Random) -> list[bytes]:
    """Return messages, most of them alike and some damaged, in pieces."""
    few = rng.sample(messages, 2)
    pieces: list[bytes] = []
    for _ in range(rng.randrange(2, 9)):
        message = rng.choice(few)
        if rng.random() < 0.2:
            message = damaged(message, rng)
        while message and rng.random() < 0.3:
            cut = rng.randrange(1, len(message) + 1)
            pieces.append(message[:cut])
            message = message[cut:]
        if pieces and rng.random() < 0.1:
            pieces[-1] += message
        elif message:
            pieces.append(message)
    return pieces


def damaged(message: bytes, rng: random.Random) -> bytes:
    """Return a message after a few random edits."""
    data = bytearray(message)
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data) + 1)
        match rng.randrange(4):
            case 0 if data:
                data[at % len(data)] = rng.randrange(256)
            case 1:
                data[at:at] = rng.choice(WORDS)
            case 2:
                del data[at : at + rng.randrange(1, 12)]
            case _:
                data[at:at] = data[at : at + rng.randrange(1, 40)] * rng.randrange(1, 30)
    return bytes(data)


Compare = Callable[[Sequence[bytes], random.Random], tuple[str | None, int]]
SUBJECTS: dict[str, tuple[Sequence[bytes], Compare]] = {
    "requests": (REQUESTS, compare_requests),
    "answers": (ANSWERS, compare_answers),
}


def main() -> int:
    """Fuzz. Returns the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=None)
    arguments = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if arguments.seed is None else arguments.seed
    rng = random.Random(seed)
    messages, compare = SUBJECTS[arguments.subject]
    runs = hits = failures = 0
    end = time.monotonic() + arguments.seconds
    while time.monotonic() < end:
        pieces = stream(messages, rng)
        try:
            wrong, used = compare(pieces, rng)
        except Exception as error:  # noqa: BLE001 - any exception is the discovery
            wrong, used = repr(error), 0
        runs += 1
        hits += used
        if wrong is not None:
            failures += 1
            CRASHES.mkdir(parents=True, exist_ok=True)
            target = CRASHES / f"{arguments.subject}-{seed}-{runs}"
            target.write_text(repr(pieces))
            sys.stderr.write(f"{target}: {wrong}\n")
    sys.stdout.write(
        f"{arguments.subject}, seed {seed}: {runs} streams, {hits} heads remembered,"
        f" {failures} failures\n"
    )
    return 1 if failures or not hits else 0


if __name__ == "__main__":
    sys.exit(main())
