"""Logs beside the metrics: queries for Loki, and links from panels to Grafana's Explore page."""

import json
import urllib.parse
from typing import Final

STREAM: Final = "{$stream}"
"""Stream selector that follows the dashboard's variable `stream`."""

ANY_DOCWARDEN: Final = "job=~`.*docwarden.*`"
"""Fits Docker Compose (`job="docwarden"`) and Kubernetes collectors (`job="docwarden/docwarden"`).

Backticks, since the links carry it inside of a JSON string.
"""

ENDED: Final = f'{STREAM} |= "request.ended" | json'
FAILED: Final = f'{ENDED} | error_type!=""'
SLOW: Final = f'{ENDED} | outcome="delivered" | total_ms > 500'
BY_OUTCOME: Final = f'{ENDED} | outcome="${{__field.labels.outcome}}"'
BY_REASON: Final = f'{STREAM} |= "request.ended" |= "${{__field.labels.reason}}" | json'
BY_RESULT: Final = (
    f'{STREAM} |= `"result":"${{__field.labels.result}}"` | json'
)  # fmt: skip
BY_STATUS: Final = (
    f'{ENDED} | http_response_status_code="${{__field.labels.http_response_status_code}}"'
)
EVENTS: Final = f'{STREAM} != "request.ended" | json'
DEFECTS: Final = f'{STREAM} |= "exception.stacktrace" | json'


def explore_url(query: str) -> str:
    """Return the address of Explore with a query for Loki, over the time that is shown.

    Variables stay as they are, for Grafana to fill in.
    """
    source = {"type": "loki", "uid": "${logs}"}
    pane = {
        "datasource": "${logs}",
        "queries": [{"refId": "A", "datasource": source, "expr": query}],
        "range": {"from": "${__from}", "to": "${__to}"},
    }
    panes = json.dumps({"logs": pane}, separators=(",", ":"))
    return f"/explore?schemaVersion=1&panes={urllib.parse.quote(panes, safe='${}:,.')}"
