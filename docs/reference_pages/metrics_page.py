"""Every metric, from the one list of declarations."""

from typing import Final

from docwarden.core.errors import Outcome
from docwarden.fetching.resilience.breaker import State
from docwarden.telemetry.catalog import ATTEMPT_RESULTS, BUCKETS, DECLARED, Declared
from reference_pages.markdown import codes, page, table

_INTRODUCTION: Final = """\
The operator listener's `/metrics` serves the Prometheus text format, or OpenMetrics to clients that
accept it. Labels have few possible values: none contains an id, a path or an exception text."""

_PROCESS: Final = """\
`process_*` (CPU seconds, memory, open descriptors, start time) come from `prometheus_client`."""

_BUCKETS: Final = f"""\
## Buckets of the histograms

In seconds, as OpenTelemetry recommends for HTTP servers:
{", ".join(f"{bound:g}" for bound in BUCKETS)}. The last trace id seen in a bucket is its exemplar
(OpenMetrics only)."""

_INDICATOR: Final = """\
## The service level indicator

*Documents delivered intact* is the share of `delivered`, `delivered_stale`, `not_modified` and
`not_found` in all outcomes but `client_closed`:

```promql
sum(rate(docwarden_documents_total{outcome=~"delivered|delivered_stale|not_modified|not_found"}[5m]))
/ sum(rate(docwarden_documents_total{outcome!="client_closed"}[5m]))
```"""


def metrics_page() -> str:
    """Return the page."""
    rows = [
        (f"`{exposed_name(each)}`", each.kind, codes(each.labels), each.about) for each in DECLARED
    ]
    return page(
        "Metrics",
        "docwarden.telemetry.metrics",
        _INTRODUCTION,
        table(("metric", "type", "labels", "meaning"), rows),
        _PROCESS,
        "## Values of labels",
        _label_values(),
        _BUCKETS,
        _INDICATOR,
    )


def exposed_name(metric: Declared) -> str:
    """Return the name under which Prometheus sees a metric: counters end in `_total`."""
    return f"{metric.name}_total" if metric.kind == "counter" else metric.name


def _label_values() -> str:
    findings = "the [integrity checks](integrity-checks.md) and their reasons"
    results = codes(ATTEMPT_RESULTS)
    states = codes(state.name.lower() for state in State)
    rows = (
        ("`docwarden_documents_total`", "`outcome`", codes(Outcome)),
        ("`docwarden_upstream_attempts_total`", "`result`", results),
        ("`docwarden_upstream_attempt_duration_seconds`", "`result`", "the same"),
        ("`docwarden_breaker_state`", "`state`", states),
        ("`docwarden_integrity_failures_total`", "`reason`, `tier`", findings),
        ("`docwarden_integrity_observations_total`", "`reason`, `tier`", findings),
    )
    return table(("metric", "label", "values"), rows)
