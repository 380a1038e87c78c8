"""How the gateway is, in words."""

from typing import Any

import pytest

from docwarden.admin.console.counts import Counts
from docwarden.admin.console.verdict import LEAST_ATTEMPTS, Level, Snapshot, Verdict, judge
from docwarden.fetching.resilience.breaker import State
from docwarden.telemetry.health import Phase

INCIDENTS = (
    "docwarden_store_errors_total",
    "docwarden_deep_check_failures_total",
    "docwarden_log_lines_dropped_total",
)


def verdict(*, outcomes=None, attempts=None, incidents=None, at=60.0, **other: Any) -> Verdict:
    recent = Counts(
        at=at,
        outcomes=outcomes or {},
        attempts=attempts or {},
        delivery=(),
        incidents=incidents or {},
    )
    usual: dict[str, Any] = {
        "phase": Phase.READY, "stuck": 0.0, "breaker": State.CLOSED, "breaker_wait": 0.0,
        "limit": 20.0, "stall": 0.0,
    }  # fmt: skip
    return judge(Snapshot(**{**usual, **other}, recent=recent))


def test_all_is_well_says_how_many_requests_that_rests_on():
    told = verdict(outcomes={"delivered": 1200.0})
    assert (told.level, told.title) == (Level.GOOD, "Serving")
    assert told.reasons[0].text == "All 1,200 requests in the last minute ended well."
    assert "the last 7 s" in verdict(outcomes={"delivered": 1.0}, at=7.2).reasons[0].text


def test_one_failure_among_many_is_within_the_objective_and_not_hidden():
    told = verdict(outcomes={"delivered": 1999.0, "timeout": 1.0})
    assert told.level is Level.GOOD
    assert told.reasons[0].text == "1,999 of 2,000 requests in the last minute ended well."


def test_share_is_rounded_down_so_that_nearly_all_is_not_all():
    told = verdict(outcomes={"delivered": 99_899.0, "timeout": 101.0})
    assert "99.89 % ended well, the objective is 99.9 %" in told.reasons[0].text


def test_silence_is_no_reason_for_concern():
    assert verdict().reasons[0].text.startswith("Nothing is wrong. No document was asked for")
    assert verdict(at=0.0).reasons[0].text == "Nothing is wrong."


@pytest.mark.parametrize(
    ("given", "level", "title"),
    [
        ({"stuck": 3.0}, Level.BAD, "Work is stuck"),
        ({"phase": Phase.STARTING}, Level.WARN, "Starting"),
        ({"phase": Phase.DRAINING}, Level.WARN, "Draining"),
        ({"phase": Phase.CLOSING}, Level.WARN, "Closing"),
        ({"breaker": State.OPEN, "breaker_wait": 7.0}, Level.BAD, "Upstream circuit open"),
        ({"breaker": State.HALF_OPEN}, Level.WARN, "Upstream on probation"),
        ({"outcomes": {"overloaded": 1.0}}, Level.WARN, "Shedding load"),
        ({"outcomes": {"timeout": 1.0}}, Level.WARN, "Documents are not delivered"),
        ({"attempts": {"connection-lost": 2.0, "intact": 38.0}}, Level.WARN, "The upstream fails"),
        (
            {"attempts": {"corrupt": 12.0, "intact": 28.0}},
            Level.WARN,
            "The upstream sends damaged documents",
        ),
        ({"incidents": {INCIDENTS[0]: 1.0}}, Level.WARN, "The store fails"),
        ({"incidents": {INCIDENTS[1]: 1.0}}, Level.WARN, "Deep checks fail"),
        ({"incidents": {INCIDENTS[2]: 1.0}}, Level.WARN, "Log lines are lost"),
        ({"stall": 0.5}, Level.WARN, "The event loop stalls"),
    ],
)
def test_each_thing_that_is_wrong_is_named(given, level, title):
    told = verdict(**given)
    assert told.level is level
    assert title in [reason.title for reason in told.reasons]


@pytest.mark.parametrize(
    "given",
    [
        {"attempts": {"corrupt": 11.0, "intact": 99.0}},
        {"attempts": {"connection-lost": 1.0, "intact": 39.0}},
        {"attempts": {"connection-lost": LEAST_ATTEMPTS - 1.0}},
        {"outcomes": {"delivered": 5.0, "client_closed": 5.0}},
        {"outcomes": {"delivered": 999.0, "timeout": 1.0}},
        {"stall": 0.49},
    ],
)
def test_what_is_usual_is_not_held_against_it(given):
    assert verdict(**given).level is Level.GOOD


def test_worst_reason_comes_first_and_gives_the_title():
    told = verdict(
        phase=Phase.DRAINING, breaker=State.OPEN, breaker_wait=4.0, outcomes={"circuit_open": 9.0}
    )
    assert told.title == "Upstream circuit open"
    assert [reason.level for reason in told.reasons] == [Level.BAD, Level.WARN, Level.WARN]
    assert "a probe follows in 4 s" in told.reasons[0].text
