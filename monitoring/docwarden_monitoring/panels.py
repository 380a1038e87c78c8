"""Grafana dashboards as data: rows of panels, each with its queries, unit and thresholds.

The JSON follows the dashboard model of Grafana 10 and newer (schemaVersion 39).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from docwarden_monitoring.queries import INSTALLATIONS

GREEN: Final = "green"
YELLOW: Final = "yellow"
ORANGE: Final = "orange"
RED: Final = "red"

_COLUMNS: Final = 24
_SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One PromQL expression and the legend of its series; `per_second` etc. is the panel's unit."""

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

    def model(self, number: int, x: int, y: int) -> dict[str, Any]:
        """Return the panel as Grafana reads it."""
        instant = self.kind in ("stat", "gauge", "table")
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": _SOURCE,
            "gridPos": {"h": self.height, "w": self.width, "x": x, "y": y},
            "targets": [
                {
                    "refId": chr(ord("A") + index),
                    "datasource": _SOURCE,
                    "editorMode": "code",
                    "expr": query.expr,
                    "legendFormat": query.legend,
                    "instant": instant,
                    "range": not instant,
                    **({"format": "table"} if self.kind == "table" else {}),
                    **({"format": "heatmap"} if self.kind == "heatmap" else {}),
                }
                for index, query in enumerate(self.queries)
            ],
            "fieldConfig": {"defaults": self._defaults(), "overrides": []},
            "options": _OPTIONS[self.kind],
        }

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
    "heatmap": {
        "calculate": False,
        "color": {"mode": "scheme", "scheme": "Spectral", "steps": 64, "reverse": True},
        "yAxis": {"unit": "s"},
        "cellGap": 1,
        "tooltip": {"mode": "single"},
        "legend": {"show": True},
    },
}


@dataclass(frozen=True, slots=True)
class Row:
    """Panels under one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard; `name` is its file, `docwarden-<name>` its uid."""

    name: str
    title: str
    about: str
    rows: tuple[Row, ...]

    @property
    def uid(self) -> str:
        """What links lead to."""
        return f"docwarden-{self.name}"

    def model(self, *, runbooks: str) -> dict[str, Any]:
        """Return the dashboard as Grafana reads it."""
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["docwarden"],
            "schemaVersion": 39,
            "editable": False,
            "graphTooltip": 1,
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "timezone": "browser",
            "links": [
                {"type": "link", "title": "Runbooks", "url": runbooks, "targetBlank": True},
                {
                    "type": "dashboards", "title": "docwarden", "tags": ["docwarden"],
                    "asDropdown": False, "includeVars": True, "keepTime": True,
                },
            ],
            "templating": {"list": _variables()},
            "annotations": {"list": []},
            "panels": list(self._panels()),
        }  # fmt: skip

    def _panels(self) -> Iterator[dict[str, Any]]:
        number, y = 1, 0
        for row in self.rows:
            yield {
                "id": number, "type": "row", "title": row.title, "collapsed": False, "panels": [],
                "gridPos": {"h": 1, "w": _COLUMNS, "x": 0, "y": y},
            }  # fmt: skip
            number, y, x, tallest = number + 1, y + 1, 0, 0
            for panel in row.panels:
                if x + panel.width > _COLUMNS:
                    x, y, tallest = 0, y + tallest, 0
                yield panel.model(number, x, y)
                number, x, tallest = number + 1, x + panel.width, max(tallest, panel.height)
            y += tallest


def _variables() -> list[dict[str, Any]]:
    def of_label(name: str, label: str, query: str, *, many: bool) -> dict[str, Any]:
        return {
            "type": "query", "name": name, "label": label, "datasource": _SOURCE,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2,
            "multi": many, "includeAll": many, "sort": 1,
            **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if many else {}),
        }  # fmt: skip

    return [
        {"type": "datasource", "name": "datasource", "label": "Data source", "query": "prometheus"},
        of_label("job", "Job", "label_values(docwarden_build_info, job)", many=False),
        of_label(
            "namespace",
            "Installation",
            'label_values(docwarden_build_info{job=~"$job"}, namespace)',
            many=True,
        ),
        of_label(
            "instance",
            "Process",
            f"label_values(docwarden_build_info{{{INSTALLATIONS}}}, instance)",
            many=True,
        ),
    ]
