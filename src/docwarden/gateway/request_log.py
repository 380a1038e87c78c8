"""One event per request, written when it has ended.

`log_fields` lists the fields of an event, and `HeaderFields` adds those that clients sent. Most
lines are those of plain deliveries, which are formatted as bytes, in half the time.
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

import orjson

from docwarden.core.errors import Outcome
from docwarden.core.request import Request
from docwarden.gateway.log_fields import CUT, FIELDS, Ended
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.telemetry.logs import Log

EVENT: Final = "request.ended"
_NOTEWORTHY: Final = ("warning", "error")
_STALE: Final = Outcome.DELIVERED_STALE
_DELIVERED: Final = Outcome.DELIVERED
_ATTEMPT: Final = b'{"result":"%b","ms":%.3f}'
_WITH_PEER: Final = '%s","network.peer.address":"%s'
MAX_USER_AGENT: Final = 200
MAX_HEADER: Final = 128
"""Bytes of a value that are logged; three dots replace the rest."""
_REMEMBERED: Final = 512
_REMEMBERED_BYTES: Final = 1024
_AGENT: Final = b"user-agent"
_USER_AGENT: Final = "user_agent.original"


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
        self._random = random
        self._header_fields = HeaderFields(headers)
        # The part that all lines share is put into their format once.
        constant = orjson.dumps({"severity": "info", "event.name": EVENT} | log.source)[1:-1]
        self._line = (
            b'{"timestamp":"%b",' + constant.replace(b"%", b"%%") + _plain_format() + b"%b}\n"
        )

    def on_finished(self, request: Request, *, status: int, sent: int, seconds: float) -> None:
        """Write the event of one request.

        Args:
            request: the request.
            status: of the answer, 499 when the client had gone.
            sent: bytes of the body that were handed to the connection.
            seconds: from the request's head to the answer's end.
        """
        if self._as_json and _is_plain(request):
            if self._logs_successes and self._is_drawn():
                at = self._log.timestamp(request.wall + seconds)
                values = _plain_values(request, status, max(0, sent), seconds)
                further = self._header_fields.rendered(request)
                self._log.write_line(self._line % (at.encode(), *values, further))
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


def _plain_format() -> bytes:
    """Return the format of a plain delivery's fields, each with a comma before it."""
    return b"".join(
        b',"%b":%b' % (each.name.encode(), each.plain) for each in FIELDS if each.plain is not None
    )


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


def _plain_values(request: Request, status: int, sent: int, seconds: float) -> tuple[Any, ...]:
    """Return the values for the line of a plain delivery, in the order of `FIELDS`."""
    result = request.result
    fetch: Any = result.fetch  # is set, as the next: cast() would be one more call for each line
    fetched: Any = result.fetched
    attempts = b""
    for end, taken in fetched.attempts:
        attempt = _ATTEMPT % (end.encode(), taken * 1e3)
        attempts = b"%b,%b" % (attempts, attempt) if attempts else attempt
    method = request.method_label.encode()
    media_type = result.media_type.encode()
    document_id = fetch.document_id.encode()
    milliseconds = seconds * 1e3
    client = request.client
    if client is not request.peer and client != request.peer:
        client = _WITH_PEER % (client, request.peer)
    other_method = b"" if method == b"GET" else b" " + method
    return (
        status,
        other_method,
        document_id,
        media_type,
        len(fetched.attempts),
        milliseconds,
        request.request_id.encode(),
        method,
        result.route.encode(),
        status,
        sent,
        client.encode(),
        milliseconds,
        media_type,
        b"delivered",
        document_id,
        attempts,
        fetched.upstream_seconds * 1e3,
        fetched.verify_seconds * 1e3,
    )


class HeaderFields:
    """Picks the header fields to log, and caches their rendering.

    Args:
        names: lower-case names of the fields to log besides the user agent.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = (_AGENT, *(name.encode("ascii") for name in names))
        self._fields = (_USER_AGENT, *(f"http.request.header.{name}" for name in names))
        self._only_agent = not names
        self._limits = (MAX_USER_AGENT, *(MAX_HEADER for _ in names))
        self._known: dict[bytes | tuple[bytes | None, ...] | None, bytes] = {}

    def fields(self, request: Request) -> dict[str, str]:
        """Return those that the request has, by their name in the log."""
        values = map(request.headers.get, self._names)
        found = zip(self._fields, values, self._limits, strict=True)
        return {name: _text(value, limit) for name, value, limit in found if value is not None}

    def rendered(self, request: Request) -> bytes:
        """Return the same as the rest of a JSON object, each with a comma before it."""
        get = request.headers.get
        # Most gateways log no other: a tuple of one would cost half as much again.
        key = get(_AGENT) if self._only_agent else tuple(map(get, self._names))
        known = self._known.get(key)
        return self._render(key, self.fields(request)) if known is None else known

    def _render(self, key: bytes | tuple[bytes | None, ...] | None, found: dict[str, str]) -> bytes:
        rendered = b"," + orjson.dumps(found)[1:-1] if found else b""
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        values = key if isinstance(key, tuple) else (key,)
        if sum(len(value or b"") for value in values) <= _REMEMBERED_BYTES:
            self._known[key] = rendered
        return rendered


def _text(value: bytes, limit: int) -> str:
    text = value[:limit].decode("ascii", "backslashreplace")
    return text + CUT if len(value) > limit else text
