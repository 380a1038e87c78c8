"""Begins traces: finds the parent of a request, and decides whether it is recorded."""

from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from docwarden.core.request import Request
from docwarden.tracing.export import SpanExport
from docwarden.tracing.recorder import Recorder
from docwarden.tracing.spans import SAMPLED, Trace


class Tracing:
    """Begins the traces of requests."""

    def __init__(self, *, sampler: Sampler, recorder: Recorder) -> None:
        self._sampler = sampler
        self._recorder = recorder

    @property
    def export(self) -> SpanExport:
        """The export that spans are queued in."""
        return self._recorder.export

    def begin(self, request: Request) -> None:
        """Begin the trace of `request`, or join that of its client, and attach it."""
        parent = _parent_of(request)
        recorder = self._recorder
        trace_id = recorder.new_trace_id() if parent is None else parent.trace_id
        sampling = self._sampler.should_sample(
            None if parent is None else set_span_in_context(NonRecordingSpan(parent)),
            trace_id,
            request.method_label,
            SpanKind.SERVER,
        )
        sampled = sampling.decision is Decision.RECORD_AND_SAMPLE
        # W3C Trace Context level 2, section 3.2.2.5.2: a participant keeps the random flag.
        kept = 0 if parent is None else parent.trace_flags & TraceFlags.RANDOM_TRACE_ID
        flags = TraceFlags(kept | (SAMPLED if sampled else 0))
        state = sampling.trace_state
        context = SpanContext(
            trace_id, recorder.new_span_id(), is_remote=False, trace_flags=flags, trace_state=state
        )
        request.carry(Trace(recorder, context, parent, request), state.to_header() if state else "")


def _parent_of(request: Request) -> SpanContext | None:
    """Return the context of the client's span, if the request has one."""
    found = request.parent
    if found is None:
        return None
    trace_id, span_id, flags, state = found
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([state.decode("ascii")]) if state else None,
    )  # fmt: skip
