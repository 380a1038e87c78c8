"""Changes of state, drawn over every panel of a dashboard."""

from dataclasses import dataclass
from typing import Any, Final

from docwarden_monitoring.queries import INSTALLATIONS, SELECTED

LIMIT_FLOOR: Final = 4
"""Requests in flight below which the limiter never goes (`MIN_LIMIT` of the gradient)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """One kind of event; neighbouring points of the query become one stretch of time.

    Attributes:
        name: what the switch at the top of the dashboard says.
        colour: of the line and the stretch.
        expr: PromQL, which answers while the state lasts.
        title: what pointing at it shows; `{{label}}` is filled in.
    """

    name: str
    colour: str
    expr: str
    title: str

    def model(self, source: dict[str, str]) -> dict[str, Any]:
        """Return the annotation as Grafana reads it."""
        return {
            "name": self.name, "datasource": source, "enable": True, "iconColor": self.colour,
            "expr": self.expr, "titleFormat": self.title, "step": "15s",
            "target": {"refId": self.name, "expr": self.expr, "interval": "15s"},
        }  # fmt: skip


TRANSITIONS: Final = (
    Transition(
        name="Pages",
        colour="red",
        expr=(
            "max by (alertname) (ALERTS{"
            f'{INSTALLATIONS},alertname=~"Docwarden.*",alertstate="firing",severity="critical"}})'
        ),
        title="{{alertname}} firing",
    ),
    Transition(
        name="Breaker open",
        colour="orange",
        expr=f'max by (instance) (docwarden_breaker_state{{{SELECTED},state!="closed"}}) > 0',
        title="Breaker of {{instance}} not closed",
    ),
    Transition(
        name="Limiter at its floor",
        colour="yellow",
        expr=f"min by (instance) (docwarden_concurrency_limit{{{SELECTED}}}) <= {LIMIT_FLOOR}",
        title="Concurrency limit of {{instance}} at its floor",
    ),
    Transition(
        name="Store failing",
        colour="purple",
        expr=(
            "sum by (instance) (rate(docwarden_store_errors_total"
            f'{{{SELECTED},operation!="busy"}}[2m])) > 0'
        ),
        title="{{instance}}: the store is failing",
    ),
    Transition(
        name="Deep checker replaced",
        colour="purple",
        expr=(
            "sum by (instance, kind)"
            f" (increase(docwarden_deep_check_failures_total{{{SELECTED}}}[1m])) > 0"
        ),
        title="{{instance}}: deep check ended with {{kind}}",
    ),
    Transition(
        name="Process started",
        colour="blue",
        expr=(
            f"(time() - process_start_time_seconds{{{SELECTED}}} < 60)"
            f" * on (instance) group_left (version) docwarden_build_info{{{SELECTED}}}"
        ),
        title="{{instance}} started, version {{version}}",
    ),
    Transition(
        name="Draining",
        colour="blue",
        expr=f"max by (instance) (docwarden_draining{{{SELECTED}}}) > 0",
        title="{{instance}} draining",
    ),
)
