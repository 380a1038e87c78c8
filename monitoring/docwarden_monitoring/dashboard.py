"""Grafana dashboards as data: rows of panels, variables and the events drawn over them.

The JSON follows the dashboard model of Grafana 10 and newer (schemaVersion 39).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from docwarden_monitoring.explore import ANY_DOCWARDEN
from docwarden_monitoring.panels import METRICS, Panel
from docwarden_monitoring.queries import INSTALLATIONS
from docwarden_monitoring.transitions import TRANSITIONS

_COLUMNS: Final = 24


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
            "annotations": {"list": [each.model(METRICS) for each in TRANSITIONS]},
            "panels": list(self._panels()),
        }  # fmt: skip

    def panel_id(self, title: str) -> int:
        """Return the number of a panel, which links to it name.

        Raises:
            KeyError: no panel has this title.
        """
        numbers = {each["title"]: int(each["id"]) for each in self._panels()}
        return numbers[title]

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
            "type": "query", "name": name, "label": label, "datasource": METRICS,
            "query": {"query": query, "refId": name}, "definition": query, "refresh": 2,
            "multi": many, "includeAll": many, "sort": 1,
            **({"allValue": ".*", "current": {"text": "All", "value": "$__all"}} if many else {}),
        }  # fmt: skip

    return [
        {"type": "datasource", "name": "datasource", "label": "Metrics", "query": "prometheus"},
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
        {"type": "datasource", "name": "logs", "label": "Logs", "query": "loki"},
        {
            "type": "textbox", "name": "stream", "label": "Log stream", "query": ANY_DOCWARDEN,
            "current": {"text": ANY_DOCWARDEN, "value": ANY_DOCWARDEN},
            "description": "Labels that select the gateway's logs in Loki; values in backticks.",
        },
    ]  # fmt: skip
