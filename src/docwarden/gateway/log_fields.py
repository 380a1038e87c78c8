"""The fields of a request's log event, and their format in the line of a plain delivery."""

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from docwarden.core.errors import Failure, Outcome
from docwarden.core.fetch import FetchResult
from docwarden.core.request import Request

_UNREAD: Final = "*"


MAX_PATH: Final = 128
"""Bytes of a path that are logged; three dots replace the rest."""
CUT: Final = "..."
# All but what a URL has unescaped (RFC 3986 section 2), and %, which is an escape already.
_NOT_OF_URL: Final = re.compile(r"[^!#-;=?-\[\]_a-z~]")


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
        name: its name; OpenTelemetry's, where there is one.
        value: returns its value, or None to leave it out.
        plain: its format in the line of a plain delivery; None if such a line does not have it.
            A single % stands for a value that recurs, and is filled in once for all lines that
            share it; a double one for a value that each line fills in.
    """

    name: str
    value: Callable[[Ended], Any]
    plain: bytes | None = None


def _of_fetch(value: Callable[[FetchResult], Any]) -> Callable[[Ended], Any]:
    return lambda ended: value(ended.fetched) if ended.fetched is not None else None


def _of_failure(value: Callable[[Failure], Any]) -> Callable[[Ended], Any]:
    return lambda ended: value(ended.failure) if ended.failure is not None else None


def shown_path(path: str) -> str:
    """Return the path of a request as in a URL, with invalid characters escaped."""
    escaped = _NOT_OF_URL.sub(lambda match: f"%{ord(match[0]):02X}", path[:MAX_PATH])
    return escaped + CUT if len(path) > MAX_PATH else escaped


def _path(ended: Ended) -> str | None:
    """Return the path of a request, unless its document id or its route implies it."""
    request = ended.request
    if ended.fetch is not None or request.path in (ended.result.route, _UNREAD):
        return None
    return shown_path(request.path)


def _peer(ended: Ended) -> str | None:
    request = ended.request
    return request.peer if request.peer != request.client else None


def _ms(seconds: float) -> float:
    """Return milliseconds to the microsecond."""
    return round(seconds * 1e3, 3)


def summary(ended: Ended) -> str:
    """Return the event in one line: status, path, result and duration."""
    request, result, failure = ended.request, ended.result, ended.failure
    words = [str(ended.status)]
    if request.method_label != "GET":
        words.append(request.method_label)
    words.append(f"/{ended.fetch.document_id}" if ended.fetch else shown_path(request.path))
    if failure is None and result.outcome is not Outcome.DELIVERED:
        words += filter(None, (result.outcome, result.media_type))
    elif failure is None:
        words.append(result.media_type)
    else:
        delivered = failure.rule.outcome in (None, Outcome.DELIVERED)
        words += (failure.rule.slug if delivered else failure.rule.outcome or "", failure.reason)
        words += (failure.detail,) if failure.detail is not None else ()
    fetched = ended.fetched
    if fetched is not None and fetched.replaced is not None:
        words.append(fetched.replaced.reason)
    if fetched is not None and fetched.attempts:
        words.append(f"{len(fetched.attempts)}x")
    return f"{' '.join(dict.fromkeys(words))} {ended.seconds * 1e3:.0f} ms"


# No value of a plain line needs JSON's escapes: each is a number, ours, or checked when it came.
_RECURS: Final = b'"%b"'
_TEXT: Final = b'"%%b"'
_MS: Final = b"%%.3f"
FIELDS: Final = (
    Field("message", summary, b'"%d%b /%%b %b %dx %%.0f ms"'),
    Field("request_id", lambda e: e.request.request_id, _TEXT),
    Field("http.request.method", lambda e: e.request.method_label, _RECURS),
    Field("http.route", lambda e: e.result.route, _RECURS),
    Field("url.path", _path),
    Field("http.response.status_code", lambda e: e.status, b"%d"),
    Field("http.response.body.size", lambda e: e.sent, b"%%d"),
    Field("client.address", lambda e: e.request.client, _TEXT),
    Field("network.peer.address", _peer),
    Field("total_ms", lambda e: _ms(e.seconds), _MS),
    Field("trace_id", lambda e: e.request.trace_id or None),
    Field("span_id", lambda e: e.request.trace.span_id if e.request.trace is not None else None),
    Field("media_type", lambda e: e.result.media_type or None, _RECURS),
    Field(
        "outcome",
        lambda e: e.result.outcome._value_ if e.result.outcome is not None else None,
        _RECURS,
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
