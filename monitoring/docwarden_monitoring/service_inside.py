"""Rows of the service dashboard on what happens inside: integrity, resilience, processes."""

from typing import Final

from docwarden_monitoring import explore
from docwarden_monitoring.attempts import (
    ANSWERED,
    CORRUPTION_PAGE,
    CORRUPTION_TICKET,
    NORMAL_CORRUPTION,
    REFUSED,
    STALL_SECONDS,
)
from docwarden_monitoring.dashboard import Row
from docwarden_monitoring.panels import RED, YELLOW, Panel, Query
from docwarden_monitoring.queries import SELECTED, level, rate

_ATTEMPTS: Final = "docwarden_upstream_attempts_total"


def integrity() -> Row:
    """What is wrong with its documents."""
    refused, answered = "|".join(REFUSED), "|".join(ANSWERED)
    share = f"{rate(_ATTEMPTS, more=_result(refused))} / {rate(_ATTEMPTS, more=_result(answered))}"
    return Row(
        "Integrity",
        (
            Panel(
                title="Corrupt share of the upstream's documents", unit="percentunit",
                about=f"{NORMAL_CORRUPTION:.0%} is normal.",
                queries=(Query(share, "corrupt"),),
                steps=((CORRUPTION_TICKET, YELLOW), (CORRUPTION_PAGE, RED)),
            ),
            Panel(
                title="Refused documents by reason", unit="ops", stacked=True,
                about="What was found wrong; the reference page on integrity checks explains it.",
                logs=explore.BY_REASON,
                queries=(
                    Query(rate("docwarden_integrity_failures_total", "reason"), "{{reason}}"),
                ),
            ),
            Panel(
                title="Refused documents by type and tier", unit="ops", stacked=True,
                about="Tier 1 checks the type, tier 2 the structure, tier 3 parses.",
                queries=(
                    Query(
                        rate("docwarden_integrity_failures_total", "media_type, tier"),
                        "{{media_type}}, tier {{tier}}",
                    ),
                ),
            ),
            Panel(
                title="Findings that were only observed", unit="ops", stacked=True,
                about="Delivered anyway. A check that never shows up here can be enforced.",
                queries=(
                    Query(
                        f"{rate('docwarden_integrity_observations_total', 'reason')} or vector(0)",
                        "{{reason}}",
                    ),
                ),
            ),
            Panel(
                title="Deep checks", unit="ops",
                about="Checks that crashed, timed out or ran out of memory, restarts of their"
                " workers, and documents refused because their check would have come too late.",
                queries=(
                    Query(rate("docwarden_deep_check_failures_total", "kind"), "{{kind}}"),
                    Query(rate("docwarden_deep_check_restarts_total"), "restarts"),
                    Query(rate("docwarden_deep_checks_refused_total"), "refused"),
                ),
            ),
            Panel(
                title="Cached verdicts", unit="ops",
                about="Documents with the same bytes as an earlier one, not checked again.",
                queries=(Query(rate("docwarden_verdicts_recalled_total"), "cached"),),
            ),
        ),
    )  # fmt: skip


def _result(results: str) -> str:
    return f'result=~"{results}"'


def resilience() -> Row:
    """Limits, budgets and copies."""
    return Row(
        "Resilience",
        (
            Panel(
                title="Concurrency", unit="none",
                about="Requests wait when the adaptive limit is reached.",
                queries=(
                    Query(level("docwarden_requests_in_flight"), "in flight"),
                    Query(level("docwarden_requests_waiting"), "waiting"),
                    Query(level("docwarden_concurrency_limit"), "limit"),
                ),
            ),
            Panel(
                title="Retry budget", unit="none",
                about="Transport retries that may start now. At 0, failures are not retried.",
                queries=(Query(f"min (docwarden_retry_budget_remaining{{{SELECTED}}})", "least"),),
            ),
            Panel(
                title="Memory of documents in progress", unit="bytes",
                about="Requests are refused when it reaches DOCWARDEN_MAX_BUFFERED_BYTES.",
                queries=(
                    Query(f"max (docwarden_buffered_bytes{{{SELECTED}}})", "maximum"),
                ),
            ),
            Panel(
                title="Hedged and shared requests", unit="ops",
                about="Second attempts started and won, and requests that shared another's fetch;"
                " both are off by default.",
                queries=(
                    Query(rate("docwarden_hedges_total", "result"), "hedges {{result}}"),
                    Query(rate("docwarden_single_flight_shared_total"), "shared"),
                ),
            ),
            Panel(
                title="Last verified copies", unit="ops",
                about="Looked up when a document cannot be fetched; off by default.",
                queries=(
                    Query(rate("docwarden_store_lookups_total", "result"), "{{result}}"),
                    Query(rate("docwarden_store_errors_total", "operation"), "{{operation}} error"),
                ),
            ),
            Panel(
                title="Breaker openings", unit="none",
                about="How many times a circuit breaker opened, per step.",
                queries=(
                    Query(
                        f"sum (increase(docwarden_breaker_openings_total{{{SELECTED}}}"
                        "[$__rate_interval]))",
                        "openings",
                    ),
                ),
            ),
        ),
    )  # fmt: skip


def processes() -> Row:
    """The processes themselves."""

    def each(title: str, about: str, unit: str, expr: str) -> Panel:
        return Panel(
            title=title, about=about, unit=unit, queries=(Query(expr, "{{instance}}"),), width=6
        )

    return Row(
        "Processes",
        (
            each(
                "CPU", "Cores used. One process uses one core at most.", "none",
                f"rate(process_cpu_seconds_total{{{SELECTED}}}[$__rate_interval])",
            ),
            each(
                "Memory", "Resident memory.", "bytes",
                f"process_resident_memory_bytes{{{SELECTED}}}",
            ),
            Panel(
                title="Event loop stalls", unit="s", width=6,
                about="Longest blocking of the event loop in the last one to two minutes.",
                queries=(
                    Query(f"docwarden_event_loop_stall_seconds{{{SELECTED}}}", "{{instance}}"),
                ),
                steps=((STALL_SECONDS, RED),),
            ),
            Panel(
                title="File descriptors used", unit="percentunit", width=6, most=1,
                about="Share of the file descriptors that the process may open.",
                queries=(
                    Query(
                        f"process_open_fds{{{SELECTED}}} / process_max_fds{{{SELECTED}}}",
                        "{{instance}}",
                    ),
                ),
                steps=((0.8, RED),),
            ),
            each(
                "Client connections", "Open connections of clients.", "none",
                f"docwarden_client_connections{{{SELECTED}}}",
            ),
            each(
                "Uptime", "Since the process started.", "s",
                f"time() - process_start_time_seconds{{{SELECTED}}}",
            ),
            Panel(
                title="Log lines dropped", unit="ops", width=6,
                about="Dropped because whatever reads the log is too slow.",
                queries=(Query(rate("docwarden_log_lines_dropped_total"), "dropped"),),
                steps=((0.01, RED),),
            ),
            Panel(
                title="Targets", unit="none", width=6,
                about="Processes that Prometheus can scrape, and those that are shutting down.",
                queries=(
                    Query(level("up"), "up"),
                    Query(level("docwarden_draining"), "draining"),
                ),
            ),
            Panel(
                title="Builds", unit="none", kind="table", width=24, height=5, least=None,
                about="Processes by build. More than one row outside a rollout is drift.",
                queries=(
                    Query(
                        "count by (version, revision, python)"
                        f" (docwarden_build_info{{{SELECTED}}})",
                        "{{version}}",
                    ),
                ),
            ),
        ),
    )  # fmt: skip


def logs() -> Row:
    """What the gateway wrote, for the time that is shown."""
    return Row(
        "Logs",
        (
            Panel(
                title="Requests that failed", unit="none", kind="logs", width=24, height=10,
                about="One line per request: status, document, outcome, reason, attempts, time, id."
                " Set *Log stream* above to the labels that your collector adds.",
                queries=(
                    Query(
                        explore.FAILED + ' | line_format "{{.message}} {{.request_id}}"',
                        "failures",
                    ),
                ),
            ),
            Panel(
                title="Events", unit="none", kind="logs", width=24, height=8,
                about="State changes with cause and duration, starts, drains, lost workers,"
                " defects: everything but requests.",
                queries=(
                    Query(
                        explore.EVENTS + ' | line_format "{{.event_name}} {{.message}}"', "events"
                    ),
                ),
            ),
        ),
    )  # fmt: skip
