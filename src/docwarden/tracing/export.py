"""Exports spans in batches, from a thread of OpenTelemetry's SDK.

A collector that is slow or down affects only the export thread. Spans wait in a bounded queue;
those that find it full are lost and counted, as are those that the collector did not accept. What
OpenTelemetry's libraries log does not reach standard error: it becomes one event a minute at most.
"""

import asyncio
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import Sampler

from docwarden import __version__
from docwarden.telemetry.logs import Log
from docwarden.tracing.environment import TracingError
from docwarden.tracing.library_log import REASON_LENGTH, LibraryLog

CLOSE_SECONDS: Final = 2.0
"""Seconds that the end of the process waits for a collector at most."""

# OpenTelemetry's default of OTEL_BSP_MAX_QUEUE_SIZE.
_QUEUE_SPANS: Final = 2048
# How long the export thread may keep the interpreter while the event loop waits for it. At Python's
# 5 ms, 800 requests a second have a 99th percentile of 11 to 29 ms, at 1 ms one of 7 to 17 ms.
_SWITCH_SECONDS: Final = 0.001
_EVENT_SECONDS: Final = 60.0


class CountedExporter(SpanExporter):
    """Passes batches to the real exporter, and counts what it could not deliver.

    Attributes:
        handed: spans in all batches so far.
        failures: batches that the collector did not accept.
        lost: spans in them.
    """

    def __init__(
        self, inner: SpanExporter, library: LibraryLog, log: Log, clock: Callable[[], float]
    ) -> None:
        self._inner = inner
        self._library = library
        self._log = log
        self._clock = clock
        self._last_event = float("-inf")
        self.handed = 0
        self.failures = 0
        self.lost = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send a batch; runs in the export thread, for up to OTEL_EXPORTER_OTLP_TIMEOUT."""
        self.handed += len(spans)
        self._library.messages.clear()
        try:
            result = self._inner.export(spans)
        except Exception as error:  # noqa: BLE001 - whatever it is, the service goes on without
            self._library.messages.append(f"{type(error).__name__}: {error}"[:REASON_LENGTH])
            result = SpanExportResult.FAILURE
        if result is not SpanExportResult.SUCCESS:
            self._failed(len(spans))
        return result

    def shutdown(self) -> None:
        """Cancel a batch that is being sent."""
        self._inner.shutdown()

    def _failed(self, spans: int) -> None:
        self.failures += 1
        self.lost += spans
        now = self._clock()
        if now - self._last_event < _EVENT_SECONDS:
            return
        self._last_event = now
        messages = self._library.messages
        # The first message has the reason of the retries, the last one that of giving up.
        reason = " / ".join(dict.fromkeys((messages[0], messages[-1]))) if messages else "unknown"
        self._log.event(
            "warning",
            "tracing.export_failed",
            f"spans were not taken: {reason}",
            reason=reason,
            failures=self.failures,
            spans_lost=self.lost,
        )


class SpanExport:
    """Queues finished spans for export.

    Attributes:
        resource: identifies the process.
        dropped: spans that found the queue full.
    """

    def __init__(
        self,
        exporter: CountedExporter,
        processor: BatchSpanProcessor,
        library: LibraryLog,
        *,
        resource: Resource,
        queue: int,
    ) -> None:
        self._exporter = exporter
        self._processor = processor
        self._library = library
        self._queue = queue
        self._taken = 0
        self.resource = resource
        self.dropped = 0

    @property
    def failures(self) -> int:
        """Batches that the collector did not accept."""
        return self._exporter.failures

    @property
    def lost(self) -> int:
        """Spans that were dropped, or not accepted by the collector."""
        return self.dropped + self._exporter.lost

    def has_room(self) -> bool:
        """Whether the queue has room for a span; if not, it is counted as dropped."""
        if self._taken - self._exporter.handed < self._queue:
            return True
        self.dropped += 1
        return False

    def take(self, span: ReadableSpan) -> None:
        """Queue a finished span, after `has_room`."""
        self._taken += 1
        self._processor.on_end(span)

    async def close(self) -> None:
        """Flush the queue within `CLOSE_SECONDS`; the rest is lost."""
        # In a daemon thread that is not joined: the SDK's shutdown has no timeout, and a request
        # to a collector that hangs cannot be cancelled.
        sending = threading.Thread(target=self._processor.shutdown, name="span-flush", daemon=True)
        sending.start()
        end = time.monotonic() + CLOSE_SECONDS
        while sending.is_alive() and time.monotonic() < end:  # noqa: ASYNC110 - a thread's end
            await asyncio.sleep(0.01)
        # Not while the thread still tries: its errors must not reach standard error.
        if not sending.is_alive():
            self._library.close()


def open_export(environ: Mapping[str, str], log: Log) -> tuple[Sampler, SpanExport]:
    """Return the sampler and the export that the `OTEL_*` variables describe.

    Raises:
        TracingError: OpenTelemetry does not accept them.
    """
    library = LibraryLog()
    queue = environ.get("OTEL_BSP_MAX_QUEUE_SIZE", "")
    size = int(queue) if queue.isdecimal() else _QUEUE_SPANS
    try:
        provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        exporter = CountedExporter(OTLPSpanExporter(), library, log, time.monotonic)
        processor = BatchSpanProcessor(exporter, max_queue_size=size)
    except ValueError as error:
        library.close()
        raise TracingError(f"OTEL_ variables are invalid: {error}") from error
    for message in library.messages:
        log.event("warning", "tracing.setting_ignored", f"ignored: {message}", reason=message)
    library.only_exporters()
    sys.setswitchinterval(_SWITCH_SECONDS)
    export = SpanExport(exporter, processor, library, resource=provider.resource, queue=size)
    return provider.sampler, export


def _resource() -> Resource:
    """Return the service's name and version; OTEL_RESOURCE_ATTRIBUTES and others override them."""
    found = Resource.create()
    name = str(found.attributes.get(SERVICE_NAME, ""))
    own = {SERVICE_VERSION: __version__}
    merged = Resource(own).merge(found)
    if name.startswith("unknown_service"):
        merged = merged.merge(Resource({SERVICE_NAME: "docwarden"}))
    return merged
