"""One event per request, written when it has ended."""

from random import Random
from typing import Any, Final

from docwarden.core.errors import Failure, Outcome
from docwarden.core.fetch import FetchResult
from docwarden.core.request import Request, RequestResult
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.telemetry.logs import Log

_NOTEWORTHY: Final = ("warning", "error")
_DELIVERED: Final = Outcome.DELIVERED
_STALE: Final = Outcome.DELIVERED_STALE
_LINE: Final = (
    b'{"timestamp":"%b","severity":"info","event.name":"request.ended","request_id":"%b",'
    b'"http.request.method":"%b","http.route":"%b","http.response.status_code":%d,'
    b'"http.response.body.size":%d,"client.address":"%b","total_ms":%.3f,"media_type":"%b",'
    b'"outcome":"delivered","document_id":"%b","attempts":[%b],"upstream_ms":%.3f,'
    b'"verify_ms":%.3f}\n'
)
_ATTEMPT: Final = b'{"result":"%b","ms":%.3f}'


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
        fetched = _plain(request) if self._as_json else None
        if fetched is not None:
            if self._tells_successes and self._is_drawn():
                when = self._log.timestamp(request.wall + seconds)
                self._log.write_line(
                    _plain_line(request, fetched, when, status=status, sent=sent, seconds=seconds)
                )
            return
        result = request.result
        failure = result.failure
        stale = result.outcome is _STALE
        level = "warning" if stale else "info" if failure is None else failure.rule.level
        if stale or failure is not None:
            self._remember(request, level, status, seconds)
        if not self._log.wants(level) or (failure is None and not self._is_drawn()):
            return
        fields: dict[str, Any] = {
            "request_id": request.request_id,
            "http.request.method": request.method_label,
            "http.route": result.route,
            "http.response.status_code": status,
            "http.response.body.size": max(sent, 0),
            "client.address": request.client,
            "total_ms": _ms(seconds),
        }
        if request.trace_id:
            fields["trace_id"] = request.trace_id
        if request.trace is not None:
            fields["span_id"] = request.trace.span_id
        if result.media_type:
            fields["media_type"] = result.media_type
        self._add_fetch(fields, result)
        if failure is not None:
            self._add_failure(fields, failure)
        self._log.write(level, "request.ended", request.wall + seconds, fields)

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

    def _add_fetch(self, fields: dict[str, Any], result: RequestResult) -> None:
        if result.outcome is not None:
            fields["outcome"] = result.outcome._value_
        fetch, fetched = result.fetch, result.fetched
        if fetch is None or fetched is None:
            return
        fields["document_id"] = fetch.document_id
        fields["attempts"] = [
            {"result": end, "ms": _ms(seconds)} for end, seconds in fetched.attempts
        ]
        fields["upstream_ms"] = _ms(fetched.upstream_seconds)
        fields["verify_ms"] = _ms(fetched.verify_seconds)
        if fetched.queue_seconds:
            fields["queue_ms"] = _ms(fetched.queue_seconds)
        if fetched.shared:
            fields["shared"] = True
        if fetched.replaced is not None:
            fields["replaced_reason"] = fetched.replaced.reason

    def _add_failure(self, fields: dict[str, Any], failure: Failure) -> None:
        fields["error.type"] = failure.rule.slug
        fields["reason"] = failure.reason
        if failure.detail is not None:
            fields["detail"] = failure.detail._value_
        if failure.media_type:
            fields["refused_media_type"] = failure.media_type


def _plain(request: Request) -> FetchResult | None:
    """Return the fetch that brought a document, if no more is to be told than its attempts."""
    result = request.result
    fetched = result.fetched
    if (
        fetched is None
        or result.outcome is not _DELIVERED
        or result.failure is not None
        or request.trace_id
        or fetched.shared
        or fetched.queue_seconds
    ):
        return None
    return fetched


def _plain_line(  # noqa: PLR0913 - what the line tells
    request: Request, fetched: FetchResult, at: str, *, status: int, sent: int, seconds: float
) -> bytes:
    """Return the line that `ended` would write for such a request, in half of the time.

    No value needs JSON's escapes: each is a number, one of ours or checked when it came.
    """
    result = request.result
    fetch: Any = result.fetch  # is set: cast() would be one more call for each line
    attempts = b""
    for end, taken in fetched.attempts:
        attempt = _ATTEMPT % (end.encode(), taken * 1e3)
        attempts = b"%b,%b" % (attempts, attempt) if attempts else attempt
    return _LINE % (
        at.encode(),
        request.request_id.encode(),
        request.method_label.encode(),
        result.route.encode(),
        status,
        max(0, sent),
        request.client.encode(),
        seconds * 1e3,
        result.media_type.encode(),
        fetch.document_id.encode(),
        attempts,
        fetched.upstream_seconds * 1e3,
        fetched.verify_seconds * 1e3,
    )


def _ms(seconds: float) -> float:
    """Return milliseconds to the microsecond."""
    return round(seconds * 1e3, 3)
