"""A fault is made, the right page arrives and no other, the fault is mended, the page resolves.

Prometheus and Alertmanager are the real ones; windows, waits and intervals are those of
production divided by sixty, from the same generator.
"""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from trial.clients import Clients, running_clients
from trial.courses import of_tests, running_courses
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
Load = Callable[[str], AbstractContextManager[Clients]]
FOUR: Load = functools.partial(running_clients, threads=4, rate=60)
EIGHT: Load = functools.partial(running_clients, threads=8, rate=60)
BURN = "DocwardenDocumentsBudgetBurn"
LATENCY = "DocwardenLatencyBudgetBurn"
# Half an hour, scaled, at one sample each evaluation: with no past, any failure is all there is.
PAST = 'count_over_time(docwarden:slo_requests:rate5m{slo="documents"}[1m]) > 120'


@contextlib.contextmanager
def watched(folder: Path, clients: Load, **settings: str) -> Iterator[Watch]:
    """Run a gateway, what watches it, and clients; all that a course needs."""
    scaled = {
        "DOCWARDEN_BREAKER_OPEN": "500ms",  # 30 s, scaled
        "DOCWARDEN_ATTEMPT_TIMEOUT": "1s",
        **settings,
    }
    with (
        running_gateway(folder, **scaled) as gateway,
        running_watch(folder, gateway) as running,
        clients(gateway.url),
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


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is done to the upstream, the page that has to come, and what its text says."""

    alert: str
    wishes: dict[str, Any]
    says: str
    crowd: int = 0
    settings: dict[str, str] = field(default_factory=dict)

    def course(self, folder: Path) -> None:
        """Make the fault, wait for its page, mend it, and wait for the end of it."""
        with watched(folder, EIGHT, **self.settings) as watch:
            until("half an hour of traffic", lambda: watch.query(PAST))
            assert watch.pages() == []

            watch.gateway.upstream(**self.wishes)
            more = Clients(watch.gateway.url, threads=self.crowd, rate=120)
            try:
                self._pages(watch)
            finally:
                more.stop()
            watch.gateway.upstream(**MENDED)
            resolved(watch, self.alert)

    def _pages(self, watch: Watch) -> None:
        """Wait for the page that names the fault. The budget burns as well, and is not told."""
        assert_says_what_to_do(page(watch, self.alert), self.alert, self.says)
        burn = LATENCY if self.wishes is SLOW else BURN
        until(f"{burn} to fire", lambda: watch.firing(burn, severity="critical"))
        until(f"{burn} to be held back", lambda: watch.held_back(burn, severity="critical"))
        assert {each["labels"]["alertname"] for each in watch.pages()} == {self.alert}
        assert watch.pages("resolved") == []


def gateway_that_dies(folder: Path) -> None:
    with watched(folder, FOUR) as watch:
        until("traffic", lambda: watch.query("docwarden:slo_requests:rate5m > 20"))
        watch.gateway.program.stop()
        assert_says_what_to_do(page(watch, "DocwardenDown"), "DocwardenDown")
        down = "DocwardenTargetDown"
        until(f"{down} to be held back", lambda: watch.held_back(down))
        assert {each["labels"]["alertname"] for each in watch.pages()} == {"DocwardenDown"}


def nothing_wrong(folder: Path) -> None:
    with watched(folder, FOUR) as watch:
        calls = until(
            "three calls",
            lambda: watch.receiver.alerts("/heartbeat")[2:] and watch.receiver.alerts("/heartbeat"),
        )
        assert {each["labels"]["alertname"] for each in calls} == {"DocwardenDeadMansSwitch"}
        assert {each["status"] for each in calls} == {"firing"}
        assert watch.pages() == []


FAULTS = {
    "dead": Fault(alert="DocwardenUpstreamDown", wishes=OUTAGE, says=r"conn\w+-\w+ [\d.]+%"),
    "slow": Fault(
        alert="DocwardenUpstreamSlow",
        wishes=SLOW,
        says=r"^[\d.]+% of .* median attempt took",
        crowd=8,
    ),
    "hanging": Fault(
        alert="DocwardenUpstreamSlow", wishes=HANGING, says=r"^[\d.]+% of .* or hangs"
    ),
    "corrupt": Fault(
        alert="DocwardenCorruptionHigh", wishes=CORRUPTION, says=r"startxref-wrong [\d.]+%"
    ),
    "overload": Fault(
        alert="DocwardenShedding",
        wishes=OVERLOAD,
        says="The limit is [4-8] requests in flight",
        crowd=30,
        settings={"DOCWARDEN_MAX_CONCURRENCY": "8"},
    ),
}
COURSES: dict[str, Callable[[Path], None]] = {
    **{f"upstream {name}: one page that names it": fault.course for name, fault in FAULTS.items()},
    "gateway dead: one page that says so": gateway_that_dies,
    "nothing wrong: the dead man's switch calls again and again": nothing_wrong,
}


@pytest.fixture(scope="module")
def courses(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[None]]]:
    wanted = of_tests(request.session.items, "test_a_fault_brings_one_page_until_it_is_mended")
    folders = {name: tmp_path_factory.mktemp("course") for name in wanted}
    begun = {name: functools.partial(COURSES[name], folders[name]) for name in wanted}
    with running_courses(begun) as running:
        yield running


@pytest.mark.parametrize("course", COURSES)
def test_a_fault_brings_one_page_until_it_is_mended(courses: dict[str, Future[None]], course: str):
    courses[course].result()
