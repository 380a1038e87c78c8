"""Builds the spans of a process, and passes them to the export."""

from random import Random
from typing import Final
from urllib.parse import urlsplit

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status

from docwarden import __version__
from docwarden.tracing.export import SpanExport
from docwarden.tracing.request_attributes import Attributes

_PORTS: Final = {"http": 80, "https": 443}
_SCOPE: Final = InstrumentationScope("docwarden", __version__)


class Recorder:
    """Builds spans, and passes them on.

    Attributes:
        export: queues them.
        upstream: attributes of the upstream, for the span of every attempt.
        url: URL of the upstream, which may contain `{id}`, without query and credentials.
    """

    def __init__(self, *, export: SpanExport, upstream_url: str, random: Random) -> None:
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

    def new_trace_id(self) -> int:
        """Return 128 random bits that are not all zero."""
        return self._random.getrandbits(128) or 1

    def new_span_id(self) -> int:
        """Return 64 random bits that are not all zero."""
        return self._random.getrandbits(64) or 1

    def within(self, context: SpanContext) -> SpanContext:
        """Return the context of a new span in the trace of `context`."""
        return SpanContext(
            context.trace_id, self.new_span_id(), is_remote=False,
            trace_flags=context.trace_flags, trace_state=context.trace_state,
        )  # fmt: skip

    def record(  # noqa: PLR0913, PLR0917 - the parts of a span
        self,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        between: tuple[int, int],
        attributes: Attributes,
        status: Status,
    ) -> None:
        """Queue a finished span, if there is room; `between` is in epoch nanoseconds."""
        export = self.export
        if export.has_room():
            started, ended = between
            export.take(
                ReadableSpan(
                    name, context, parent, export.resource, attributes, kind=kind, status=status,
                    instrumentation_scope=_SCOPE, start_time=started, end_time=ended,
                )
            )  # fmt: skip
