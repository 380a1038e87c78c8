"""A fault is made, the right page arrives and no other, the fault is mended, the page resolves.

Prometheus and Alertmanager are the real ones; windows, waits and intervals are those of
production divided by sixty, from the same generator.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from trial.gateway import running_gateway
from trial.waiting import until
from trial.watch import PLACES, Watch, running_watch

OUTAGE = {"listening": False}
CORRUPTION = {"mix": {"png": 3, "corrupt-pdf": 7}}
# Eight requests in flight, 150 ms each: about 50 a second are served of the 180 that are asked.
OVERLOAD = {"latency": "150ms"}
# Above the objective's 500 ms; and above the attempt's timeout, as of an upstream that hangs.
SLOW = {"latency": "600ms"}
HANGING = {"latency": "2s"}
MENDED = {
    "listening": True,
    "mix": {"png": 50, "pdf": 40, "corrupt-pdf": 10},
    "latency": "0s",
}
BURN = "DocwardenDocumentsBudgetBurn"
LATENCY = "DocwardenLatencyBudgetBurn"
# Half an hour, scaled, at one sample each evaluation: with no past, any failure is all there is.
PAST = 'count_over_time(docwarden:slo_requests:rate5m{slo="documents"}[1m]) > 120'


@pytest.fixture
def watch(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Watch]:
    settings = {
        "DOCWARDEN_BREAKER_OPEN": "500ms",  # 30 s, scaled
        "DOCWARDEN_ATTEMPT_TIMEOUT": "1s",
        **getattr(request, "param", {}),
    }
    with (
        running_gateway(tmp_path, **settings) as gateway,
        running_watch(tmp_path, gateway) as running,
    ):
        yield running


def page(watch: Watch, alert: str) -> dict[str, Any]:
    """Wait for a first page; it has to be this alert."""
    first = until("a page", watch.pages)[0]
    assert first["labels"]["alertname"] == alert, first
    return dict(first)


def assert_says_what_to_do(page: dict[str, Any], alert: str, named: str = "") -> None:
    assert page["labels"]["severity"] == "critical"
    assert page["labels"]["job"] == "docwarden"
    assert page["annotations"]["summary"]
    assert re.search(named, page["annotations"]["description"]), page["annotations"]
    assert page["annotations"]["runbook_url"] == f"{PLACES.runbooks}{alert}.html"
    panel = rf"{PLACES.dashboards}d/docwarden-service\?viewPanel=\d+&var-namespace="
    assert re.fullmatch(panel, page["annotations"]["dashboard_url"])


def resolved(watch: Watch, alert: str) -> None:
    """Wait until the page is taken back and nothing burns any more; nothing else has paged."""
    until(
        f"{alert} to resolve",
        lambda: [each for each in watch.pages("resolved") if each["labels"]["alertname"] == alert],
    )
    for burn in (BURN, LATENCY):
        until(f"{burn} to end", lambda burn=burn: not watch.firing(burn, severity="critical"))
    # By now Alertmanager would have told of what was held back until the end.
    until("the inhibitor to end", lambda: not watch.firing("DocwardenInhibitor"))
    assert {each["labels"]["alertname"] for each in watch.pages()} == {alert}


@dataclass(frozen=True)
class Fault:
    """What is done to the upstream, the page that has to come, and what its text says."""

    alert: str
    wishes: dict[str, Any]
    says: str
    crowd: int = 0


FAULTS = {
    "dead": ({}, Fault("DocwardenUpstreamDown", OUTAGE, r"conn\w+-\w+ [\d.]+%")),
    "slow": ({}, Fault("DocwardenUpstreamSlow", SLOW, r"^[\d.]+% of .* median attempt took", 8)),
    "hanging": ({}, Fault("DocwardenUpstreamSlow", HANGING, r"^[\d.]+% of .* or hangs")),
    "corrupt": ({}, Fault("DocwardenCorruptionHigh", CORRUPTION, r"startxref-wrong [\d.]+%")),
    "overload": (
        {"DOCWARDEN_MAX_CONCURRENCY": "8"},
        Fault("DocwardenShedding", OVERLOAD, "limit stands at [4-8] requests in flight", 30),
    ),
}


@pytest.mark.parametrize(
    ("watch", "fault"), list(FAULTS.values()), ids=list(FAULTS), indirect=["watch"]
)
def test_a_fault_brings_one_page_that_names_it_and_resolves_when_mended(
    watch: Watch, clients: Callable[..., Any], fault: Fault
):
    clients(watch.gateway.url, threads=8, rate=60)
    until("half an hour of traffic", lambda: watch.query(PAST))
    assert watch.pages() == []

    watch.gateway.upstream(**fault.wishes)
    more = clients(watch.gateway.url, threads=fault.crowd, rate=120)
    assert_says_what_to_do(page(watch, fault.alert), fault.alert, fault.says)
    # The budget burns as well, and is not said twice.
    burn = LATENCY if fault.wishes is SLOW else BURN
    until(f"{burn} to fire", lambda: watch.firing(burn, severity="critical"))
    until(f"{burn} to be held back", lambda: watch.held_back(burn, severity="critical"))
    assert {each["labels"]["alertname"] for each in watch.pages()} == {fault.alert}
    assert watch.pages("resolved") == []

    watch.gateway.upstream(**MENDED)
    more.stop()
    resolved(watch, fault.alert)


def test_a_dead_gateway_brings_one_page_that_says_so(watch: Watch, clients: Callable[..., Any]):
    clients(watch.gateway.url)
    until("traffic", lambda: watch.query("docwarden:slo_requests:rate5m > 20"))

    watch.gateway.program.stop()
    assert_says_what_to_do(page(watch, "DocwardenDown"), "DocwardenDown")
    down = "DocwardenTargetDown"
    until(f"{down} to be held back", lambda: watch.held_back(down))
    assert {each["labels"]["alertname"] for each in watch.pages()} == {"DocwardenDown"}


def test_the_dead_mans_switch_calls_again_and_again_while_nothing_is_wrong(
    watch: Watch, clients: Callable[..., Any]
):
    clients(watch.gateway.url)
    calls = until("three calls", lambda: watch.receiver.alerts("/heartbeat")[2:] and
                  watch.receiver.alerts("/heartbeat"))  # fmt: skip
    assert {each["labels"]["alertname"] for each in calls} == {"DocwardenDeadMansSwitch"}
    assert {each["status"] for each in calls} == {"firing"}
    assert watch.pages() == []
