"""One event per request, written when it has ended.

`log_fields` lists the fields of an event, and `header_fields` adds those that clients sent. Most
lines are those of plain deliveries, which are formatted as bytes, in a third of the time.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

import orjson

from docwarden.core.errors import Outcome
from docwarden.core.request import Request
from docwarden.gateway.header_fields import HeaderFields
from docwarden.gateway.log_fields import FIELDS, Ended
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.telemetry.logs import Log

EVENT: Final = "request.ended"
_NOTEWORTHY: Final = ("warning", "error")
_STALE: Final = Outcome.DELIVERED_STALE
_DELIVERED: Final = Outcome.DELIVERED
_WITH_PEER: Final = '%s","network.peer.address":"%s'
_CACHED_FORMATS: Final = 512
_CACHED_BYTES: Final = 1024
"""Of header fields in the key of one format."""


class RequestLog:
    """Writes the events; failures always, successes by the configured share.

    Events from warning up are also kept in `recent`, whatever the log's level.

    Args:
        log: takes the events.
        success_share: share of the successes that are written, from 0 to 1.
        recent: keeps the failures.
        random: samples the successes.
        headers: lower-case names of the header fields to log.
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
        self._logs_successes = log.is_enabled("info")
        self._recent = recent
        self._share = success_share
        self._logs_all = self._logs_successes and success_share >= 1
        self._random = random
        self._header_fields = HeaderFields(headers)
        self._plain_lines = _PlainLines(log.source, self._header_fields)

    def on_finished(self, request: Request, status: int, sent: int, seconds: float) -> None:
        """Write the event of one request.

        Args:
            request: the request.
            status: of the answer, 499 when the client had gone.
            sent: bytes of the body that were handed to the connection.
            seconds: from the request's head to the answer's end.
        """
        if self._as_json and _is_plain(request):
            if self._logs_all or (self._logs_successes and self._is_drawn()):
                at = self._log.timestamp(request.wall + seconds)
                self._log.write_line(self._plain_lines.line(at, request, status, sent, seconds))
            return
        failure = request.result.failure
        stale = request.result.outcome is _STALE
        level = "warning" if stale else "info" if failure is None else failure.rule.level
        if stale or failure is not None:
            self._remember(request, level, status, seconds)
        if not self._log.is_enabled(level) or (failure is None and not self._is_drawn()):
            return
        ended = Ended(request, status, sent, seconds)
        every = ((each.name, each.value(ended)) for each in FIELDS)
        fields = {name: value for name, value in every if value is not None}
        fields |= self._header_fields.fields(request)
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


def _is_plain(request: Request) -> bool:
    """Whether a document was delivered, and no field is needed that plain lines do not have."""
    result = request.result
    fetched = result.fetched
    return (
        fetched is not None
        and result.outcome is _DELIVERED
        and result.failure is None
        and not request.trace_id
        and not fetched.shared
        and not fetched.queue_seconds
    )


class _PlainLines:
    """Formats the lines of plain deliveries.

    Most of a line recurs: the method, the media type, the user agent. Each combination of these
    makes a format, which is cached and holds the rest as conversions.
    """

    def __init__(self, source: dict[str, str], header_fields: HeaderFields) -> None:
        self._header_fields = header_fields
        names = header_fields.names
        # Most gateways log no field but the user agent, which is looked up by itself.
        self._names, self._only_name = names, names[0] if len(names) == 1 else None
        constant = orjson.dumps({"severity": "info", "event.name": EVENT} | source)[1:-1]
        fields = (
            b',"%b":%b' % (each.name.encode(), each.plain)
            for each in FIELDS
            if each.plain is not None
        )
        # It is filled in twice, so a mark that is to stay is written four times.
        shared = constant.replace(b"%", b"%%%%")
        self._pattern = b'{"timestamp":"%%b",' + shared + b"".join(fields) + b"%b}\n"
        self._formats: dict[tuple[Any, ...], bytes] = {}

    def line(self, at: str, request: Request, status: int, sent: int, seconds: float) -> bytes:
        """Return the line of a request that ended at `at`."""
        result = request.result
        fetch: Any = result.fetch  # is set, as the next: cast() would be one more call
        fetched: Any = result.fetched
        attempts = fetched.attempts
        if len(attempts) == 1:
            ends, taken = attempts[0]
            times: tuple[float, ...] = (taken * 1e3,)
        else:
            ends = tuple(end for end, _ in attempts)
            times = tuple(taken * 1e3 for _, taken in attempts)
        get = request.headers.get
        only = self._only_name
        found = tuple(map(get, self._names)) if only is None else get(only)
        key = (status, request.method_label, result.media_type, ends, found)
        known = self._formats.get(key)
        line = self._new_format(key, request) if known is None else known
        document_id = fetch.document_id.encode()
        client = request.client
        if client is not request.peer and client != request.peer:
            client = _WITH_PEER % (client, request.peer)
        milliseconds = seconds * 1e3
        # In the order of the double marks in `FIELDS`.
        before = (
            at.encode(),
            document_id,
            milliseconds,
            request.request_id.encode(),
            sent if sent > 0 else 0,  # noqa: FURB136 - a call for each line
            client.encode(),
            milliseconds,
            document_id,
        )
        after = (fetched.upstream_seconds * 1e3, fetched.verify_seconds * 1e3)
        return line % (before + times + after)

    def _new_format(self, key: tuple[Any, ...], request: Request) -> bytes:
        """Return the format of lines that have the values of `key`, and cache it."""
        status, method, media_type, ends, values = key
        ends = (ends,) if isinstance(ends, str) else ends
        attempts = b",".join(b'{"result":"%b","ms":%%.3f}' % end.encode() for end in ends)
        found = self._header_fields.fields(request)
        rendered = b"," + orjson.dumps(found)[1:-1] if found else b""
        # In the order of the single marks in `FIELDS`.
        line = self._pattern % (
            status,
            b"" if method == "GET" else b" " + method.encode(),
            media_type.encode(),
            len(ends),
            method.encode(),
            request.result.route.encode(),
            status,
            media_type.encode(),
            _DELIVERED.encode(),
            attempts,
            rendered.replace(b"%", b"%%"),
        )
        if len(self._formats) >= _CACHED_FORMATS:
            self._formats.clear()
        values = values if isinstance(values, tuple) else (values,)
        if sum(len(value or b"") for value in values) <= _CACHED_BYTES:
            self._formats[key] = line
        return line
