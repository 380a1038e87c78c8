"""Causes that are worth an alert of their own, and which of them explain which others.

A cause may page only where it alone would burn the budget at the fastest page's rate; it then
pages half a minute or more before the burn-rate alert, with the runbook that fits. It fires on for
a little longer than that alert's short window, since otherwise its end would let a burn-rate alert
through that is still looking at the fault that has just been mended.
"""

from dataclasses import dataclass
from typing import Final

from docwarden_monitoring.objectives import BY, FASTEST, JOB, NOT_COUNTED, OBJECTIVES

TRANSPORT: Final = (
    "connect-failed", "connection-lost", "protocol-violation", "attempt-timeout", "upstream-status",
)  # fmt: skip
"""Results of attempts that speak against the upstream's health (`trips` in errors.RULES)."""

ANSWERED: Final = ("intact", "corrupt", "unsupported-type")
"""Results of attempts in which a document came, whatever its state."""

REFUSED: Final = ("corrupt", "unsupported-type")
NORMAL_CORRUPTION: Final = 0.1
"""Share of its documents that the upstream is known to send corrupt."""

CORRUPTION_TICKET: Final = 2 * NORMAL_CORRUPTION
CORRUPTION_PAGE: Final = 0.35
"""Four attempts at this share fail 1.5 % of the requests: 0.35 ** 4, the fastest page's rate."""

LEAST_ANSWERS: Final = 50
"""Of 50 answers at 10 % corruption, 18 or more are corrupt once in 1.3 million windows."""

FAST_SHARE: Final = round(FASTEST.factor * OBJECTIVES[0].budget, 9)
STALL_SECONDS: Final = 0.5
DEEP_FAILURES: Final = 5

UNNAMED: Final = "DocwardenDown"
"""The alert that has no namespace to name where no target was known within the last hour."""

_OUTLAST: Final = "7m"
"""`FASTEST.short` and `FASTEST.outlast`, and a minute for evaluations and Alertmanager."""

_PER_TARGET: Final = "by (namespace, job, instance)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One alert on a cause; `${5m}` in `expr` is a span that scales.

    Attributes:
        alert: its name.
        severity: `critical` wakes somebody, `warning` is a ticket, `none` is machinery.
        expr: PromQL.
        wait: how long the condition has to hold.
        outlast: how long it goes on firing after the condition ended.
        summary: one line, what is wrong.
        description: what it means and does, with the measured value.
        explains: alerts that follow from this one and are silenced by it while it pages.
    """

    alert: str
    severity: str
    expr: str
    wait: str
    summary: str
    description: str
    outlast: str | None = None
    explains: tuple[str, ...] = ()


def _attempts(results: tuple[str, ...], window: str) -> str:
    selector = f'{{{JOB},result=~"{"|".join(results)}"}}'
    return f"sum {BY} (rate(docwarden_upstream_attempts_total{selector}[${{{window}}}]))"


def _corrupt_share(window: str) -> str:
    return f"{_attempts(REFUSED, window)} / {_attempts(ANSWERED, window)}"


def _enough_answers(window: str) -> str:
    answers = _attempts(ANSWERED, window).replace("rate(", "increase(")
    return f"{answers} >= {LEAST_ANSWERS}"


def _shed_share(window: str) -> str:
    counted = f'{{{JOB},outcome!="{NOT_COUNTED}"}}'
    return (
        f'sum {BY} (rate(docwarden_documents_total{{{JOB},outcome="overloaded"}}[${{{window}}}]))'
        f" / sum {BY} (rate(docwarden_documents_total{counted}[${{{window}}}]))"
    )


_BURN_ALERTS: Final = tuple(objective.alert for objective in OBJECTIVES)
_ALL_CLOSED: Final = f'docwarden_breaker_state{{{JOB},state="closed"}}'
_UP: Final = f"sum {BY} (up{{{JOB}}})"
_TRAFFIC: Final = f"sum {BY} (rate(docwarden_documents_total{{{JOB}}}[${{15m}}]"

CAUSES: Final = (
    Cause(
        alert="DocwardenDown",
        severity="critical",
        expr=(
            f"{_UP} == 0"
            # An installation is remembered for an hour, and so named when all its targets go.
            f" or (sum {BY} (max_over_time(up{{{JOB}}}[${{1h}}])) unless {_UP}) * 0"
            f" or absent_over_time(up{{{JOB}}}[${{1h}}])"
        ),
        wait="1m",
        outlast=_OUTLAST,
        summary="No docwarden process can be scraped.",
        description=(
            "Prometheus reaches no target of the installation, or knows of none any more: clients"
            " most likely get nothing."
        ),
        explains=(
            "DocwardenUpstreamDown",
            "DocwardenCorruptionHigh",
            "DocwardenShedding",
            *_BURN_ALERTS,
            "DocwardenTargetDown",
            "DocwardenBreakerOpen",
            "DocwardenNoTraffic",
        ),
    ),
    Cause(
        alert="DocwardenUpstreamDown",
        severity="critical",
        expr=f"max {BY} ({_ALL_CLOSED}) == 0",
        wait="1m",
        outlast=_OUTLAST,
        summary="The upstream is down.",
        description=(
            "No process's circuit breaker has been closed for a minute: the upstream cannot be"
            " reached, times out or answers errors, and documents are refused at once."
        ),
        explains=(
            "DocwardenCorruptionHigh",
            "DocwardenShedding",
            *_BURN_ALERTS,
            "DocwardenBreakerOpen",
        ),
    ),
    Cause(
        alert="DocwardenCorruptionHigh",
        severity="critical",
        expr=f"{_corrupt_share('5m')} > {CORRUPTION_PAGE} and {_enough_answers('5m')}",
        wait="30s",
        outlast=_OUTLAST,
        summary="The upstream sends so many corrupt documents that retries no longer hide it.",
        description=(
            "{{ $value | humanizePercentage }} of the documents that came in the last 5 minutes"
            f" were refused as not intact; {NORMAL_CORRUPTION:.0%} is normal."
        ),
        explains=("DocwardenShedding", *_BURN_ALERTS),
    ),
    Cause(
        alert="DocwardenCorruptionHigh",
        severity="warning",
        expr=f"{_corrupt_share('30m')} > {CORRUPTION_TICKET} and {_enough_answers('30m')}",
        wait="15m",
        summary="The upstream sends more corrupt documents than it used to.",
        description=(
            "{{ $value | humanizePercentage }} of the documents that came in the last 30 minutes"
            f" were refused as not intact; {NORMAL_CORRUPTION:.0%} is normal. Retries still hide"
            " most of it."
        ),
    ),
    Cause(
        alert="DocwardenShedding",
        severity="critical",
        expr=(f"{_shed_share('5m')} > {FAST_SHARE} and {_shed_share('1h')} > {FAST_SHARE}"),
        wait="1m",
        outlast=_OUTLAST,
        summary="docwarden refuses requests because it is overloaded.",
        description=(
            "{{ $value | humanizePercentage }} of the requests of the last 5 minutes were refused"
            " for want of a place or of memory."
        ),
        explains=_BURN_ALERTS,
    ),
    Cause(
        alert="DocwardenBreakerOpen",
        severity="warning",
        expr=f"max {_PER_TARGET} ({_ALL_CLOSED}) == 0",
        wait="5m",
        summary="A process holds the upstream for down.",
        description=(
            "The circuit breaker of {{ $labels.instance }} has not been closed for 5 minutes. If"
            " others are closed, the fault lies between this process and the upstream."
        ),
    ),
    Cause(
        alert="DocwardenTargetDown",
        severity="warning",
        expr=f"up{{{JOB}}} == 0",
        wait="5m",
        summary="A docwarden process cannot be scraped.",
        description="{{ $labels.instance }} has not answered Prometheus for 5 minutes.",
    ),
    Cause(
        alert="DocwardenNoTraffic",
        severity="warning",
        expr=f"{_TRAFFIC})) == 0 and {_TRAFFIC} offset ${{1d}})) > 0",
        wait="15m",
        summary="docwarden gets no requests.",
        description=(
            "No document has been asked for in half an hour, though some were at this time"
            " yesterday: routing or DNS in front of docwarden may be broken."
        ),
    ),
    Cause(
        alert="DocwardenStoreUnreachable",
        severity="warning",
        # `busy` is of a crowd of clients, and says nothing against the server.
        expr=(
            f'sum {BY} (rate(docwarden_store_errors_total{{{JOB},operation!="busy"}}[${{5m}}])) > 0'
        ),
        wait="10m",
        summary="The store of last verified copies fails.",
        description=(
            "Uses of the store have been failing for 10 minutes. Documents are still delivered,"
            " but nothing would stand in for the upstream if it failed now."
        ),
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
            "{{ $value | humanize }} deep checks ended in {{ $labels.kind }} within 15 minutes."
            " Each counts as a corrupt document."
        ),
    ),
    Cause(
        alert="DocwardenEventLoopStalled",
        severity="warning",
        expr=f"max {_PER_TARGET} (docwarden_event_loop_stall_seconds{{{JOB}}}) > {STALL_SECONDS}",
        wait="5m",
        summary="A docwarden process stands still again and again.",
        description=(
            "The event loop of {{ $labels.instance }} stood still for"
            " {{ $value | humanizeDuration }}, and has done so in each of the last 5 minutes."
            " Every request on it waited as long."
        ),
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
            " has stopped half-way."
        ),
    ),
    Cause(
        alert="DocwardenDeadMansSwitch",
        severity="none",
        expr="vector(1)",
        wait="0s",
        summary="Alerting works.",
        description="Always fires. Whoever receives it raises the alarm when it stops coming.",
    ),
)
