"""Recording rules and alerts as a Prometheus rule file."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from docwarden_monitoring.cause import Cause
from docwarden_monitoring.causes import CAUSES
from docwarden_monitoring.objectives import BURNS, OBJECTIVES, PERIOD, Burn, Objective
from docwarden_monitoring.recorded import BUDGET, ERRORS, RATIO, REQUESTS
from docwarden_monitoring.service_dashboard import SERVICE
from docwarden_monitoring.spans import Scale, read_duration

Rule = dict[str, Any]

_SHORTEST: Final = "5m"
# Longer windows add up the recorded 5-minute rates: one sample each evaluation instead of all raw
# ones, and weighted by traffic all the same.
_LONGEST_RAW: Final = read_duration("6h")
_SPAN: Final = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where annotations lead to.

    Attributes:
        runbooks: URL of the folder of runbooks, with its slash.
        dashboards: URL of Grafana, with its slash.
    """

    runbooks: str = "https://docwarden.example/runbooks/"
    dashboards: str = "https://grafana.example/"


class RuleFile:
    """Writes the rules for one scale and one set of places."""

    def __init__(self, places: Places, scale: Scale) -> None:
        self._places = places
        self._scale = scale

    def groups(self) -> dict[str, Any]:
        """Return the content of the rule file."""
        groups = []
        for each in OBJECTIVES:
            groups += [
                self._group(f"docwarden-slo-{each.slo}", self._slo(each)),
                # Sums over days change little in a minute or two, and cost most.
                self._group(f"docwarden-slo-{each.slo}-long", self._slo_long(each), "2m"),
                self._group(f"docwarden-burn-{each.slo}", self._burns(each)),
            ]
        groups.append(self._group("docwarden-causes", map(self._cause, CAUSES)))
        return {"groups": groups}

    def _group(self, name: str, rules: Iterator[Rule], interval: str = "15s") -> dict[str, Any]:
        return {"name": name, "interval": self._scale(interval), "rules": list(rules)}

    def _slo(self, objective: Objective) -> Iterator[Rule]:
        """Record 5-minute rates, and ratios over the windows of hours."""
        short = self._scale(_SHORTEST)
        yield _record(ERRORS, objective, objective.failed.replace("$window", short))
        yield _record(REQUESTS, objective, objective.total.replace("$window", short))
        for window in _windows(long=False):
            span = self._scale(window)
            failed = objective.failed.replace("$window", span)
            total = objective.total.replace("$window", span)
            yield _record(RATIO + window, objective, f"({failed}) / {total}")

    def _slo_long(self, objective: Objective) -> Iterator[Rule]:
        """Record ratios over the windows of days, and the budget left."""
        for window in _windows(long=True):
            selector = f'{{slo="{objective.slo}"}}[{self._scale(window)}]'
            ratio = f"sum_over_time({ERRORS}{selector}) / sum_over_time({REQUESTS}{selector})"
            yield _record(RATIO + window, objective, ratio)
        left = f'1 - {RATIO}{PERIOD}{{slo="{objective.slo}"}} / {objective.budget}'
        yield _record(BUDGET, objective, left)

    def _burns(self, objective: Objective) -> Iterator[Rule]:
        for burn in BURNS:
            yield self._burn(objective, burn)

    def _burn(self, objective: Objective, burn: Burn) -> Rule:
        threshold = round(burn.factor * objective.budget, 9)
        terms = [f'{RATIO}{each}{{slo="{objective.slo}"}} > {threshold}' for each in burn.windows]
        if burn.least:
            failed = objective.failed.replace("$window", self._scale(burn.long))
            seconds = round(self._scale.seconds(burn.long), 3)
            terms.append(f"on (namespace, job) ({failed}) * {seconds:g} >= {burn.least}")
        rule = self._alert(
            objective.alert,
            burn.severity,
            "\nand ".join(terms),
            burn.wait,
            slo=objective.slo,
            long_window=burn.long,
            short_window=burn.short,
        )
        if burn.outlast:
            rule["keep_firing_for"] = self._scale(burn.outlast)
        rule["annotations"] = {
            "summary": (
                f"The error budget of {objective.title} burns at {burn.factor:g} times the"
                " allowed rate."
            ),
            "description": self._burn_description(objective, burn),
            **self._links(objective.alert, objective.panel),
        }
        return rule

    def _burn_description(self, objective: Objective, burn: Burn) -> str:
        text = (
            f"{{{{ $value | humanizePercentage }}}} of the requests in {burn.long}"
            f" {objective.miss}; the objective allows {objective.budget:.1%}. At"
            f" {burn.factor:g} times that, the budget for {PERIOD} is used up in"
            f" {read_duration(PERIOD) / read_duration('1h') / burn.factor:.0f} hours."
        )
        return f"{text} {self._scaled(objective.blame.replace('${short}', f'${{{burn.short}}}'))}"

    def _cause(self, cause: Cause) -> Rule:
        rule = self._alert(cause.alert, cause.severity, self._scaled(cause.expr), cause.wait)
        if cause.outlast:
            rule["keep_firing_for"] = self._scale(cause.outlast)
        rule["annotations"] = {
            "summary": cause.summary,
            "description": self._scaled(cause.description),
            **self._links(cause.alert, cause.panel),
        }
        return rule

    def _alert(self, alert: str, severity: str, expr: str, wait: str, **labels: str) -> Rule:
        rule: Rule = {"alert": alert, "expr": expr}
        if read_duration(wait):
            rule["for"] = self._scale(wait)
        rule["labels"] = {"severity": severity, **labels}
        return rule

    def _scaled(self, text: str) -> str:
        return _SPAN.sub(lambda match: self._scale(match[1]), text)

    def _links(self, alert: str, panel: str) -> dict[str, str]:
        """Return where the alert leads: its runbook, and the panel that shows it."""
        return {
            "runbook_url": f"{self._places.runbooks}{alert}.html",
            "dashboard_url": (
                f"{self._places.dashboards}d/{SERVICE.uid}?viewPanel={SERVICE.panel_id(panel)}"
                "&var-namespace={{ $labels.namespace }}"
            ),
        }


def _record(name: str, objective: Objective, expr: str) -> Rule:
    return {"record": name, "expr": expr, "labels": {"slo": objective.slo}}


def _windows(*, long: bool) -> list[str]:
    used = {each for burn in BURNS for each in burn.windows} | {PERIOD}
    wanted = [each for each in used if (read_duration(each) > _LONGEST_RAW) is long]
    return sorted(wanted, key=read_duration)
