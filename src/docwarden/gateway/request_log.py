"""One event per request, written when it has ended.

`FIELDS` lists what an event tells, and how the line of a plain delivery has it. Most lines are
such, and are put together as bytes in half of the time.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final, NamedTuple

from docwarden.core.errors import Failure, Outcome
from docwarden.core.fetch import FetchResult
from docwarden.core.request import Request
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.telemetry.logs import Log

EVENT: Final = "request.ended"
_NOTEWORTHY: Final = ("warning", "error")
_DELIVERED: Final = Outcome.DELIVERED
_STALE: Final = Outcome.DELIVERED_STALE
_ATTEMPT: Final = b'{"result":"%b","ms":%.3f}'


class Ended:
    """A request that has ended."""

    __slots__ = ("failure", "fetch", "fetched", "request", "result", "seconds", "sent", "status")

    def __init__(self, request: Request, status: int, sent: int, seconds: float) -> None:
        self.request = request
        self.result = result = request.result
        self.failure = result.failure
        self.fetch = result.fetch
        self.fetched = result.fetched
        self.status = status
        self.sent = max(sent, 0)
        self.seconds = seconds


class Field(NamedTuple):
    """One field of an event.

    Attributes:
        name: its name, where there is one OpenTelemetry's.
        value: what an event has for it; None where it is left out.
        plain: the format in which the line of a plain delivery has it, of what `_plain_values`
            returns in the same place; None where no such line has it.
    """

    name: str
    value: Callable[[Ended], Any]
    plain: bytes | None = None


def _of_fetch(value: Callable[[FetchResult], Any]) -> Callable[[Ended], Any]:
    return lambda ended: value(ended.fetched) if ended.fetched is not None else None


def _of_failure(value: Callable[[Failure], Any]) -> Callable[[Ended], Any]:
    return lambda ended: value(ended.failure) if ended.failure is not None else None


# No value of a plain line needs JSON's escapes: each is a number, ours, or checked when it came.
_TEXT: Final = b'"%b"'
_MS: Final = b"%.3f"
FIELDS: Final = (
    Field("request_id", lambda e: e.request.request_id, _TEXT),
    Field("http.request.method", lambda e: e.request.method_label, _TEXT),
    Field("http.route", lambda e: e.result.route, _TEXT),
    Field("http.response.status_code", lambda e: e.status, b"%d"),
    Field("http.response.body.size", lambda e: e.sent, b"%d"),
    Field("client.address", lambda e: e.request.client, _TEXT),
    Field("total_ms", lambda e: _ms(e.seconds), _MS),
    Field("trace_id", lambda e: e.request.trace_id or None),
    Field("span_id", lambda e: e.request.trace.span_id if e.request.trace is not None else None),
    Field("media_type", lambda e: e.result.media_type or None, _TEXT),
    Field(
        "outcome",
        lambda e: e.result.outcome._value_ if e.result.outcome is not None else None,
        _TEXT,
    ),
    Field(
        "document_id",
        lambda e: e.fetch.document_id if e.fetch is not None else None,
        _TEXT,
    ),
    Field(
        "attempts",
        _of_fetch(lambda made: [{"result": end, "ms": _ms(s)} for end, s in made.attempts]),
        b"[%b]",
    ),
    Field("upstream_ms", _of_fetch(lambda made: _ms(made.upstream_seconds)), _MS),
    Field("verify_ms", _of_fetch(lambda made: _ms(made.verify_seconds)), _MS),
    Field("queue_ms", _of_fetch(lambda made: _ms(made.queue_seconds) or None)),
    Field("shared", _of_fetch(lambda made: made.shared or None)),
    Field(
        "replaced_reason",
        _of_fetch(lambda made: made.replaced.reason if made.replaced is not None else None),
    ),
    Field("error.type", _of_failure(lambda failure: failure.rule.slug)),
    Field("reason", _of_failure(lambda failure: failure.reason)),
    Field(
        "detail",
        _of_failure(lambda failure: failure.detail._value_ if failure.detail is not None else None),
    ),
    Field("refused_media_type", _of_failure(lambda failure: failure.media_type or None)),
)
_LINE: Final = (
    b'{"timestamp":"%b","severity":"info","event.name":"'
    + EVENT.encode()
    + b'"'
    + b"".join(
        b',"%b":%b' % (each.name.encode(), each.plain) for each in FIELDS if each.plain is not None
    )
    + b"}\n"
)


class RequestLog:
    """Writes the event; successes by the share that is set, failures always.

    What is worth a warning or more is also remembered in `recent`, whatever the log's level.
    """

    def __init__(
        self, log: Log, *, success_share: float, recent: RecentFailures, random: Random
    ) -> None:
        self._log = log
        self._as_json = log.as_json
        self._tells_successes = log.wants("info")
        self._recent = recent
        self._share = success_share
        self._random = random

    def on_finished(self, request: Request, *, status: int, sent: int, seconds: float) -> None:
        """Write the event of one request.

        Args:
            request: the request.
            status: of the answer, 499 when the client had gone.
            sent: bytes of the body that were handed to the connection.
            seconds: from the request's head to the answer's end.
        """
        if self._as_json and _is_plain(request):
            if self._tells_successes and self._is_drawn():
                at = self._log.timestamp(request.wall + seconds)
                values = _plain_values(request, status, max(0, sent), seconds)
                self._log.write_line(_LINE % (at.encode(), *values))
            return
        failure = request.result.failure
        stale = request.result.outcome is _STALE
        level = "warning" if stale else "info" if failure is None else failure.rule.level
        if stale or failure is not None:
            self._remember(request, level, status, seconds)
        if not self._log.wants(level) or (failure is None and not self._is_drawn()):
            return
        ended = Ended(request, status, sent, seconds)
        told = ((each.name, each.value(ended)) for each in FIELDS)
        fields = {name: value for name, value in told if value is not None}
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
    """Tell whether a document was delivered, and no field has to be told that plain lines lack."""
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
    """Return what goes into the line of a plain delivery, in the order of `FIELDS`."""
    result = request.result
    fetch: Any = result.fetch  # is set, as the next: cast() would be one more call for each line
    fetched: Any = result.fetched
    attempts = b""
    for end, taken in fetched.attempts:
        attempt = _ATTEMPT % (end.encode(), taken * 1e3)
        attempts = b"%b,%b" % (attempts, attempt) if attempts else attempt
    return (
        request.request_id.encode(),
        request.method_label.encode(),
        result.route.encode(),
        status,
        sent,
        request.client.encode(),
        seconds * 1e3,
        result.media_type.encode(),
        b"delivered",
        fetch.document_id.encode(),
        attempts,
        fetched.upstream_seconds * 1e3,
        fetched.verify_seconds * 1e3,
    )


def _ms(seconds: float) -> float:
    """Return milliseconds to the microsecond."""
    return round(seconds * 1e3, 3)
