"""Causes that become a ticket: they burn nothing yet, or only a little."""

from typing import Final

from docwarden_monitoring.attempts import (
    CORRUPTION_TICKET,
    DEEP_FAILURES,
    NORMAL_CORRUPTION,
    STALL_SECONDS,
)
from docwarden_monitoring.cause import PER_TARGET, Cause
from docwarden_monitoring.pages import corrupt_share, enough_answers
from docwarden_monitoring.selection import BY, JOB

_ALL_CLOSED: Final = f'docwarden_breaker_state{{{JOB},state="closed"}}'
_TRAFFIC: Final = f"sum {BY} (rate(docwarden_documents_total{{{JOB}}}[${{15m}}]"

TICKETS: Final = (
    Cause(
        alert="DocwardenCorruptionHigh",
        severity="warning",
        expr=f"{corrupt_share('30m')} > {CORRUPTION_TICKET} and {enough_answers('30m')}",
        wait="15m",
        summary="The upstream sends more corrupt documents than usual.",
        description=(
            "{{ $value | humanizePercentage }} of the documents received in the last 30 minutes"
            f" were refused as not intact; {NORMAL_CORRUPTION:.0%} is normal. Retries still hide"
            " most of it."
        ),
        panel="Corrupt share of the upstream's documents",
    ),
    Cause(
        alert="DocwardenBreakerOpen",
        severity="warning",
        expr=f"max {PER_TARGET} ({_ALL_CLOSED}) == 0",
        wait="5m",
        summary="A process's circuit breaker is open.",
        description=(
            "The circuit breaker of {{ $labels.instance }} has not been closed for 5 minutes. If"
            " those of others are closed, the fault lies between this process and the upstream."
        ),
        panel="Circuit breakers",
    ),
    Cause(
        alert="DocwardenTargetDown",
        severity="warning",
        expr=f"up{{{JOB}}} == 0",
        wait="5m",
        summary="A docwarden process cannot be scraped.",
        description="Prometheus has not been able to scrape {{ $labels.instance }} for 5 minutes.",
        panel="Targets",
    ),
    Cause(
        alert="DocwardenNoTraffic",
        severity="warning",
        expr=f"{_TRAFFIC})) == 0 and {_TRAFFIC} offset ${{1d}})) > 0",
        wait="15m",
        summary="docwarden receives no requests.",
        description=(
            "No document has been requested for half an hour, though some were at this time"
            " yesterday: routing or DNS in front of docwarden may be broken."
        ),
        panel="Documents by outcome",
    ),
    Cause(
        alert="DocwardenStoreUnreachable",
        severity="warning",
        # `busy` is of a crowd of clients, and says nothing against the server.
        expr=(
            f'sum {BY} (rate(docwarden_store_errors_total{{{JOB},operation!="busy"}}[${{5m}}])) > 0'
        ),
        wait="10m",
        summary="The store of last verified copies is failing.",
        description=(
            "Store operations have been failing for 10 minutes. Documents are still delivered,"
            " but there would be no stale copies if the upstream failed now."
        ),
        panel="Last verified copies",
    ),
    Cause(
        alert="DocwardenDeepCheckFailing",
        severity="warning",
        expr=(
            "sum by (namespace, job, kind)"
            f" (increase(docwarden_deep_check_failures_total{{{JOB}}}[${{15m}}]))"
            f" >= {DEEP_FAILURES}"
        ),
        wait="0s",
        summary="Deep checks of documents crash or exceed their limits.",
        description=(
            "{{ $value | humanize }} deep checks ended with {{ $labels.kind }} within 15 minutes."
            " Each counts as a corrupt document."
        ),
        panel="Deep checks",
    ),
    Cause(
        alert="DocwardenEventLoopStalled",
        severity="warning",
        expr=f"max {PER_TARGET} (docwarden_event_loop_stall_seconds{{{JOB}}}) > {STALL_SECONDS}",
        wait="5m",
        summary="The event loop of a docwarden process stalls repeatedly.",
        description=(
            "The event loop of {{ $labels.instance }} was blocked for"
            " {{ $value | humanizeDuration }}, and was blocked in each of the last 5 minutes."
            " Every request of that process waited that long."
        ),
        panel="Event loop stalls",
    ),
    Cause(
        alert="DocwardenBuildDrift",
        severity="warning",
        expr=(
            f"count {BY} (count by (namespace, job, version, revision)"
            f" (docwarden_build_info{{{JOB}}})) > 1"
        ),
        wait="1h",
        summary="More than one build of docwarden is running.",
        description=(
            "{{ $value | humanize }} builds have been running side by side for an hour: a rollout"
            " is stuck."
        ),
        panel="Builds",
    ),
)
