"""The spans of a request: one for the request, one an attempt, one for each verification.

    GET /{id}                     server: from the request's head to the end of its answer
    +- GET                        client: one attempt, verification included
    |  +- verify                  internal
    +- GET                        http.request.resend_count=1
       +- verify

Names and attributes follow OpenTelemetry's stable semantic conventions for HTTP; what they have no
word for begins with `docwarden.` and has the name that the log has for it. Attributes hold nothing
that a client or the upstream wrote, but for document and request ids, which are checked, and the
path of a page that exists.

Whether a request is recorded is decided once, for all its spans, when it begins. While it lasts,
only ids and times are noted; spans are put together when they have ended. This takes about a
third of what the SDK's live spans take, which are made for any number of threads and changes.
"""

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from docwarden import __version__
from docwarden.errors import Failure
from docwarden.tracing.request_attributes import Attributes, attributes_of

if TYPE_CHECKING:
    from docwarden.request import Request
    from docwarden.tracing.tracer import Tracing

SAMPLED: Final = int(TraceFlags.SAMPLED)

_SCOPE: Final = InstrumentationScope("docwarden", __version__)
_UNSET: Final = Status()
_ERROR: Final = Status(StatusCode.ERROR)


class Attempt:
    """One attempt under way.

    Attributes:
        header: the line that makes the upstream's spans this attempt's children.
        status: of the upstream's answer, 0 while there is none.
        failure: why the attempt failed, if it did.
    """

    __slots__ = (
        "_context", "_count", "_document_id", "_trace", "failure", "header", "status",
    )  # fmt: skip

    def __init__(self, trace: "Trace", document_id: str, count: int) -> None:
        self._trace = trace
        self._document_id = document_id
        self._count = count
        self._context = context = trace.new_context()
        self.status = 0
        self.failure: Failure | None = None
        self.header = b"traceparent: 00-%032x-%016x-%02x\r\n" % (
            context.trace_id, context.span_id, context.trace_flags,
        )  # fmt: skip

    def end(
        self, started: float, received: float, ended: float, *, recalled: bool | None, intact: bool
    ) -> None:
        """Record the attempt.

        Args:
            started: monotonic second.
            received: when the answer was there and verification began.
            ended: when it had ended, whichever way.
            recalled: whether the verdict was remembered; None when there was no verification.
            intact: whether it brought an intact document.
        """
        if not self._context.trace_flags & SAMPLED:
            return
        trace = self._trace
        status = _UNSET
        attributes: Attributes = dict(trace.tracing.upstream)
        attributes["url.full"] = trace.tracing.url.replace("{id}", self._document_id)
        if self.status:
            attributes["http.response.status_code"] = self.status
        if self._count:
            attributes["http.request.resend_count"] = self._count
        if self.failure is not None:
            status = self._fail(attributes, self.failure)
        elif not intact:
            # Nobody waited for it any more: its client left, or another attempt was faster.
            attributes["docwarden.cancelled"] = True
        if recalled is not None:
            self._record_verification(received, ended, recalled=recalled)
        trace.record("GET", SpanKind.CLIENT, self._context, trace.context,
                     (started, ended), attributes, status)  # fmt: skip

    def _record_verification(self, started: float, ended: float, *, recalled: bool) -> None:
        attributes: Attributes = {"docwarden.recalled": recalled}
        status = _UNSET if self.failure is None else self._fail(attributes, self.failure)
        self._trace.record("verify", SpanKind.INTERNAL, self._trace.new_context(), self._context,
                           (started, ended), attributes, status)  # fmt: skip

    def _fail(self, attributes: Attributes, failure: Failure) -> Status:
        attributes["error.type"] = failure.cause.value
        attributes["docwarden.reason"] = failure.reason
        if failure.media_type:
            attributes["docwarden.refused_media_type"] = failure.media_type
        return _ERROR


class Trace:
    """The part of a trace that is one request.

    Attributes:
        tracing: what it was begun by.
        context: of the request's own span.
        id: of the trace, 32 hexadecimal digits.
        span_id: of the request's own span, 16 hexadecimal digits.
        sampled: whether its spans are recorded.
    """

    __slots__ = (
        "_attempts", "_moment", "_nanoseconds", "_parent", "context", "id", "sampled", "span_id",
        "tracing",
    )  # fmt: skip

    def __init__(
        self,
        tracing: "Tracing",
        context: SpanContext,
        parent: SpanContext | None,
        request: "Request",
    ) -> None:
        self.tracing = tracing
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

    def new_context(self) -> SpanContext:
        """Return a context for another span of this trace."""
        own = self.context
        return SpanContext(
            own.trace_id, self.tracing.new_span_id(), is_remote=False,
            trace_flags=own.trace_flags, trace_state=own.trace_state,
        )  # fmt: skip

    def end(self, request: "Request", status: int, seconds: float) -> None:
        """Record the request, answered with `status` (0: it was not) within `seconds`."""
        if self.sampled:
            outcome = _ERROR if status >= 500 else _UNSET
            method = request.method_label if request.method_label != "_OTHER" else "HTTP"
            self.record(
                method if request.route == "unmatched" else f"{method} {request.route}",
                SpanKind.SERVER, self.context, self._parent,
                (self._moment, self._moment + seconds), attributes_of(request, status), outcome,
            )  # fmt: skip

    def record(  # noqa: PLR0913, PLR0917 - what makes a span
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        between: tuple[float, float],
        attributes: Attributes,
        status: Status,
    ) -> None:
        """Hand a finished span to the export, if it has room; `between` is in monotonic seconds."""
        export = self.tracing.export
        if export.has_room():
            started, ended = between
            export.take(
                ReadableSpan(
                    name, context, parent, export.resource, attributes,
                    kind=kind, status=status, instrumentation_scope=_SCOPE,
                    start_time=self._nanoseconds + int((started - self._moment) * 1e9),
                    end_time=self._nanoseconds + int((ended - self._moment) * 1e9),
                )
            )  # fmt: skip
