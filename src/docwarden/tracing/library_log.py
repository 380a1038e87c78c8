"""Keeps the log messages of OpenTelemetry's libraries from standard error."""

import logging
from collections import deque
from typing import Final

REASON_LENGTH: Final = 300
"""Characters of a message that are kept."""


class LibraryLog(logging.Handler):
    """Collects what OpenTelemetry's libraries log, which would go to standard error.

    Attributes:
        messages: the latest messages, shortened.
    """

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.messages: deque[str] = deque(maxlen=8)
        self._logger = logging.getLogger("opentelemetry")
        self._level = self._logger.level
        self._logger.addHandler(self)
        self._logger.setLevel(logging.WARNING)
        self._exporters = logging.getLogger("opentelemetry.exporter")

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the message."""
        self.messages.append(record.getMessage()[:REASON_LENGTH])

    def only_exporters(self) -> None:
        """Ignore all but exporters from now on: the rest logs about every span and header."""
        self._logger.setLevel(logging.CRITICAL + 1)
        self._exporters.setLevel(logging.WARNING)

    def close(self) -> None:
        """Restore the loggers."""
        self._logger.removeHandler(self)
        self._logger.setLevel(self._level)
        self._exporters.setLevel(logging.NOTSET)
        super().close()
