"""Rows of the service dashboard on what goes through it: promises, requests, upstream."""

from typing import Final

from docwarden_monitoring import explore
from docwarden_monitoring.attempts import ANSWERED, NORMAL_CORRUPTION, TOO_LATE
from docwarden_monitoring.dashboard import Row
from docwarden_monitoring.objectives import (
    BURNS,
    DELIVERY_STATUSES,
    FASTEST,
    GOOD_OUTCOMES,
    LATENCY_BOUND,
    NOT_COUNTED,
    OBJECTIVES,
    PERIOD,
)
from docwarden_monitoring.pages import FAST_SHARE, any_of
from docwarden_monitoring.panels import GREEN, ORANGE, RED, YELLOW, Panel, Query
from docwarden_monitoring.queries import INSTALLATIONS, SELECTED, level, quantile, rate
from docwarden_monitoring.recorded import BUDGET, RATIO

_DURATION: Final = "http_server_request_duration_seconds"
_DELIVERIES: Final = (
    f'{SELECTED},http_route="/{{id}}",http_response_status_code=~"{DELIVERY_STATUSES}"'
)
_BAD: Final = f'outcome!~"{"|".join((*GOOD_OUTCOMES, NOT_COUNTED))}"'
_COUNTED: Final = f'outcome!="{NOT_COUNTED}"'
_ATTEMPTS: Final = "docwarden_upstream_attempts_total"
_ATTEMPT_SECONDS: Final = "docwarden_upstream_attempt_duration_seconds"

_FAILING: Final = (
    f'max by (namespace, job) ({RATIO}{FASTEST.now}{{{INSTALLATIONS},slo="documents"}})'
)
# A recorded share of no requests is no number, which is not above the threshold.
_NONE_UP: Final = f"sum by (namespace, job) (up{{{INSTALLATIONS}}}) == 0"
_UNAVAILABLE: Final = f"({_NONE_UP}) + 1 or {_FAILING} > bool {FAST_SHARE}"


def promises() -> Row:
    """Whether the promises are kept, and how much budget is left."""
    panels = [_firing(), _available(), _over_time()]
    for each in OBJECTIVES:
        slo = f'{{{INSTALLATIONS},slo="{each.slo}"}}'
        panels += [
            Panel(
                title=f"{each.title.capitalize()}, {PERIOD}",
                about=f"The objective is {each.target:.1%}.",
                kind="stat", unit="percentunit", width=4, height=6, least=None, below=RED,
                queries=(Query(f"1 - {RATIO}{PERIOD}{slo}", each.title),),
                steps=((each.target, GREEN),),
            ),
            Panel(
                title=f"Error budget left: {each.title}",
                about="Share of the error budget that is not used up. Below zero the objective is"
                " missed.",
                kind="stat", unit="percentunit", width=4, height=6, least=None, below=RED,
                queries=(Query(f"{BUDGET}{slo}", each.title),),
                steps=((0, ORANGE), (0.25, YELLOW), (0.5, GREEN)),
            ),
        ]  # fmt: skip
    burns = tuple(
        Query(
            f'{RATIO}{window}{{{INSTALLATIONS},slo="{each.slo}"}} / {each.budget}',
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


def _firing() -> Panel:
    def firing(severity: str) -> str:
        return (
            f'count(ALERTS{{{INSTALLATIONS},alertstate="firing",severity="{severity}"}})'
            " or vector(0)"
        )

    return Panel(
        title="Alerts firing", unit="none", kind="stat", width=4, height=5,
        about="Pages and tickets firing in Prometheus now.",
        queries=(Query(firing("critical"), "pages"), Query(firing("warning"), "tickets")),
        steps=((1, RED),),
    )  # fmt: skip


def _available() -> Panel:
    return Panel(
        title="Available time", unit="percentunit", kind="stat", width=4, height=5,
        about="Share of the selected time range in which documents were delivered: an outage counts"
        f" by its length, however few requests it affected. Unavailable: more than {FAST_SHARE:.2%}"
        " of the requests of two minutes failed, or no process was up.",
        least=None, below=RED,
        queries=(
            Query(f"1 - avg_over_time(({_UNAVAILABLE})[$__range:15s])", "{{namespace}}"),
        ),
        steps=((0.99, YELLOW), (OBJECTIVES[0].target, GREEN)),
    )  # fmt: skip


def _over_time() -> Panel:
    return Panel(
        title="Documents delivered, over time", unit="percentunit", kind="state-timeline",
        width=16, height=5, least=None, below=RED,
        about="Share of the requests of two minutes that got an intact document. The normal"
        f" {NORMAL_CORRUPTION:.0%} of corrupt responses costs 0.01 %, which is green.",
        queries=(Query(f"({_NONE_UP}) or 1 - {_FAILING}", "{{namespace}}"),),
        steps=((0.5, ORANGE), (0.9, YELLOW), (1 - FAST_SHARE, GREEN)),
        logs=explore.FAILED,
    )  # fmt: skip


def requests() -> Row:
    """Rate, errors and duration of what clients ask."""
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
                logs=explore.BY_OUTCOME,
                queries=(Query(rate("docwarden_documents_total", "outcome"), "{{outcome}}"),),
            ),
            Panel(
                title="Failed share by outcome", unit="percentunit", stacked=True,
                about="Which failures use up the error budget. The line is the objective.",
                logs=explore.BY_OUTCOME,
                queries=(Query(f"{bad} / on () group_left () {counted}", "{{outcome}}"),),
                steps=((OBJECTIVES[0].budget, RED),),
            ),
            Panel(
                title="Responses by status", unit="reqps", stacked=True,
                about="Every response of the public listener, including health checks.",
                logs=explore.BY_STATUS,
                queries=(
                    Query(
                        rate(f"{_DURATION}_count", "http_response_status_code"),
                        "{{http_response_status_code}}",
                    ),
                ),
            ),
            Panel(
                title="Time to deliver", unit="s",
                about="From a request's last header to the end of its response, deliveries only.",
                logs=explore.SLOW,
                queries=tuple(
                    Query(quantile(share, _DURATION, _DELIVERIES), label)
                    for share, label in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
                ),
                steps=((float(LATENCY_BOUND), RED),),
            ),
            Panel(
                title="Time to deliver, distribution", unit="s", kind="heatmap", least=None,
                about="Deliveries per second in each bucket.",
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
                logs=explore.SLOW,
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


def upstream() -> Row:
    """How the upstream answers."""
    return Row(
        "Upstream",
        (
            Panel(
                title="Attempts by result", unit="reqps", stacked=True,
                about="Attempts to fetch a document. `intact` ones were delivered.",
                logs=explore.BY_RESULT,
                queries=(Query(rate(_ATTEMPTS, "result"), "{{result}}"),),
            ),
            Panel(
                title="Attempt duration", unit="s",
                about="Including verification. Attempts that time out are counted with those that"
                " were answered: the difference tells a slow upstream from one that hangs.",
                logs=explore.SLOW,
                queries=tuple(
                    Query(quantile(share, _ATTEMPT_SECONDS, f"{SELECTED},{results}"), label)
                    for share, results, label in (
                        (0.5, 'result="intact"', "intact, median"),
                        (0.99, 'result="intact"', "intact, 99 %"),
                        (0.5, any_of((*ANSWERED, TOO_LATE)), "answered or timed out, median"),
                    )
                ),
                steps=((float(LATENCY_BOUND), RED),),
            ),
            Panel(
                title="Attempts per document", unit="none", least=1,
                about="1.11 at 10 % corruption; at most six.",
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
                about="When all are busy, requests wait for a connection.",
                queries=(
                    Query(
                        level("docwarden_upstream_connections", "state"), "{{state}}"
                    ),
                ),
            ),
            Panel(
                title="Keep-alive connections found closed", unit="ops",
                about="Replaced at once, at no cost to the client. If there are many, the"
                " upstream's idle timeout is shorter than docwarden's.",
                queries=(Query(rate("docwarden_upstream_stale_connections_total"), "replaced"),),
            ),
            Panel(
                title="Circuit breakers", unit="none", stacked=True,
                about="Processes by the state of their breaker. Open: nothing is sent upstream.",
                queries=(
                    Query(level("docwarden_breaker_state", "state"), "{{state}}"),
                ),
            ),
        ),
    )  # fmt: skip
