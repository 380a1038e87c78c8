"""How the gateway is, in words."""

from typing import Any

import pytest

from docwarden.admin.console.causes import MIN_ATTEMPTS
from docwarden.admin.console.concern import Level, Snapshot
from docwarden.admin.console.counts import Counts
from docwarden.admin.console.diagnosis import Diagnosis, diagnose
from docwarden.admin.console.timeline import Pulse, Stretch
from docwarden.fetching.resilience.breaker import State
from docwarden.telemetry.health import Phase
from docwarden.telemetry.metrics import FINE

INCIDENTS = (
    "docwarden_store_errors_total",
    "docwarden_deep_check_failures_total",
    "docwarden_log_lines_dropped_total",
)
NOON = 1_795_953_600.0  # 2026-11-29 12:00:00 UTC


def held(seconds: float, lost: float) -> Stretch:
    """Something has held since noon, and so many requests were lost meanwhile."""
    return Stretch(NOON, Pulse(NOON + seconds, 0.0, lost, 0.0, 0.0, 0.0, 0.0, 0.0))


HELD = held(60.0, 3591.0)


def delivered(*, fast: int = 0, slow: int = 0) -> list[float]:
    counts = [0.0] * (len(FINE) + 1)
    counts[0], counts[-2] = fast, slow
    return counts


def verdict(
    *, outcomes=None, attempts=None, late=None, incidents=None, at=60.0, delivery=(), **other: Any
) -> Diagnosis:
    recent = Counts(
        at=at,
        outcomes=outcomes or {},
        attempts=attempts or {},
        attempt_seconds={},
        late_attempts=late or {},
        delivery=delivery,
        incidents=incidents or {},
    )
    usual: dict[str, Any] = {
        "phase": Phase.READY, "stuck": 0.0, "breaker": State.CLOSED, "breaker_wait": 0.0,
        "limit": 20.0, "stall": 0.0,
    }  # fmt: skip
    return diagnose(Snapshot(**{**usual, **other}, recent=recent))


def test_all_is_well_says_how_many_requests_that_rests_on():
    told = verdict(outcomes={"delivered": 1200.0})
    assert (told.level, told.title) == (Level.GOOD, "Serving")
    assert told.concerns[0].text == "All 1,200 requests in the last minute succeeded."
    assert "the last 7 s" in verdict(outcomes={"delivered": 1.0}, at=7.2).concerns[0].text


def test_one_failure_among_many_is_no_outage_and_not_hidden():
    told = verdict(outcomes={"delivered": 435.0, "timeout": 1.0}, reasons={"attempt-timeout": 1})
    assert told.level is Level.GOOD
    assert told.concerns[0].text == (
        "435 of 436 requests in the last minute succeeded. attempt-timeout x 1."
    )


def test_page_that_serves_nothing_tells_impact_since_when_and_causes():
    told = verdict(
        outcomes={"upstream_error": 3000.0, "circuit_open": 591.0},
        reasons={"connect-failed": 9, "circuit-open": 5},
        since=lambda _: HELD,
        breaker=State.OPEN,
        breaker_wait=12.0,
    )
    assert (told.level, told.title) == (Level.BAD, "No documents delivered")
    assert told.concerns[0].text == (
        "No documents delivered since 12:00:00 UTC: 3,591 of 3,591 requests in the last minute"
        " failed. connect-failed x 9, circuit-open x 5."
    )
    assert told.concerns[0].runbook == "DocwardenDocumentsBudgetBurn"
    assert told.concerns[1].title == "Upstream circuit open"
    assert "the next probe is in 12 s" in told.concerns[1].text


def test_outage_is_named_while_documents_of_the_minute_before_it_still_count():
    outcomes = {"delivered": 800.0, "upstream_error": 40.0}
    told = verdict(outcomes=outcomes, since=lambda _: held(6.0, 40.0))
    assert (told.level, told.title) == (Level.BAD, "No documents delivered")
    assert told.concerns[0].text == (
        "No documents delivered since 12:00:00 UTC: 40 requests failed since then;"
        " 40 of 840 requests in the last minute failed."
    )


@pytest.mark.parametrize("stretch", [held(4.0, 40.0), held(6.0, 2.0)])
def test_few_failures_in_a_row_are_no_outage(stretch):
    outcomes = {"delivered": 800.0, "upstream_error": 40.0}
    assert verdict(outcomes=outcomes, since=lambda _: stretch).title == (
        "Some documents are not delivered"
    )


@pytest.mark.parametrize(
    ("outcomes", "level"),
    [
        ({"timeout": 1.0}, Level.WARN),
        ({"timeout": 3.0}, Level.BAD),
        ({"delivered": 1.0, "timeout": 1.0}, Level.WARN),
        ({"delivered": 1997.0, "timeout": 3.0}, Level.WARN),
        ({"delivered": 975.0, "corrupt": 25.0}, Level.BAD),
        ({"delivered": 100.0, "timeout": 2.0}, Level.GOOD),
        ({"delivered": 9997.0, "timeout": 3.0}, Level.GOOD),
    ],
)
def test_level_follows_the_share_of_the_error_budget(outcomes, level):
    assert verdict(outcomes=outcomes).level is level


def test_share_is_rounded_down_so_that_nearly_all_is_not_all():
    told = verdict(outcomes={"delivered": 99_899.0, "timeout": 101.0})
    assert "99.89 % succeeded, the objective is 99.9 %" in told.concerns[0].text


@pytest.mark.parametrize(
    ("delivery", "level"),
    [
        (delivered(fast=100, slow=2), Level.GOOD),
        (delivered(fast=997, slow=3), Level.GOOD),
        (delivered(fast=97, slow=3), Level.WARN),
        (delivered(fast=80, slow=20), Level.BAD),
        (delivered(slow=15), Level.BAD),
    ],
)
def test_slow_documents_count_as_the_objective_has_them(delivery, level):
    told = verdict(outcomes={"delivered": sum(delivery)}, delivery=delivery, since=lambda _: HELD)
    assert told.level is level
    if level is not Level.GOOD:
        assert told.title == "Deliveries are slow"
        assert "took longer than 0.5 s since 12:00:00 UTC" in told.concerns[0].text


def test_silence_is_no_reason_for_concern():
    assert verdict().concerns[0].text.startswith("Nothing is wrong. No document was requested")
    assert verdict(at=0.0).concerns[0].text == "Nothing is wrong."


@pytest.mark.parametrize(
    ("given", "level", "title"),
    [
        ({"stuck": 3.0}, Level.BAD, "A request is stuck"),
        ({"phase": Phase.STARTING}, Level.WARN, "Starting"),
        ({"phase": Phase.DRAINING}, Level.WARN, "Draining"),
        ({"phase": Phase.CLOSING}, Level.WARN, "Closing"),
        ({"breaker": State.OPEN, "breaker_wait": 7.0}, Level.BAD, "Upstream circuit open"),
        ({"breaker": State.HALF_OPEN}, Level.WARN, "Upstream circuit half-open"),
        ({"outcomes": {"overloaded": 1.0}}, Level.WARN, "Shedding load"),
        ({"outcomes": {"timeout": 1.0}}, Level.WARN, "No documents delivered"),
        (
            {"attempts": {"connection-lost": 2.0, "intact": 38.0}},
            Level.WARN,
            "The upstream is failing",
        ),
        (
            {"attempts": {"corrupt": 12.0, "intact": 28.0}},
            Level.WARN,
            "The upstream sends damaged documents",
        ),
        (
            {"attempts": {"intact": 40.0}, "late": {"intact": 2.0}},
            Level.WARN,
            "The upstream is slow",
        ),
        ({"incidents": {INCIDENTS[0]: 1.0}}, Level.WARN, "The store is failing"),
        ({"incidents": {INCIDENTS[1]: 1.0}}, Level.WARN, "Deep checks are failing"),
        ({"incidents": {INCIDENTS[2]: 1.0}}, Level.WARN, "Log lines are lost"),
        ({"stall": 0.5}, Level.WARN, "The event loop stalls"),
    ],
)
def test_each_thing_that_is_wrong_is_named(given, level, title):
    told = verdict(**given)
    assert told.level is level
    assert title in [concern.title for concern in told.concerns]


@pytest.mark.parametrize(
    "given",
    [
        {"attempts": {"corrupt": 11.0, "intact": 99.0}},
        {"attempts": {"connection-lost": 1.0, "intact": 39.0}},
        {"attempts": {"intact": 40.0, "client-closed": 9.0}, "late": {"client-closed": 9.0}},
        {"attempts": {"connection-lost": MIN_ATTEMPTS - 1.0}},
        {"outcomes": {"delivered": 5.0, "client_closed": 5.0}},
        {"outcomes": {"delivered": 999.0, "timeout": 1.0}},
        {"stall": 0.49},
    ],
)
def test_what_is_usual_is_not_held_against_it(given):
    assert verdict(**given).level is Level.GOOD


def test_impact_comes_before_its_causes_and_gives_the_title():
    told = verdict(
        phase=Phase.DRAINING, breaker=State.OPEN, breaker_wait=4.0, outcomes={"circuit_open": 9.0}
    )
    assert told.title == "No documents delivered"
    assert [concern.level for concern in told.concerns] == [Level.BAD, Level.WARN, Level.BAD]
    assert told.level is Level.BAD
    assert "the next probe is in 4 s" in told.concerns[-1].text


def test_failing_attempts_are_named_by_their_results():
    told = verdict(attempts={"connect-failed": 30.0, "connection-lost": 2.0, "intact": 8.0})
    assert (
        "32 of 40 attempts in the last minute got no usable answer:"
        " connect-failed x 30, connection-lost x 2."
    ) in told.concerns[0].text
