"""The dashboard for whoever runs docwarden: from the promise down to the process."""

from typing import Final

from docwarden_monitoring.causes import (
    ANSWERED,
    CORRUPTION_PAGE,
    CORRUPTION_TICKET,
    NORMAL_CORRUPTION,
    REFUSED,
    STALL_SECONDS,
)
from docwarden_monitoring.objectives import (
    BURNS,
    DELIVERY_STATUSES,
    GOOD_OUTCOMES,
    LATENCY_BOUND,
    NOT_COUNTED,
    OBJECTIVES,
    PERIOD,
)
from docwarden_monitoring.panels import (
    GREEN,
    ORANGE,
    RED,
    SELECTED,
    YELLOW,
    Dashboard,
    Panel,
    Query,
    Row,
    level,
    quantile,
    rate,
)
from docwarden_monitoring.rules import BUDGET, RATIO

_DURATION: Final = "http_server_request_duration_seconds"
_DELIVERIES: Final = (
    f'{SELECTED},http_route="/{{id}}",http_response_status_code=~"{DELIVERY_STATUSES}"'
)
_BAD: Final = f'outcome!~"{"|".join((*GOOD_OUTCOMES, NOT_COUNTED))}"'
_COUNTED: Final = f'outcome!="{NOT_COUNTED}"'
_ATTEMPTS: Final = "docwarden_upstream_attempts_total"


def _slo_row() -> Row:
    panels = []
    for each in OBJECTIVES:
        slo = f'{{job=~"$job",slo="{each.slo}"}}'
        panels += [
            Panel(
                title=f"{each.title.capitalize()}, {PERIOD}",
                about=f"{each.target:.1%} are promised.",
                kind="stat", unit="percentunit", width=4, height=6, least=None, below=RED,
                queries=(Query(f"1 - {RATIO}{PERIOD}{slo}", each.title),),
                steps=((each.target, GREEN),),
            ),
            Panel(
                title=f"Budget left: {each.title}",
                about="Share of the failures that the promise allows and that are not used up."
                " Below zero the promise is broken.",
                kind="stat", unit="percentunit", width=4, height=6, least=None, below=RED,
                queries=(Query(f"{BUDGET}{slo}", each.title),),
                steps=((0, ORANGE), (0.25, YELLOW), (0.5, GREEN)),
            ),
        ]  # fmt: skip
    burns = tuple(
        Query(
            f'{RATIO}{window}{{job=~"$job",slo="{each.slo}"}} / {each.budget}',
            f"{each.title}, {window}",
        )
        for each in OBJECTIVES
        for window in ("5m", "1h", "6h")
    )
    colours = dict(
        zip(sorted(each.factor for each in BURNS), (YELLOW, YELLOW, ORANGE, RED), strict=True)
    )
    panels.append(
        Panel(
            title="Burn rate",
            about="How many times faster than allowed the budget burns: at 1 it lasts exactly"
            f" {PERIOD}. Tickets at 1 and 3, pages at 6 and 14.4, each over two windows.",
            unit="none", width=8, height=6, queries=burns, steps=tuple(colours.items()),
        )
    )  # fmt: skip
    return Row("Promises", tuple(panels))


def _requests_row() -> Row:
    bad, counted = (
        rate("docwarden_documents_total", "outcome", _BAD),
        rate("docwarden_documents_total", more=f'outcome!="{NOT_COUNTED}"'),
    )
    return Row(
        "Requests",
        (
            Panel(
                title="Documents by outcome", unit="reqps", stacked=True,
                about="Requests for a document, by how they ended.",
                queries=(Query(rate("docwarden_documents_total", "outcome"), "{{outcome}}"),),
            ),
            Panel(
                title="Failed share by outcome", unit="percentunit", stacked=True,
                about="Which failures use up the budget. The line is what is promised.",
                queries=(Query(f"{bad} / on () group_left () {counted}", "{{outcome}}"),),
                steps=((OBJECTIVES[0].budget, RED),),
            ),
            Panel(
                title="Answers by status", unit="reqps", stacked=True,
                about="Every answer of the public listener, health checks included.",
                queries=(
                    Query(
                        rate(f"{_DURATION}_count", "http_response_status_code"),
                        "{{http_response_status_code}}",
                    ),
                ),
            ),
            Panel(
                title="Time to deliver", unit="s",
                about="From a request's last header to the end of its answer, deliveries only.",
                queries=tuple(
                    Query(quantile(share, _DURATION, _DELIVERIES), label)
                    for share, label in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
                ),
                steps=((float(LATENCY_BOUND), RED),),
            ),
            Panel(
                title="Time to deliver, distribution", unit="s", kind="heatmap", least=None,
                about="Deliveries a second in each bucket.",
                queries=(
                    Query(
                        f"sum by (le) (rate({_DURATION}_bucket{{{_DELIVERIES}}}"
                        "[$__rate_interval]))",
                        "{{le}}",
                    ),
                ),
            ),
            Panel(
                title="Slow share of deliveries", unit="percentunit",
                about=f"Deliveries that took longer than {LATENCY_BOUND} s.",
                queries=(
                    Query(
                        f"1 - {rate(f'{_DURATION}_bucket', more=_tail(LATENCY_BOUND))}"
                        f" / {rate(f'{_DURATION}_count', more=_tail())}",
                        "slow",
                    ),
                ),
                steps=((OBJECTIVES[1].budget, RED),),
            ),
        ),
    )  # fmt: skip


def _tail(bound: str = "") -> str:
    matchers = f'http_route="/{{id}}",http_response_status_code=~"{DELIVERY_STATUSES}"'
    return f'{matchers},le="{bound}"' if bound else matchers


def _upstream_row() -> Row:
    return Row(
        "Upstream",
        (
            Panel(
                title="Attempts by result", unit="reqps", stacked=True,
                about="Attempts to fetch a document. `intact` ones were delivered.",
                queries=(Query(rate(_ATTEMPTS, "result"), "{{result}}"),),
            ),
            Panel(
                title="Time of one attempt", unit="s",
                about="Verification included. Others are attempts that did not end intact.",
                queries=tuple(
                    Query(
                        quantile(
                            share, "docwarden_upstream_attempt_duration_seconds",
                            f'{SELECTED},result="intact"',
                        ),
                        label,
                    )
                    for share, label in ((0.5, "intact, median"), (0.99, "intact, 99 %"))
                ),
            ),
            Panel(
                title="Attempts per document", unit="none", least=1,
                about="1.11 at 10 % corruption; six at most.",
                queries=(
                    Query(
                        f"{rate(_ATTEMPTS)} / {rate('docwarden_documents_total', more=_COUNTED)}",
                        "attempts",
                    ),
                ),
                steps=((2, YELLOW),),
            ),
            Panel(
                title="Connections to the upstream", unit="none", stacked=True,
                about="All of them busy means that requests wait for a connection.",
                queries=(
                    Query(
                        level("docwarden_upstream_connections", "state"), "{{state}}"
                    ),
                ),
            ),
            Panel(
                title="Kept-alive connections found closed", unit="ops",
                about="Replaced at once, at no cost to the client. Many of them: the upstream's"
                " idle timeout is shorter than docwarden's.",
                queries=(Query(rate("docwarden_upstream_stale_connections_total"), "replaced"),),
            ),
            Panel(
                title="Circuit breakers", unit="none", stacked=True,
                about="Processes by state of their breaker. Open: the upstream is left alone.",
                queries=(
                    Query(level("docwarden_breaker_state", "state"), "{{state}}"),
                ),
            ),
        ),
    )  # fmt: skip


def _integrity_row() -> Row:
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
                about="docs/reference has the list of reasons.",
                queries=(
                    Query(rate("docwarden_integrity_failures_total", "reason"), "{{reason}}"),
                ),
            ),
            Panel(
                title="Refused documents by type and tier", unit="ops", stacked=True,
                about="Tier 1 looks at the type, 2 at the structure, 3 parses.",
                queries=(
                    Query(
                        rate("docwarden_integrity_failures_total", "media_type, tier"),
                        "{{media_type}}, tier {{tier}}",
                    ),
                ),
            ),
            Panel(
                title="Findings that were only observed", unit="ops", stacked=True,
                about="Delivered all the same. What is never seen here can be enforced.",
                queries=(
                    Query(
                        f"{rate('docwarden_integrity_observations_total', 'reason')} or vector(0)",
                        "{{reason}}",
                    ),
                ),
            ),
            Panel(
                title="Deep checks", unit="ops",
                about="Checks that crashed, timed out or ran out of memory, and starts of their"
                " process.",
                queries=(
                    Query(rate("docwarden_deep_check_failures_total", "kind"), "{{kind}}"),
                    Query(rate("docwarden_deep_check_restarts_total"), "restarts"),
                ),
            ),
            Panel(
                title="Remembered verdicts", unit="ops",
                about="Documents with the same bytes as an earlier one, not checked again.",
                queries=(Query(rate("docwarden_verdicts_recalled_total"), "remembered"),),
            ),
        ),
    )  # fmt: skip


def _result(results: str) -> str:
    return f'result=~"{results}"'


def _resilience_row() -> Row:
    return Row(
        "Resilience",
        (
            Panel(
                title="Concurrency", unit="none",
                about="Requests wait when as many are in flight as the adaptive limit allows.",
                queries=(
                    Query(level("docwarden_requests_in_flight"), "in flight"),
                    Query(level("docwarden_requests_waiting"), "waiting"),
                    Query(level("docwarden_concurrency_limit"), "limit"),
                ),
            ),
            Panel(
                title="Retry budget", unit="none",
                about="Transport retries that may start now. At 0 failures are passed on at once.",
                queries=(Query(f"min (docwarden_retry_budget_remaining{{{SELECTED}}})", "least"),),
            ),
            Panel(
                title="Memory of documents in progress", unit="bytes",
                about="Requests are refused when it reaches DOCWARDEN_MAX_BUFFERED_BYTES.",
                queries=(
                    Query(f"max (docwarden_buffered_bytes{{{SELECTED}}})", "fullest process"),
                ),
            ),
            Panel(
                title="Hedged and shared", unit="ops",
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
                    Query(rate("docwarden_store_errors_total", "operation"), "no {{operation}}"),
                ),
            ),
            Panel(
                title="Breaker openings", unit="none",
                about="Times that a circuit breaker opened, in each step.",
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


def _runtime_row() -> Row:
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
                about="Longest stall within the last minute or two.",
                queries=(
                    Query(f"docwarden_event_loop_stall_seconds{{{SELECTED}}}", "{{instance}}"),
                ),
                steps=((STALL_SECONDS, RED),),
            ),
            Panel(
                title="Descriptors used", unit="percentunit", width=6, most=1,
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
                about="Lost because whoever reads the log is too slow.",
                queries=(Query(rate("docwarden_log_lines_dropped_total"), "dropped"),),
                steps=((0.01, RED),),
            ),
            Panel(
                title="Targets", unit="none", width=6,
                about="Processes that Prometheus reaches, and those that are shutting down.",
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


SERVICE: Final = Dashboard(
    name="service",
    title="docwarden / Service",
    about="Whether documents reach clients intact and in time, and if not, why.",
    rows=(
        _slo_row(),
        _requests_row(),
        _upstream_row(),
        _integrity_row(),
        _resilience_row(),
        _runtime_row(),
    ),
)
