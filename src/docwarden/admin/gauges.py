"""Metrics that each scrape reads from the parts that have them."""

import asyncio
import time

from docwarden.composition import Parts
from docwarden.fetching.resilience.breaker import State


def read_all(parts: Parts) -> None:
    """Connect every metric that `Metrics` does not count itself to its part."""
    _read_resilience(parts)
    _read_integrity(parts)
    metrics, pool, health, log = parts.metrics, parts.pool, parts.health, parts.log
    metrics.read(
        "docwarden_upstream_connections",
        lambda: [(("idle",), pool.idle), (("busy",), pool.open - pool.idle)],
    )
    metrics.gauge("docwarden_upstream_stale_connections", lambda: pool.stale)
    metrics.gauge("docwarden_buffered_bytes", lambda: parts.memory.held)
    metrics.gauge("docwarden_event_loop_stall_seconds", lambda: parts.watch.worst_stall)
    metrics.gauge("docwarden_workers", lambda: 1)
    metrics.gauge("docwarden_worker_restarts", lambda: 0)
    metrics.gauge("docwarden_event_loop_tasks", lambda: len(asyncio.all_tasks()))
    metrics.gauge("docwarden_log_lines_dropped", lambda: log.dropped)
    metrics.gauge("docwarden_draining", lambda: int(health.draining))
    export = parts.tracing.export if parts.tracing is not None else None
    metrics.gauge("docwarden_trace_export_failures", lambda: export.failures if export else 0)
    metrics.gauge("docwarden_trace_spans_lost", lambda: export.lost if export else 0)


def _read_resilience(parts: Parts) -> None:
    metrics, limiter, breaker = parts.metrics, parts.limiter, parts.breaker
    clock = time.monotonic
    metrics.gauge("docwarden_requests_in_flight", lambda: limiter.in_flight)
    metrics.gauge("docwarden_requests_waiting", lambda: limiter.waiting)
    metrics.gauge("docwarden_concurrency_limit", lambda: limiter.limit)
    metrics.gauge("docwarden_retry_budget_remaining", lambda: parts.transport_budget.remaining)
    metrics.gauge("docwarden_breaker_openings", lambda: breaker.openings)
    metrics.read(
        "docwarden_breaker_state",
        lambda: [((state.name.lower(),), int(breaker.state(clock()) is state)) for state in State],
    )
    flight = parts.single_flight
    metrics.gauge("docwarden_single_flight_shared", lambda: flight.shared if flight else 0)
    store = parts.store
    metrics.read(
        "docwarden_store_errors",
        lambda: [
            ((operation,), store.errors.get(operation, 0) if store else 0)
            for operation in ("get", "put", "decode", "busy")
        ],
    )


def _read_integrity(parts: Parts) -> None:
    deep = parts.deep
    if deep is None:
        return
    parts.metrics.read(
        "docwarden_deep_check_failures",
        lambda: [
            (("crash",), deep.crashes),
            (("timeout",), deep.timeouts),
            (("memory",), deep.memory_failures),
        ],
    )
    parts.metrics.gauge("docwarden_deep_check_restarts", lambda: deep.restarts)
    parts.metrics.gauge("docwarden_deep_checks_waiting", lambda: deep.waiting)
    parts.metrics.gauge("docwarden_deep_checks_refused", lambda: deep.refused)
