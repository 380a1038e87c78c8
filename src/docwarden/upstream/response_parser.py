"""Parses the answers of one upstream connection, and accounts for every byte.

Framing (RFC 9112): a body ends at its Content-Length, at its last chunk, or, where neither is
given, when the connection closes. Limits are enforced while an answer is read: a declared length
beyond the cap is refused before its body is read, and memory is leased before it is filled.

llhttp parses every byte but those of a body of declared length, which it would copy. It only tells
where a head ends; `response_head` interprets it. Heads that were parsed before are looked up.
"""

from typing import Final

import httptools

from docwarden.core.document import Lease
from docwarden.core.errors import Cause, Failure
from docwarden.core.reasons import FailureReason
from docwarden.integrity.reasons import Reason
from docwarden.net.allocator import unfilled
from docwarden.net.heads import END, end_of_split_head
from docwarden.upstream.read_buffer import SIZE, Arrivals
from docwarden.upstream.response_head import MAX_HEAD_BYTES, PlainHeads, framing_of

# 100 and 103 may come before the answer (RFC 9110 section 15.2); a run of them is hostile.
MAX_INFORMATIONAL: Final = 8
# Bytes of framing per byte of body: chunks of one byte carry six, and chunk extensions are legal.
MAX_OVERHEAD: Final = 8
# The body of an error is read only so that the connection can be reused.
MAX_DISCARDED_BYTES: Final = 64 * 1024
# Above this size, a body of unknown length grows in one buffer.
_ONE_BUFFER: Final = 256 * 1024


DOCUMENT_STATUSES: Final = frozenset((200, 203))
"""Those whose body is the document; 203 says that a proxy has changed it (RFC 9110 15.3.4)."""

Body = bytes | bytearray
"""A body, whole."""

Answer = tuple[int, Body]
"""Status and body, in full where the status is one of a document."""


class AnswerReader:
    """Reads one answer at a time.

    Attributes:
        finished: the answer once it is complete.
        keep: whether the connection can be reused after it.
        bytes_needed: bytes of memory to lease before more is read, or 0.
        touched: whether any byte of the answer has arrived.
    """

    __slots__ = (
        "_arrivals", "_begun", "_body", "_bytes_read", "_chunked", "_declared", "_direct",
        "_filled", "_head", "_head_done", "_informational", "_lease", "_max_body", "_parser",
        "_plain", "_raw", "_size", "_status", "_stuck", "bytes_needed", "finished", "keep",
    )  # fmt: skip

    def __init__(self, max_body: int, arrivals: Arrivals, plain: PlainHeads) -> None:
        self._max_body = max_body
        self._arrivals = arrivals
        self._plain = plain
        self._parser = self._new_parser()
        self._head = bytearray()
        self._filled: bytearray | None = None
        self._body: list[bytes] = []
        self._stuck = False
        self._direct = False
        self.finished: Answer | None = None

    def _new_parser(self) -> httptools.HttpResponseParser:
        parser = httptools.HttpResponseParser(self)
        # Older Tomcats and some balancers pad them; nginx, Go and curl read that (RFC 9112 section
        # 7.1.1 lets white space stand there before an extension).
        parser.set_dangerous_leniencies(lenient_spaces_after_chunk_size=True)
        return parser

    def begin(self, lease: Lease) -> None:
        """Prepare for an answer; `lease` grows with its body."""
        self._lease = lease
        if self._stuck:
            # The last body bypassed it, so it does not know that the message has ended.
            self._parser = self._new_parser()
            self._stuck = False
        self._raw = self._begun = self._head_done = self._chunked = self.keep = False
        self._informational = self._bytes_read = self._size = self.bytes_needed = 0
        self._declared: int | None = None

    def forget(self) -> None:
        """Drop the answer, as an idle connection must not hold a document."""
        self.finished = None
        self._filled = None
        if self._head:
            self._head = bytearray()
        if self._body:
            self._body = []

    @property
    def touched(self) -> bool:
        """Whether any byte of the answer has arrived."""
        return self._bytes_read > 0

    def place(self, sizehint: int) -> memoryview:  # noqa: ARG002 - a hint of the event loop's
        """Return where to read into; the middle of a large body goes straight to its place.

        Its last byte never does, so that bytes after it are noticed.
        """
        filled = self._filled
        self._direct = filled is not None and self._left() > SIZE
        if filled is None or not self._direct:
            return self._arrivals.view
        return memoryview(filled)[self._size : -1]

    def buffer_filled(self, count: int) -> Failure | None:
        """Parse the `count` bytes just received; return a failure if they are refused."""
        self._bytes_read += count
        if self._direct:
            self._size += count
        if self._direct or self._read_whole(count):
            return None
        try:
            self._read(count)
        except Failure as failure:
            return failure
        except httptools.HttpParserUpgrade:
            return FailureReason.UPGRADE_NOT_ASKED_FOR.failure()
        except httptools.HttpParserError as error:
            return self._why(error)
        overhead = self._bytes_read - self._size
        if self.finished is None and overhead > MAX_HEAD_BYTES + MAX_OVERHEAD * self._size:
            return FailureReason.HEAD_TOO_LARGE.failure()
        return None

    def make_room(self) -> None:
        """Resume, now that the missing memory has been leased."""
        self.bytes_needed = 0
        # What came with the head goes to its place, now that there is one.
        early = b"".join(self._body)
        self._body = []
        if self._left():
            self._filled = unfilled(self._declared or 0)
            self._filled[: len(early)] = early
        else:
            self.finished = (self._status, early)

    def at_close(self) -> Answer | Failure:
        """Return the answer that the close completes, or a failure if it does not."""
        if not self._head_done:
            return Failure(Cause.RESET)
        if self._declared is None and not self._chunked:
            return self._status, self._gathered()
        return Failure(Cause.CORRUPT, Reason.BODY_TRUNCATED)

    def _left(self) -> int:
        """Return how many bytes of a body that bypasses the parser are still to come."""
        return self._declared - self._size if self._raw and self._declared is not None else 0

    def _read_whole(self, count: int) -> bool:
        """Take an answer that arrived whole, under a known head; return False for any other.

        A head as long as the one before needs no search for its end.
        """
        if self._head_done or self._head or self._informational:
            return False
        memory = self._arrivals.memory
        start = self._plain.size
        declared = self._plain.lengths.get(memory[:start])
        if declared is None or start + declared != count or not self._lease.grow(declared):
            return False
        self.keep = True
        self.finished = (200, memory[start:count])
        return True

    def _read(self, count: int) -> None:
        """Parse up to the end of the head; a body of declared length bypasses the parser."""
        memory = self._arrivals.memory
        start = 0
        while not self._head_done:
            if self._head:
                end = end_of_split_head(self._head, memory[start:count])
                end = start + end if end else 0
            else:
                at = memory.find(END, start, count)
                end = at + len(END) if at >= 0 else 0
            if not end:
                self._head += memory[start:count]
                self._parser.feed_data(memory[start:count])
                return
            head = memory[start:end]
            # After an informational answer, it is the parser that decides what follows.
            anew = self._head or self._informational
            declared = None if anew else self._plain.lengths.get(head)
            if declared is not None:
                self._head_done = self.keep = True
                self._status = 200
                self._plain.size = len(head)
                self._expect(declared)
                start = end
                break
            self._parser.feed_data(head)
            if self._begun:  # and not empty lines before the status line
                self._take_head(self._head + head if self._head else head)
            if self._head:
                self._head = bytearray()
            start = end
        if start == count or (self.finished is not None and not self.keep):
            return  # finished, maybe by its head alone
        if self._raw:
            self._take_body(start, count)
        else:
            self._parser.feed_data(memory[start:count])

    def _take_head(self, head: bytes | bytearray) -> None:
        """Interpret a head, which may be that of an informational answer."""
        status = self._status = self._parser.get_status_code()
        self._begun = False
        if status < 200:
            self._informational += 1
            if self._informational > MAX_INFORMATIONAL:
                raise FailureReason.ENDLESS_INFORMATIONAL.failure()
            return
        self._head_done = True
        if self.finished is None:
            self.keep = self._parser.should_keep_alive()
        declared, self._chunked = framing_of(head, status)
        self._declared = declared
        if status in DOCUMENT_STATUSES:
            if declared is not None and self.finished is None:
                self._stuck = True
                self._expect(declared)
                if self.keep and status == 200:
                    self._plain.remember(head, declared)
        elif declared is None or declared > MAX_DISCARDED_BYTES:
            # Not worth reading: finish now, and give the connection up.
            self.keep = False
            self.finished = (status, b"")

    def _expect(self, declared: int) -> None:
        """Prepare for a body of `declared` bytes, which bypasses the parser."""
        self._declared = declared
        self._raw = True
        if declared > self._max_body:
            raise Failure(Cause.TOO_LARGE)
        if not self._lease.grow(declared):
            self.bytes_needed = declared

    def _take_body(self, start: int, end: int) -> None:
        """Add what arrived from `start` to `end` to a body whose length was declared."""
        before = self._size
        declared = self._declared or 0
        self._size = before + end - start
        if self._size > declared:
            raise Failure(Cause.CORRUPT, Reason.BYTES_AFTER_BODY)
        if self.bytes_needed:
            self._body.append(self._arrivals.memory[start:end])
        elif self._size == declared and before == 0:
            self.finished = (self._status, self._arrivals.memory[start:end])
        else:
            if self._filled is None:
                self._filled = unfilled(declared)
            self._filled[before : self._size] = self._arrivals.view[start:end]
            if self._size == declared:
                self.finished = (self._status, self._filled)

    def _gathered(self) -> bytes | bytearray:
        """Return the body that the parser delivered."""
        if self._filled is not None:
            return self._filled
        return self._body[0] if len(self._body) == 1 else b"".join(self._body)

    def _why(self, error: httptools.HttpParserError) -> Failure:
        if isinstance(error.__context__, Failure):
            return error.__context__
        if self.finished is not None:
            return Failure(Cause.CORRUPT, Reason.BYTES_AFTER_BODY)
        return Failure(Cause.PROTOCOL)

    # --- what the parser calls; a Failure raised here comes back as the parser error's context

    def on_message_begin(self) -> None:
        self._begun = True
        if self.finished is not None:
            raise Failure(Cause.CORRUPT, Reason.BYTES_AFTER_BODY)

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._declared is None:
            self._grow(len(body))
        if self._filled is None:
            self._body.append(body)
        else:
            self._filled += body

    def _grow(self, more: int) -> None:
        """Lease memory for a body of unknown length as it arrives."""
        if self._size > self._max_body:
            raise Failure(Cause.TOO_LARGE)
        if not self._lease.grow(more):
            raise Failure(Cause.MEMORY)
        if self._filled is None and self._size > _ONE_BUFFER:
            # Joining the pieces at the end would need their memory twice.
            self._filled = bytearray().join(self._body)
            self._body = []

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:
            # Later it would answer for a message that has not begun.
            self.keep = self._parser.should_keep_alive()
            self.finished = (status, self._gathered())
