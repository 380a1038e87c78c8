"""One event per request, written when it has ended.

`log_fields` lists what an event tells. Most lines are those of plain deliveries, and are put
together as bytes in half of the time.
"""

from collections.abc import Sequence
from random import Random
from typing import Final

import orjson

from docwarden.core.errors import Outcome
from docwarden.core.request import Request
from docwarden.gateway.log_fields import FIELDS, Ended, is_plain, plain_format, plain_values
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.gateway.told_by_clients import Told
from docwarden.telemetry.logs import Log

EVENT: Final = "request.ended"
_NOTEWORTHY: Final = ("warning", "error")
_STALE: Final = Outcome.DELIVERED_STALE


class RequestLog:
    """Writes the event; successes by the share that is set, failures always.

    What is worth a warning or more is also remembered in `recent`, whatever the log's level.

    Args:
        log: takes the events.
        success_share: of successes that are written, from 0 to 1.
        recent: remembers failures.
        random: draws the successes.
        headers: lower-case names of the header fields that are told.
    """

    def __init__(
        self,
        log: Log,
        *,
        success_share: float,
        recent: RecentFailures,
        random: Random,
        headers: Sequence[str] = (),
    ) -> None:
        self._log = log
        self._as_json = log.as_json
        self._tells_successes = log.wants("info")
        self._recent = recent
        self._share = success_share
        self._random = random
        self._told = Told(headers)
        # What is the same in all lines is put into their format once.
        constant = orjson.dumps({"severity": "info", "event.name": EVENT} | log.source)[1:-1]
        self._line = (
            b'{"timestamp":"%b",' + constant.replace(b"%", b"%%") + plain_format() + b"%b}\n"
        )

    def on_finished(self, request: Request, *, status: int, sent: int, seconds: float) -> None:
        """Write the event of one request.

        Args:
            request: the request.
            status: of the answer, 499 when the client had gone.
            sent: bytes of the body that were handed to the connection.
            seconds: from the request's head to the answer's end.
        """
        if self._as_json and is_plain(request):
            if self._tells_successes and self._is_drawn():
                at = self._log.timestamp(request.wall + seconds)
                values = plain_values(request, status, max(0, sent), seconds)
                told = self._told.rendered(request)
                self._log.write_line(self._line % (at.encode(), *values, told))
            return
        failure = request.result.failure
        stale = request.result.outcome is _STALE
        level = "warning" if stale else "info" if failure is None else failure.rule.level
        if stale or failure is not None:
            self._remember(request, level, status, seconds)
        if not self._log.wants(level) or (failure is None and not self._is_drawn()):
            return
        ended = Ended(request, status, sent, seconds)
        every = ((each.name, each.value(ended)) for each in FIELDS)
        fields = {name: value for name, value in every if value is not None}
        fields |= self._told.fields(request)
        self._log.write(level, EVENT, request.wall + seconds, fields)

    def _is_drawn(self) -> bool:
        return self._share >= 1 or self._random.random() < self._share

    def _remember(self, request: Request, level: str, status: int, seconds: float) -> None:
        if level not in _NOTEWORTHY:
            return
        failure, fetched = request.result.failure, request.result.fetched
        if failure is None and fetched is not None:
            failure = fetched.replaced
        if failure is not None:
            self._recent.note(request, failure, status=status, seconds=seconds)
