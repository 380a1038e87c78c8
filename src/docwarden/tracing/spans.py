"""The spans of a request: one for the request, one per attempt, one per verification.

    GET /{id}                     server: from the request's head to the end of its answer
    +- GET                        client: one attempt, verification included
    |  +- verify                  internal
    +- GET                        http.request.resend_count=1
       +- verify

Names and attributes follow OpenTelemetry's stable semantic conventions for HTTP; others begin with
`docwarden.` and are named as in the log. Attributes contain nothing from a client or the upstream
except document and request ids, which are validated, and the path of a page that exists.

Whether a request is recorded is decided once, for all its spans, when it begins. During the request
only ids and times are recorded; a span is built when it has ended. This takes about a third of the
time of the SDK's live spans, which support threads and later changes.
"""

from typing import Final

from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from docwarden.core.errors import Failure
from docwarden.core.request import Request
from docwarden.tracing.recorder import Recorder
from docwarden.tracing.request_attributes import Attributes, attributes_of

SAMPLED: Final = int(TraceFlags.SAMPLED)

_UNSET: Final = Status()
_ERROR: Final = Status(StatusCode.ERROR)


class Attempt:
    """The span of an attempt in progress; a `fetch.AttemptSpan`."""

    __slots__ = (
        "_context", "_count", "_document_id", "_trace", "failure", "header", "status",
    )  # fmt: skip

    def __init__(self, trace: "Trace", document_id: str, count: int) -> None:
        self._trace = trace
        self._document_id = document_id
        self._count = count
        self._context = context = trace.recorder.within(trace.context)
        self.status = 0
        self.failure: Failure | None = None
        self.header = b"traceparent: 00-%032x-%016x-%02x\r\n" % (
            context.trace_id, context.span_id, context.trace_flags,
        )  # fmt: skip

    def end(
        self, started: float, received: float, ended: float, *, recalled: bool | None, intact: bool
    ) -> None:
        """Record the attempt."""
        if not self._context.trace_flags & SAMPLED:
            return
        trace = self._trace
        status = _UNSET
        attributes: Attributes = dict(trace.recorder.upstream)
        attributes["url.full"] = trace.recorder.url.replace("{id}", self._document_id)
        if self.status:
            attributes["http.response.status_code"] = self.status
        if self._count:
            attributes["http.request.resend_count"] = self._count
        if self.failure is not None:
            status = self._fail(attributes, self.failure)
        elif not intact:
            # It was cancelled: its client left, or another attempt won.
            attributes["docwarden.cancelled"] = True
        if recalled is not None:
            self._record_verification(received, ended, recalled=recalled)
        trace.record("GET", SpanKind.CLIENT, self._context, trace.context,
                     (started, ended), attributes, status)  # fmt: skip

    def _record_verification(self, started: float, ended: float, *, recalled: bool) -> None:
        attributes: Attributes = {"docwarden.recalled": recalled}
        status = _UNSET if self.failure is None else self._fail(attributes, self.failure)
        context = self._trace.recorder.within(self._context)
        self._trace.record("verify", SpanKind.INTERNAL, context, self._context,
                           (started, ended), attributes, status)  # fmt: skip

    def _fail(self, attributes: Attributes, failure: Failure) -> Status:
        attributes["error.type"] = failure.cause.value
        attributes["docwarden.reason"] = failure.reason
        if failure.detail is not None:
            attributes["docwarden.detail"] = failure.detail.value
        if failure.media_type:
            attributes["docwarden.refused_media_type"] = failure.media_type
        return _ERROR


class Trace:
    """The part of a trace that is one request; a `request.RequestTrace`.

    Attributes:
        recorder: builds its spans.
        context: of the request's own span.
    """

    __slots__ = (
        "_attempts", "_moment", "_nanoseconds", "_parent", "context", "id", "recorder", "sampled",
        "span_id",
    )  # fmt: skip

    def __init__(
        self,
        recorder: Recorder,
        context: SpanContext,
        parent: SpanContext | None,
        request: Request,
    ) -> None:
        self.recorder = recorder
        self.context = context
        self.id = f"{context.trace_id:032x}"
        self.span_id = f"{context.span_id:016x}"
        self.sampled = bool(context.trace_flags & SAMPLED)
        self._parent = parent
        self._attempts = 0
        self._moment = request.started
        self._nanoseconds = int(request.wall * 1e9)

    def attempt(self, document_id: str) -> Attempt:
        """Begin an attempt."""
        count = self._attempts
        self._attempts += 1
        return Attempt(self, document_id, count)

    def end(self, request: Request, status: int, seconds: float) -> None:
        """Record the request."""
        if self.sampled:
            outcome = _ERROR if status >= 500 else _UNSET
            route = request.result.route
            method = request.method_label if request.method_label != "_OTHER" else "HTTP"
            self.record(
                method if route == "unmatched" else f"{method} {route}",
                SpanKind.SERVER, self.context, self._parent,
                (self._moment, self._moment + seconds), attributes_of(request, status), outcome,
            )  # fmt: skip

    def record(  # noqa: PLR0913, PLR0917 - the parts of a span
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        between: tuple[float, float],
        attributes: Attributes,
        status: Status,
    ) -> None:
        """Record a finished span; `between` is in monotonic seconds."""
        started, ended = between
        self.recorder.record(
            name, kind, context, parent,
            (
                self._nanoseconds + int((started - self._moment) * 1e9),
                self._nanoseconds + int((ended - self._moment) * 1e9),
            ),
            attributes, status,
        )  # fmt: skip
