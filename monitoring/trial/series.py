"""Input series for promtool, and a case that says what an alert does with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Series = dict[str, str]
Phase = tuple[float, float]  # so many minutes, so much more in each

TARGET = 'job="docwarden",namespace="docs"'


def counter(*phases: Phase, step: float = 1) -> str:
    """A counter that grows evenly in each phase, a sample each `step` minutes."""
    total, parts = 0.0, ["0"]
    for minutes, each in phases:
        count, growth = round(minutes / step), each * step
        parts.append(f"{total + growth:g}+{growth:g}x{count - 1}")
        total += growth * count
    return " ".join(parts)


def gauge(*phases: Phase, step: float = 1) -> str:
    """A value that is constant in each phase, a sample each `step` minutes."""
    return " ".join(f"{value:g}x{round(minutes / step) - 1}" for minutes, value in phases)


def documents(instance: str = "a", step: float = 1, **phases: Sequence[Phase]) -> Series:
    name = f'docwarden_documents_total{{{TARGET},instance="{instance}",outcome="%s"}}'
    return {name % outcome: counter(*each, step=step) for outcome, each in phases.items()}


def attempts(step: float = 1, **phases: Sequence[Phase]) -> Series:
    name = f'docwarden_upstream_attempts_total{{{TARGET},instance="a",result="%s"}}'
    return {name % result: counter(*each, step=step) for result, each in phases.items()}


def attempt_times(slow: Sequence[Phase], fast: Sequence[Phase]) -> Series:
    """Intact attempts that took longer than the objective, and such as did not."""
    labels = f'{TARGET},instance="a",result="intact"'
    together = [(minutes, a + b) for (minutes, a), (_, b) in zip(slow, fast, strict=True)]
    name = "docwarden_upstream_attempt_duration_seconds"
    return {
        f"{name}_count{{{labels}}}": counter(*together, step=0.25),
        f'{name}_bucket{{{labels},le="0.5"}}': counter(*fast, step=0.25),
        **attempts(0.25, intact=together),
    }


def deliveries(slow: Sequence[Phase], fast: Sequence[Phase]) -> Series:
    labels = f'{TARGET},instance="a",http_route="/{{id}}",http_response_status_code="200"'
    name = "http_server_request_duration_seconds"
    together = [(minutes, a + b) for (minutes, a), (_, b) in zip(slow, fast, strict=True)]
    return {
        f"{name}_count{{{labels}}}": counter(*together),
        f'{name}_bucket{{{labels},le="0.5"}}': counter(*fast),
    }


def breaker(closed: Sequence[Phase], instance: str = "a", step: float = 0.25) -> Series:
    name = f'docwarden_breaker_state{{{TARGET},instance="{instance}",state="closed"}}'
    return {name: gauge(*closed, step=step)}


def up(*phases: Phase, instance: str = "a", step: float = 0.25) -> Series:
    return {f'up{{{TARGET},instance="{instance}"}}': gauge(*phases, step=step)}


def gone(series: Series) -> Series:
    """The same series, with targets that Prometheus no longer knows at their end."""
    return {name: f"{values} stale" for name, values in series.items()}


def build(version: str, instance: str, minutes: float) -> Series:
    labels = f'{TARGET},instance="{instance}",version="{version}",revision="r",python="3"'
    return {f"docwarden_build_info{{{labels}}}": gauge((minutes, 1))}


@dataclass(frozen=True)
class Case:
    """Series, and whether the alert fires after `at` minutes of them."""

    about: str
    alert: str
    severity: str
    series: Series
    at: float
    fires: bool
    window: str = ""
    step: float = 1
    namespace: str | None = None
    """That of the one alert that fires, empty for none, or None where it does not matter."""

    def as_promtool(self) -> dict[str, Any]:
        selector = f'alertname="{self.alert}",severity="{self.severity}",alertstate="firing"'
        if self.window:
            selector += f',long_window="{self.window}"'
        labels = f'{{namespace="{self.namespace}"}}' if self.namespace else "{}"
        by = "" if self.namespace is None else "by (namespace) "
        return {
            "interval": f"{round(self.step * 60)}s",
            "input_series": [
                {"series": name, "values": values} for name, values in self.series.items()
            ],
            "promql_expr_test": [
                {
                    "expr": f"count {by}(ALERTS{{{selector}}})",
                    "eval_time": f"{round(self.at * 60)}s",
                    "exp_samples": [{"labels": labels, "value": 1}] if self.fires else [],
                }
            ],
        }
