"""Logs errors outside any request, and keeps them from standard error.

Standard error may be a pipe that nobody reads: writing to it then blocks for ever, and with the
event loop the whole process. asyncio, `warnings`, `logging` and the interpreter write there by
default.
"""

import asyncio
import logging
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any, Final

from docwarden.telemetry.logs import Log

BURST: Final = 20
"""Events that may be written at once."""
PER_SECOND: Final = 1.0
"""Events beyond a burst; others are counted, and the next event reports the number."""
_LONGEST_TEXT: Final = 8000


class DefectLog:
    """Writes `defect` events, rate limited so that no client can fill a disk with them."""

    def __init__(self, log: Log, *, clock: Callable[[], float]) -> None:
        self._log = log
        self._clock = clock
        self._left = float(BURST)
        self._since = clock()
        self._suppressed = 0
        self._lock = threading.Lock()

    def note(self, message: str, error: BaseException | None = None, **fields: Any) -> None:
        """Write one event, unless the rate limit is exceeded."""
        with self._lock:
            now = self._clock()
            self._left = min(BURST, self._left + (now - self._since) * PER_SECOND)
            self._since = now
            if self._left < 1:
                self._suppressed += 1
                return
            self._left -= 1
            suppressed, self._suppressed = self._suppressed, 0
        if error is not None:
            fields["exception.type"] = type(error).__name__
            fields["exception.stacktrace"] = "".join(traceback.format_exception(error))[
                -_LONGEST_TEXT:
            ]
        if suppressed:
            fields["suppressed"] = suppressed
        self._log.event("error", "defect", message[:_LONGEST_TEXT], **fields)


class _Records(logging.Handler):
    """Receives what libraries log as warnings or worse."""

    def __init__(self, defects: DefectLog) -> None:
        super().__init__(logging.WARNING)
        self._defects = defects

    def emit(self, record: logging.LogRecord) -> None:
        # The tracer handles these itself.
        if not record.name.startswith("opentelemetry"):
            error = record.exc_info[1] if record.exc_info else None
            self._defects.note(record.getMessage(), error, logger=record.name)


def send_diagnostics_to(log: Log) -> None:
    """Redirect to `log` what this process would write to standard error by itself.

    Must be called within the event loop; it lasts for the life of the process.
    """
    defects = DefectLog(log, clock=time.monotonic)

    def from_loop(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        defects.note(context["message"], context.get("exception"))

    def unraisable(about: "sys.UnraisableHookArgs") -> None:
        defects.note(about.err_msg or "exception ignored", about.exc_value)

    def in_thread(about: threading.ExceptHookArgs) -> None:
        defects.note("a thread ended by an exception", about.exc_value)

    asyncio.get_running_loop().set_exception_handler(from_loop)
    logging.captureWarnings(capture=True)
    logging.getLogger().addHandler(_Records(defects))
    sys.unraisablehook = unraisable
    threading.excepthook = in_thread
