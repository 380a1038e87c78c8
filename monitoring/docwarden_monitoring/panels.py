"""Panels of Grafana dashboards: each with its queries, unit, thresholds and way to the logs."""

from dataclasses import dataclass
from typing import Any, Final

from docwarden_monitoring.explore import explore_url

GREEN: Final = "green"
YELLOW: Final = "yellow"
ORANGE: Final = "orange"
RED: Final = "red"

METRICS: Final = {"type": "prometheus", "uid": "${datasource}"}
LOGS: Final = {"type": "loki", "uid": "${logs}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One query, PromQL or in panels of logs LogQL, and the legend of its series."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One panel.

    Attributes:
        title: what is shown.
        about: how to read it: shown behind the panel's mark.
        kind: Grafana's panel type.
        unit: Grafana's unit id.
        queries: what is drawn.
        steps: from which value on which colour; below the first it is green, or `below`.
        below: colour under the first step.
        width: of 24 columns.
        height: in grid rows.
        stacked: whether series add up.
        least: lower end of the scale.
        most: upper end of the scale, by the data where None.
        logs: LogQL for the log lines behind what is drawn: a link from the panel's series, or
            `queries` themselves in a panel of the kind `logs`.
    """

    title: str
    about: str
    unit: str
    queries: tuple[Query, ...]
    kind: str = "timeseries"
    steps: tuple[tuple[float, str], ...] = ()
    below: str = GREEN
    width: int = 8
    height: int = 8
    stacked: bool = False
    least: float | None = 0
    most: float | None = None
    logs: str | None = None

    @property
    def source(self) -> dict[str, str]:
        """Where its queries are asked."""
        return LOGS if self.kind == "logs" else METRICS

    def model(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel as Grafana reads it."""
        targets = enumerate(self.queries)
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": self.source,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [self._target(chr(ord("A") + index), query) for index, query in targets],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": _OPTIONS[self.kind],
        }

    def _target(self, name: str, query: Query) -> dict[str, Any]:
        target = {
            "refId": name, "datasource": self.source, "editorMode": "code", "expr": query.expr,
            "legendFormat": query.legend,
        }  # fmt: skip
        if self.kind == "logs":
            return {**target, "queryType": "range", "maxLines": 500}
        instant = self.kind in ("stat", "gauge", "table")
        shape = {"format": self.kind} if self.kind in ("table", "heatmap") else {}
        return {**target, "instant": instant, "range": not instant, **shape}

    def _defaults(self) -> dict[str, Any]:
        steps: list[dict[str, Any]] = [{"color": self.below, "value": None}]
        steps += [{"color": colour, "value": value} for value, colour in self.steps]
        defaults: dict[str, Any] = {
            "unit": self.unit,
            "thresholds": {"mode": "absolute", "steps": steps},
            "color": {"mode": "palette-classic" if self.kind == "timeseries" else "thresholds"},
        }
        if self.least is not None:
            defaults["min"] = self.least
        if self.most is not None:
            defaults["max"] = self.most
        if self.logs:
            defaults["links"] = [
                {"title": "Log lines", "url": explore_url(self.logs), "targetBlank": True}
            ]
        if self.kind == "state-timeline":
            defaults["custom"] = {"fillOpacity": 80, "lineWidth": 0}
        if self.kind == "timeseries":
            defaults["custom"] = {
                "lineWidth": 1,
                "fillOpacity": 30 if self.stacked else 0,
                "showPoints": "never",
                "spanNulls": False,
                "stacking": {"mode": "normal" if self.stacked else "none"},
                "thresholdsStyle": {"mode": "line" if self.steps else "off"},
            }
        return defaults


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "timeseries": {
        "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {
        "reduceOptions": {"calcs": ["lastNotNull"]},
        "colorMode": "background",
        "graphMode": "none",
        "textMode": "value",
    },
    "gauge": {"reduceOptions": {"calcs": ["lastNotNull"]}, "showThresholdMarkers": True},
    "table": {"showHeader": True},
    "state-timeline": {
        "mergeValues": True,
        "showValue": "never",
        "alignValue": "left",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "tooltip": {"mode": "single"},
    },
    "logs": {
        "showTime": True,
        "wrapLogMessage": True,
        "enableLogDetails": True,
        "sortOrder": "Descending",
        "dedupStrategy": "none",
    },
    "heatmap": {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Spectral", "steps": 64, "reverse": True},
        "yAxis": {"unit": "s"},
        "cellGap": 1,
        "tooltip": {"mode": "single"},
        "legend": {"show": True},
    },
}
