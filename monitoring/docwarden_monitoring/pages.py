"""Causes that wake somebody.

A cause may page only where it alone would burn the budget at the fastest page's rate; it then pages
half a minute or more before the burn-rate alert, with the runbook that fits. Windows of two minutes
end each page soon after its fault. Burn-rate alerts look back longer, so `RECENT` goes on holding
them back for a while after the page has resolved.
"""

from typing import Final

from docwarden_monitoring.attempts import (
    ANSWERED,
    CORRUPTION_PAGE,
    LEAST_ANSWERS,
    MOSTLY,
    NORMAL_CORRUPTION,
    REFUSED,
    TOO_LATE,
    TRANSPORT,
)
from docwarden_monitoring.cause import Cause
from docwarden_monitoring.objectives import FASTEST, LATENCY_BOUND, NOT_COUNTED, OBJECTIVES
from docwarden_monitoring.selection import BY, JOB
from docwarden_monitoring.wording import dominant, measured

FAST_SHARE: Final = round(FASTEST.factor * OBJECTIVES[0].budget, 9)

_BURN_ALERTS: Final = tuple(objective.alert for objective in OBJECTIVES)
_ATTEMPTS: Final = "docwarden_upstream_attempts_total"
_SECONDS: Final = "docwarden_upstream_attempt_duration_seconds"
_SAME: Final = "on (namespace, job)"
_FLAPPING: Final = "30s"


def any_of(results: tuple[str, ...]) -> str:
    """Return the matcher of results."""
    return f'result=~"{"|".join(results)}"'


def attempts(results: tuple[str, ...], window: str, function: str = "rate") -> str:
    """Return the rate of attempts with these results, by installation."""
    return f"sum {BY} ({function}({_ATTEMPTS}{{{JOB},{any_of(results)}}}[${{{window}}}]))"


def corrupt_share(window: str) -> str:
    """Return the share of refused documents among those that came."""
    return f"{attempts(REFUSED, window)} / {attempts(ANSWERED, window)}"


def enough_answers(window: str) -> str:
    """Return the condition that the share rests on enough documents."""
    return f"{attempts(ANSWERED, window, 'increase')} >= {LEAST_ANSWERS}"


def _shed_share(window: str) -> str:
    counted = f'{{{JOB},outcome!="{NOT_COUNTED}"}}'
    return (
        f'sum {BY} (rate(docwarden_documents_total{{{JOB},outcome="overloaded"}}[${{{window}}}]))'
        f" / sum {BY} (rate(docwarden_documents_total{counted}[${{{window}}}]))"
    )


def _late_share(window: str) -> str:
    """Share of attempts over the objective's threshold among those whose answer began or could."""
    selector = f"{JOB},{any_of((*ANSWERED, TOO_LATE))}"
    within = f'{_SECONDS}_bucket{{{selector},le="{LATENCY_BOUND}"}}'
    return (
        f"1 - sum {BY} (rate({within}[${{{window}}}]))"
        f" / sum {BY} (rate({_SECONDS}_count{{{selector}}}[${{{window}}}]))"
    )


_UP: Final = f"sum {BY} (up{{{JOB}}})"
_NONE_CLOSED: Final = f'max {BY} (docwarden_breaker_state{{{JOB},state="closed"}}) == 0'
_TIMED_OUT: Final = f"{attempts((TOO_LATE,), '5m')} / {attempts(TRANSPORT, '5m')}"
_FAILURES: Final = (
    "Of the attempts that failed in the last 5 minutes: "
    + dominant(_ATTEMPTS, "result", any_of(TRANSPORT), most=2)
    + "."
)
_MEDIAN: Final = measured(
    f"histogram_quantile(0.5, sum by (le) (rate({_SECONDS}_bucket{{{JOB}"
    f',namespace="%s",{any_of((*ANSWERED, TOO_LATE))}}}[${{5m}}])))',
    "The median attempt took {{ humanizeDuration $value }}.",
)

PAGES: Final = (
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
        outlast="1m",
        summary="No docwarden process can be scraped.",
        description=(
            "Prometheus cannot scrape any of the installation's targets, or no longer has any:"
            " clients most likely get nothing."
        ),
        panel="Targets",
        explains=(
            "DocwardenUpstreamDown",
            "DocwardenUpstreamSlow",
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
        expr=f"{_NONE_CLOSED} unless {_SAME} {_TIMED_OUT} >= {MOSTLY}",
        wait="1m",
        outlast=_FLAPPING,
        summary="The upstream is down.",
        description=(
            "No process's circuit breaker has been closed for a minute: the upstream cannot be"
            f" reached or answers with errors, and documents are refused at once. {_FAILURES}"
        ),
        panel="Attempts by result",
        explains=(
            "DocwardenCorruptionHigh",
            "DocwardenShedding",
            *_BURN_ALERTS,
            "DocwardenBreakerOpen",
        ),
    ),
    Cause(
        alert="DocwardenUpstreamSlow",
        severity="critical",
        expr=(
            f"({_TIMED_OUT} >= {MOSTLY} and {_SAME} {_NONE_CLOSED})"
            f" or ({_late_share('2m')} > {MOSTLY}"
            f" and {_SAME} {attempts((*ANSWERED, TOO_LATE), '2m', 'increase')} >= 20)"
        ),
        wait="1m",
        outlast=_FLAPPING,
        summary="The upstream is too slow.",
        description=(
            f"{{{{ $value | humanizePercentage }}}} of the attempts took longer than"
            f" {LATENCY_BOUND} s or timed out. The upstream can be reached, but answers late or"
            f" hangs. {_MEDIAN}"
        ),
        panel="Attempt duration",
        explains=("DocwardenShedding", *_BURN_ALERTS, "DocwardenBreakerOpen"),
    ),
    Cause(
        alert="DocwardenCorruptionHigh",
        severity="critical",
        expr=(
            f"{corrupt_share('5m')} > {CORRUPTION_PAGE}"
            f" and {corrupt_share('2m')} > {CORRUPTION_PAGE} and {enough_answers('5m')}"
        ),
        wait="30s",
        outlast=_FLAPPING,
        summary="The upstream sends more corrupt documents than retries can make up for.",
        description=(
            "{{ $value | humanizePercentage }} of the documents received in the last 5 minutes"
            f" were refused as not intact; {NORMAL_CORRUPTION:.0%} is normal. Commonest findings: "
            + dominant("docwarden_integrity_failures_total", "reason", 'reason!=""', most=2)
            + "."
        ),
        panel="Corrupt share of the upstream's documents",
        explains=("DocwardenShedding", *_BURN_ALERTS),
    ),
    Cause(
        alert="DocwardenShedding",
        severity="critical",
        expr=" and ".join(f"{_shed_share(each)} > {FAST_SHARE}" for each in ("5m", "1h", "2m")),
        wait="1m",
        summary="docwarden refuses requests because it is overloaded.",
        description=(
            "{{ $value | humanizePercentage }} of the requests of the last 5 minutes were refused:"
            " too many requests in flight, or too little memory. "
            + measured(
                f'sum(docwarden_concurrency_limit{{{JOB},namespace="%s"}})',
                "The limit is {{ humanize $value }} requests in flight. ",
            )
            + _MEDIAN
        ),
        panel="Failed share by outcome",
        explains=_BURN_ALERTS,
    ),
)
