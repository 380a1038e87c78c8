"""Every metric, declared in one place: its name, help and bounded labels.

Nothing sent by a client or the upstream becomes a label.
"""

from dataclasses import dataclass
from typing import Final

from docwarden.core.errors import Cause

# The buckets that OpenTelemetry recommends for http.server.request.duration, in seconds.
BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)

INTACT: Final = "intact"
ATTEMPT_RESULTS: Final = (
    INTACT,
    *(
        cause.value
        for cause in (
            Cause.NOT_FOUND,
            Cause.CORRUPT,
            Cause.UNSUPPORTED,
            Cause.TOO_LARGE,
            Cause.STATUS,
            Cause.STATUS_FINAL,
            Cause.CONNECT,
            Cause.RESET,
            Cause.PROTOCOL,
            Cause.ATTEMPT_TIMEOUT,
            Cause.STALLED,
            Cause.DEADLINE,
            Cause.MEMORY,
            Cause.OVERLOADED,
            Cause.CLIENT_CLOSED,
        )
    ),
)
"""How an attempt can end; exposed from zero on, as a rate misses the start of a new series."""
TIMED_RESULTS: Final = (
    INTACT,
    Cause.CORRUPT.value,
    Cause.UNSUPPORTED.value,
    Cause.ATTEMPT_TIMEOUT.value,
)
"""Those whose duration shows how slow the upstream is; their histograms begin at zero too. When all
attempts hang, five of them open the circuit breaker, and no more follow for half a minute."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A metric as the reference page shows it."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


DECLARED: Final[tuple[Declared, ...]] = (
    Declared(
        "http_server_request_duration_seconds",
        "histogram",
        ("http_route", "http_request_method", "http_response_status_code"),
        "Time from a request's last header to the end of its response.",
    ),
    Declared(
        "docwarden_documents",
        "counter",
        ("outcome",),
        "Requests for a document, by how they ended.",
    ),
    Declared(
        "docwarden_integrity_failures",
        "counter",
        ("media_type", "reason", "tier"),
        "Upstream responses that were refused, by finding.",
    ),
    Declared(
        "docwarden_integrity_observations",
        "counter",
        ("media_type", "reason", "tier"),
        "Findings of checks in observe mode: the document was delivered.",
    ),
    Declared(
        "docwarden_upstream_attempts",
        "counter",
        ("result",),
        "Attempts to fetch a document from the upstream, by result.",
    ),
    Declared(
        "docwarden_upstream_attempt_duration_seconds",
        "histogram",
        ("result",),
        "Duration of one attempt, including verification.",
    ),
    Declared(
        "docwarden_upstream_stale_connections",
        "counter",
        (),
        "Keep-alive connections that the upstream had closed, replaced at once.",
    ),
    Declared("docwarden_upstream_connections", "gauge", ("state",), "Connections to the upstream."),
    Declared(
        "docwarden_requests_in_flight",
        "gauge",
        (),
        "Requests that hold a slot of the concurrency limit.",
    ),
    Declared("docwarden_requests_waiting", "gauge", (), "Requests that wait for a slot."),
    Declared("docwarden_concurrency_limit", "gauge", (), "Requests that may be in flight now."),
    Declared("docwarden_retry_budget_remaining", "gauge", (), "Retries that may start now."),
    Declared(
        "docwarden_breaker_state", "gauge", ("state",), "1 for the circuit breaker's current state."
    ),
    Declared("docwarden_breaker_openings", "counter", (), "Times the circuit breaker opened."),
    Declared("docwarden_buffered_bytes", "gauge", (), "Memory held by documents in progress."),
    Declared("docwarden_client_connections", "gauge", (), "Open client connections."),
    Declared(
        "docwarden_client_connections_shed",
        "counter",
        ("listener", "reason"),
        "Client connections closed to make room: `idle` and `refused` at the limit on connections,"
        " `slow` when it read too slowly while others waited for memory.",
    ),
    Declared(
        "docwarden_hedges",
        "counter",
        ("result",),
        "Hedged attempts: started, and won.",
    ),
    Declared(
        "docwarden_single_flight_shared", "counter", (), "Requests that shared another's fetch."
    ),
    Declared("docwarden_store_errors", "counter", ("operation",), "Failed store operations."),
    Declared("docwarden_store_lookups", "counter", ("result",), "Lookups of last verified copies."),
    Declared(
        "docwarden_deep_check_failures",
        "counter",
        ("kind",),
        "Deep checks that crashed, timed out or ran out of memory.",
    ),
    Declared("docwarden_deep_check_restarts", "counter", (), "Restarts of deep-check processes."),
    Declared("docwarden_deep_checks_waiting", "gauge", (), "Documents that wait for a deep check."),
    Declared(
        "docwarden_deep_checks_refused",
        "counter",
        (),
        "Documents refused because their deep check would have come too late.",
    ),
    Declared("docwarden_verdicts_recalled", "counter", (), "Documents whose verdict was cached."),
    Declared(
        "docwarden_event_loop_stall_seconds",
        "gauge",
        (),
        "Longest stall in the last one to two minutes.",
    ),
    Declared("docwarden_event_loop_tasks", "gauge", (), "Tasks in the event loop."),
    Declared(
        "docwarden_log_lines_dropped",
        "counter",
        (),
        "Log lines dropped because the queue was full.",
    ),
    Declared(
        "docwarden_trace_export_failures",
        "counter",
        (),
        "Batches of spans that the trace collector did not accept.",
    ),
    Declared(
        "docwarden_trace_spans_lost",
        "counter",
        (),
        "Spans lost in such batches, or dropped because the queue was full.",
    ),
    Declared("docwarden_workers", "gauge", (), "Processes that are serving."),
    Declared("docwarden_worker_restarts", "counter", (), "Workers that died and were replaced."),
    Declared("docwarden_draining", "gauge", (), "1 while the process is shutting down."),
    Declared(
        "docwarden_build_info",
        "gauge",
        ("version", "revision", "python"),
        "The build that is running.",
    ),
)
