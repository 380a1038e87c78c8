"""The beginning of a trace: whose child a request is, and whether it is recorded."""

from random import Random
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from docwarden.tracing.export import SpanExport
from docwarden.tracing.request_attributes import Attributes
from docwarden.tracing.spans import SAMPLED, Trace

if TYPE_CHECKING:
    from docwarden.request import Request

_PORTS: Final = {"http": 80, "https": 443}


class Tracing:
    """Begins the traces of requests.

    Attributes:
        export: where spans go.
        upstream: what every attempt's span says of the upstream.
        url: what attempts ask, `{id}` in it once or not at all, without query and credentials.
    """

    def __init__(
        self, *, sampler: Sampler, export: SpanExport, upstream_url: str, random: Random
    ) -> None:
        self._sampler = sampler
        self._random = random
        self.export = export
        parts = urlsplit(upstream_url)
        host = parts.hostname or ""
        port = parts.port or _PORTS[parts.scheme]
        shown = f"[{host}]" if ":" in host else host
        self.url = (
            f"{parts.scheme}://{shown}{f':{parts.port}' if parts.port else ''}{parts.path or '/'}"
        )
        self.upstream: Attributes = {
            "http.request.method": "GET",
            "network.protocol.version": "1.1",
            "server.address": host,
            "server.port": port,
        }

    def begin(self, request: "Request") -> None:
        """Begin the part of a trace that `request` is, and let the request carry it."""
        parent = _parent_of(request)
        trace_id = parent.trace_id if parent is not None else self._random.getrandbits(128) or 1
        sampling = self._sampler.should_sample(
            None if parent is None else set_span_in_context(NonRecordingSpan(parent)),
            trace_id,
            request.method_label,
            SpanKind.SERVER,
        )
        sampled = sampling.decision is Decision.RECORD_AND_SAMPLE
        # W3C Trace Context level 2, section 3.2.2.5.2: who joins a trace keeps its random flag.
        kept = 0 if parent is None else parent.trace_flags & TraceFlags.RANDOM_TRACE_ID
        flags = TraceFlags(kept | (SAMPLED if sampled else 0))
        state = sampling.trace_state
        context = SpanContext(
            trace_id, self.new_span_id(), is_remote=False, trace_flags=flags, trace_state=state
        )
        request.carry(Trace(self, context, parent, request), state.to_header() if state else "")

    def new_span_id(self) -> int:
        """Return 64 random bits that are not all zero."""
        return self._random.getrandbits(64) or 1


def _parent_of(request: "Request") -> SpanContext | None:
    """Return the client's span, if the request names one."""
    found = request.parent
    if found is None:
        return None
    trace_id, span_id, flags, state = found
    return SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)),
        trace_state=TraceState.from_header([state.decode("ascii")]) if state else None,
    )  # fmt: skip
