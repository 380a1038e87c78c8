"""The dashboard for the upstream's owner: how their service looks from where it is used."""

from typing import Final

from docwarden_monitoring import explore
from docwarden_monitoring.attempts import (
    ANSWERED,
    CORRUPTION_PAGE,
    CORRUPTION_TICKET,
    NORMAL_CORRUPTION,
    REFUSED,
    TRANSPORT,
)
from docwarden_monitoring.dashboard import Dashboard, Row
from docwarden_monitoring.panels import GREEN, ORANGE, RED, YELLOW, Panel, Query
from docwarden_monitoring.queries import SELECTED, level, quantile, rate

_ATTEMPTS: Final = "docwarden_upstream_attempts_total"
_SECONDS: Final = "docwarden_upstream_attempt_duration_seconds"
_ANSWERED: Final = f'result=~"{"|".join(ANSWERED)}"'
_REFUSED: Final = f'result=~"{"|".join(REFUSED)}"'
_BROKEN: Final = f'result=~"{"|".join(TRANSPORT)}"'
_OURS: Final = "client-closed|deadline-passed|memory-limit"


def _over_range(more: str) -> str:
    return f"sum (increase({_ATTEMPTS}{{{SELECTED},{more}}}[$__range]))"


def _summary() -> Row:
    theirs = f'result!~"{_OURS}"'
    return Row(
        "At a glance",
        (
            Panel(
                title="Available time", unit="percentunit", kind="stat", width=6, height=5,
                about="Share of the selected time range in which at least one gateway's circuit"
                " breaker was closed. An outage counts by its length: few requests are sent then.",
                least=None, below=RED,
                queries=(
                    Query(
                        "avg_over_time((max by (namespace, job)"
                        f' (docwarden_breaker_state{{{SELECTED},state="closed"}}))[$__range:15s])',
                        "{{namespace}}",
                    ),
                ),
                steps=((0.99, YELLOW), (0.999, GREEN)),
            ),
            Panel(
                title="Requests answered", unit="percentunit", kind="stat", width=6, height=5,
                about="Share of the requests sent that were answered with a document or with 404,"
                " in the selected time range.",
                least=None, below=RED,
                queries=(
                    Query(f"1 - {_over_range(_BROKEN)} / {_over_range(theirs)}", "answered"),
                ),
                steps=((0.99, YELLOW), (0.999, GREEN)),
            ),
            Panel(
                title="Documents intact", unit="percentunit", kind="stat", width=6, height=5,
                about="Share of the documents sent that were intact, in the selected time range."
                f" {1 - NORMAL_CORRUPTION:.0%} is normal.",
                least=None, below=RED,
                queries=(
                    Query(f"1 - {_over_range(_REFUSED)} / {_over_range(_ANSWERED)}", "intact"),
                ),
                steps=((1 - CORRUPTION_PAGE, ORANGE), (1 - CORRUPTION_TICKET, GREEN)),
            ),
            Panel(
                title="Gateways with an open breaker", unit="none", kind="stat", width=6,
                height=5,
                about="Each sends a single probe, at first after half a minute, later after up to"
                " five minutes.",
                queries=(
                    Query(
                        level("docwarden_breaker_state", more='state!="closed"'), "not closed"
                    ),
                ),
                steps=((1, RED),),
            ),
        ),
    )  # fmt: skip


def _availability() -> Row:
    return Row(
        "Answers",
        (
            Panel(
                title="Requests by result", unit="reqps", stacked=True, width=12,
                about="`intact` documents were delivered. connect-failed, connection-lost,"
                " protocol-violation, attempt-timeout and upstream-status (5xx, 408, 425, 429) are"
                " failures of the service.",
                logs=explore.BY_RESULT,
                queries=(Query(rate(_ATTEMPTS, "result"), "{{result}}"),),
            ),
            Panel(
                title="Failed share of requests", unit="percentunit", stacked=True, width=12,
                about="At 85 % within ten seconds, or after five failures in a row, a gateway stops"
                " sending requests.",
                logs=explore.BY_RESULT,
                queries=(
                    Query(
                        f"{rate(_ATTEMPTS, 'result', _BROKEN)}"
                        f" / on () group_left () {rate(_ATTEMPTS)}",
                        "{{result}}",
                    ),
                ),
                steps=((0.01, YELLOW), (0.85, RED)),
            ),
            Panel(
                title="Response time", unit="s", width=12,
                about="Connection, response and verification. Verification takes well below 1 ms"
                " for most documents.",
                queries=tuple(
                    Query(quantile(share, _SECONDS, f"{SELECTED},{_ANSWERED}"), label)
                    for share, label in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
                ),
                steps=((0.5, YELLOW),),
            ),
            Panel(
                title="Response time, distribution", unit="s", kind="heatmap", width=12,
                least=None, about="Requests per second in each bucket.",
                queries=(
                    Query(
                        f"sum by (le) (rate({_SECONDS}_bucket{{{SELECTED}}}[$__rate_interval]))",
                        "{{le}}",
                    ),
                ),
            ),
        ),
    )  # fmt: skip


def _integrity() -> Row:
    return Row(
        "Documents",
        (
            Panel(
                title="Corrupt share of documents", unit="percentunit", width=8,
                about=f"{NORMAL_CORRUPTION:.0%} is normal.",
                queries=(
                    Query(
                        f"{rate(_ATTEMPTS, more=_REFUSED)} / {rate(_ATTEMPTS, more=_ANSWERED)}",
                        "corrupt",
                    ),
                ),
                steps=((CORRUPTION_TICKET, YELLOW), (CORRUPTION_PAGE, RED)),
            ),
            Panel(
                title="Corrupt documents by type", unit="ops", stacked=True, width=8,
                about="By the media type detected from the bytes.",
                queries=(
                    Query(
                        rate("docwarden_integrity_failures_total", "media_type"), "{{media_type}}"
                    ),
                ),
            ),
            Panel(
                title="Corrupt documents by finding", unit="ops", stacked=True, width=8,
                about="What was found wrong. `docwarden inspect FILE` finds the same in a file.",
                logs=explore.BY_REASON,
                queries=(
                    Query(rate("docwarden_integrity_failures_total", "reason"), "{{reason}}"),
                ),
            ),
        ),
    )  # fmt: skip


def _load() -> Row:
    return Row(
        "Load that docwarden puts on you",
        (
            Panel(
                title="Requests and documents", unit="reqps", width=8,
                about="The difference is retries and hedges.",
                queries=(
                    Query(rate(_ATTEMPTS), "requests to you"),
                    Query(rate("docwarden_documents_total"), "requests from clients"),
                ),
            ),
            Panel(
                title="Connections", unit="none", stacked=True, width=8,
                about="Connections are kept alive and reused.",
                queries=(
                    Query(
                        level("docwarden_upstream_connections", "state"), "{{state}}"
                    ),
                ),
            ),
            Panel(
                title="Keep-alive connections that you closed", unit="ops", width=8,
                about="A longer idle timeout on your side avoids these.",
                queries=(Query(rate("docwarden_upstream_stale_connections_total"), "closed"),),
            ),
        ),
    )  # fmt: skip


UPSTREAM: Final = Dashboard(
    name="upstream",
    title="docwarden / Upstream",
    about="The document service as docwarden sees it: for the people who run that service.",
    rows=(_summary(), _availability(), _integrity(), _load()),
)
