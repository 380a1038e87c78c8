"""Rows of the service dashboard on what goes through it: promises, requests, upstream."""

from typing import Final

from docwarden_monitoring.objectives import (
    BURNS,
    DELIVERY_STATUSES,
    GOOD_OUTCOMES,
    LATENCY_BOUND,
    NOT_COUNTED,
    OBJECTIVES,
    PERIOD,
)
from docwarden_monitoring.panels import GREEN, ORANGE, RED, YELLOW, Panel, Query, Row
from docwarden_monitoring.queries import INSTALLATIONS, SELECTED, level, quantile, rate
from docwarden_monitoring.rules import BUDGET, RATIO

_DURATION: Final = "http_server_request_duration_seconds"
_DELIVERIES: Final = (
    f'{SELECTED},http_route="/{{id}}",http_response_status_code=~"{DELIVERY_STATUSES}"'
)
_BAD: Final = f'outcome!~"{"|".join((*GOOD_OUTCOMES, NOT_COUNTED))}"'
_COUNTED: Final = f'outcome!="{NOT_COUNTED}"'
_ATTEMPTS: Final = "docwarden_upstream_attempts_total"


def promises() -> Row:
    """Whether the promises are kept, and how much budget is left."""
    panels = []
    for each in OBJECTIVES:
        slo = f'{{{INSTALLATIONS},slo="{each.slo}"}}'
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


def upstream() -> Row:
    """How the upstream answers."""
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
