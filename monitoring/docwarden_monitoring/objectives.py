"""What is promised, and how fast a budget may burn before somebody hears of it.

This is the description that recording rules, alerts, dashboards and the reference page follow.
"""

from dataclasses import dataclass
from typing import Final

from docwarden_monitoring.selection import BY, JOB
from docwarden_monitoring.wording import dominant, measured

PERIOD: Final = "30d"
GOOD_OUTCOMES: Final = ("delivered", "delivered_stale", "not_modified", "not_found")
NOT_COUNTED: Final = "client_closed"
DELIVERY_STATUSES: Final = "200|206|304"
LATENCY_BOUND: Final = "0.5"
"""Seconds; a bound of the histogram's buckets, so that the count is exact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One promise over `PERIOD`.

    Attributes:
        slo: value of the label `slo`.
        alert: name of its burn-rate alerts.
        title: what is promised, in a few words.
        miss: what a bad event did, after "of the requests".
        target: share of good events that is promised, from 0 to 1.
        failed: PromQL for the rate of bad events over `$window`, by installation.
        total: PromQL for the rate of all events over `$window`, by installation.
        blame: template text on where the bad events come from, over `${short}`.
        panel: title of the service dashboard's panel that shows it.
    """

    slo: str
    alert: str
    title: str
    miss: str
    target: float
    failed: str
    total: str
    blame: str
    panel: str

    @property
    def budget(self) -> float:
        """Share of events that may fail."""
        return round(1 - self.target, 9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """When the budget burns too fast (Google SRE workbook, chapter 5, table 5-8).

    Attributes:
        factor: how many times faster than the budget allows.
        long: window that tells that enough was lost to matter.
        short: window that tells that it goes on.
        now: a third, shorter window, which ends a page soon after its fault.
        wait: how long the condition has to hold (kube-prometheus has the same waits).
        outlast: how long it goes on firing, so that a slower page that it silences ends first.
        severity: `critical` wakes somebody, `warning` is a ticket.
        least: bad events in the long window below which nobody is woken.
    """

    factor: float
    long: str
    short: str
    now: str | None = None
    wait: str
    outlast: str | None = None
    severity: str
    least: int = 0

    @property
    def windows(self) -> tuple[str, ...]:
        """All of its windows, the longest first."""
        return tuple(each for each in (self.long, self.short, self.now) if each)


BURNS: Final = (
    Burn(
        factor=14.4, long="1h", short="5m", now="2m", wait="2m", outlast="30s",
        severity="critical", least=5,
    ),
    Burn(factor=6, long="6h", short="30m", now="2m", wait="15m", severity="critical", least=5),
    Burn(factor=3, long="1d", short="2h", wait="1h", severity="warning"),
    Burn(factor=1, long="3d", short="6h", wait="3h", severity="warning"),
)  # fmt: skip
FASTEST: Final = BURNS[0]

_BAD_OUTCOME: Final = f'outcome!~"{"|".join((*GOOD_OUTCOMES, NOT_COUNTED))}"'
_BAD: Final = f"{JOB},{_BAD_OUTCOME}"
_COUNTED: Final = f'{JOB},outcome!="{NOT_COUNTED}"'
_DELIVERIES: Final = f'{JOB},http_route="/{{id}}",http_response_status_code=~"{DELIVERY_STATUSES}"'
_SECONDS: Final = "http_server_request_duration_seconds"

OBJECTIVES: Final = (
    Objective(
        slo="documents",
        alert="DocwardenDocumentsBudgetBurn",
        title="documents delivered intact",
        miss="got no intact document",
        target=0.999,
        failed=f"sum {BY} (rate(docwarden_documents_total{{{_BAD}}}[$window]))",
        total=f"sum {BY} (rate(docwarden_documents_total{{{_COUNTED}}}[$window]))",
        blame="Failures by outcome: "
        + dominant("docwarden_documents_total", "outcome", _BAD_OUTCOME, most=3, window="short")
        + ".",
        panel="Failed share by outcome",
    ),
    Objective(
        slo="latency",
        alert="DocwardenLatencyBudgetBurn",
        title="deliveries under 500 ms",
        miss="took longer than 500 ms",
        target=0.99,
        failed=(
            f"sum {BY} (rate({_SECONDS}_count{{{_DELIVERIES}}}[$window]))"
            f" - sum {BY} (rate({_SECONDS}_bucket"
            f'{{{_DELIVERIES},le="{LATENCY_BOUND}"}}[$window]))'
        ),
        total=f"sum {BY} (rate({_SECONDS}_count{{{_DELIVERIES}}}[$window]))",
        blame=measured(
            "histogram_quantile(0.5, sum by (le)"
            f' (rate(docwarden_upstream_attempt_duration_seconds_bucket{{{JOB},namespace="%s",'
            'result="intact"}[${short}])))',
            "The median attempt takes {{ humanizeDuration $value }}.",
        ),
        panel="Slow share of deliveries",
    ),
)
