"""Log lines, which a thread writes in batches, so that a slow reader stalls nothing else.

Lines are JSON objects, or text on a terminal (`log_text`). Field names follow OpenTelemetry's
semantic conventions; docs/reference/log-events.md lists events and fields.
"""

import os
import select
import stat
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import orjson

from docwarden.telemetry.log_text import text_of
from docwarden.telemetry.resource import Resource

LEVELS: Final = {"debug": 10, "info": 20, "warning": 30, "error": 40}
# At 700 bytes a line, this buffers almost two seconds at 5,000 requests a second.
QUEUE_BYTES: Final = 6 * 1024 * 1024
BATCH_SECONDS: Final = 0.1


class LogWriter:
    """Writes lines to a file descriptor from a thread of its own.

    Lines go into one growing buffer: a queue would scatter thousands of small allocations between
    the bodies of documents.

    Attributes:
        dropped: lines lost because the reader was too slow.
        notice: returns the line that reports lost lines, once there is room for it.
    """

    def __init__(self, descriptor: int, *, shared: bool = False) -> None:
        self._descriptor = descriptor
        # Writes to a pipe by several processes mix beyond this size (pipe(7), PIPE_BUF).
        piped = stat.S_ISFIFO(os.fstat(descriptor).st_mode)
        self._piece = select.PIPE_BUF if shared and piped else QUEUE_BYTES
        self._buffer = bytearray()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._flusher = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._reported = 0
        self.notice: Callable[[int], bytes] | None = None
        self.dropped = 0
        self._flusher.start()

    def write(self, line: bytes) -> None:
        """Queue one line, its line feed included."""
        with self._lock:
            if len(self._buffer) < QUEUE_BYTES:
                self._buffer += line
            else:
                self.dropped += 1

    def close(self) -> None:
        """Flush the queue, for up to two seconds, and end the thread."""
        self._stop.set()
        self._flusher.join(timeout=2.0)

    def _run(self) -> None:
        while not self._stop.wait(BATCH_SECONDS):
            self._flush()
        self._flush()

    def _flush(self) -> None:
        with self._lock:
            batch, self._buffer = self._buffer, bytearray()
            lost, self._reported = self.dropped - self._reported, self.dropped
        if lost and self.notice is not None:
            batch += self.notice(lost)
        left = memoryview(batch)
        try:
            while left:
                size = len(left)
                if size > self._piece:
                    start = len(batch) - size
                    # Whole lines; a line longer than a piece goes alone and may be mixed.
                    end = batch.rfind(b"\n", start, start + self._piece) + 1
                    size = (end or batch.find(b"\n", start) + 1) - start
                try:
                    written = os.write(self._descriptor, left[:size])
                except BlockingIOError:
                    # Another process may have made what both write to non-blocking.
                    select.select((), (self._descriptor,), ())
                    continue
                left = left[written:]
        except OSError:
            # The reader is gone: the service goes on, and the loss is counted.
            self.dropped += bytes(left).count(b"\n")


class Log:
    """Events above a level, in one format.

    Attributes:
        as_json: whether lines are JSON objects.
        write_line: writes a JSON object that the caller has formatted, its line feed included.
        source: fields of every event that identify the process.
    """

    def __init__(
        self, writer: LogWriter, *, level: str, console: bool, colour: bool, resource: Resource
    ) -> None:
        self._writer = writer
        self.write_line = writer.write
        self._threshold = LEVELS[level]
        self.as_json = not console
        self.source = {
            "service.name": resource.service,
            "service.instance.id": resource.instance,
        }
        self._colour = colour
        # Replaced as a whole: the thread that exports spans writes events too.
        self._second = self._millisecond = (-1, "")
        writer.notice = self._lost_lines

    def _lost_lines(self, lines: int) -> bytes:
        fields = {"message": f"{lines} lines lost: their reader was too slow", "lines": lines}
        return self._line("warning", "log.lines_lost", time.time(), fields)

    @property
    def dropped(self) -> int:
        """Lines lost so far."""
        return self._writer.dropped

    def is_enabled(self, level: str) -> bool:
        """Whether events of `level` are written."""
        return LEVELS[level] >= self._threshold

    def event(self, level: str, name: str, message: str, /, **fields: Any) -> None:
        """Write one event of the process, with a message."""
        if self.is_enabled(level):
            self.write(level, name, time.time(), {"message": message} | fields)

    def write(self, level: str, name: str, at: float, fields: dict[str, Any]) -> None:
        """Write one event that happened at epoch second `at`; its fields include `message`."""
        self._writer.write(self._line(level, name, at, fields))

    def _line(self, level: str, name: str, at: float, fields: dict[str, Any]) -> bytes:
        if not self.as_json:
            return text_of(level, name, at, fields, colour=self._colour).encode("utf-8", "replace")
        record = {"timestamp": self.timestamp(at), "severity": level, "event.name": name}
        record |= self.source
        record |= fields
        return orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE, default=str)

    def timestamp(self, at: float) -> str:
        """Return `at` in RFC 3339, UTC, to the millisecond; cached for the millisecond."""
        millisecond = int(at * 1000)
        known, text = self._millisecond
        if millisecond != known:
            second, rest = divmod(millisecond, 1000)
            known, prefix = self._second
            if second != known:
                prefix = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
                self._second = (second, prefix)
            text = f"{prefix}.{rest:03}Z"
            self._millisecond = (millisecond, text)
        return text

    def close(self) -> None:
        """Flush the queue and stop."""
        self._writer.close()


def open_log(
    *,
    format_name: str,
    level: str,
    descriptor: int = 1,
    shared: bool = False,
    resource: Resource | None = None,
) -> Log:
    """Return a log to `descriptor`: `json`, `console`, or `auto` by whether it is a terminal.

    Args:
        format_name: one of the three.
        level: the lowest level that is written.
        descriptor: an open file.
        shared: whether other processes write to it as well.
        resource: identifies the process; None takes it from the environment.
    """
    terminal = os.isatty(descriptor)
    console = format_name == "console" or (format_name == "auto" and terminal)
    colour = console and terminal and "NO_COLOR" not in os.environ
    return Log(
        LogWriter(descriptor, shared=shared),
        level=level,
        console=console,
        colour=colour,
        resource=resource or Resource.of(os.environ),
    )
