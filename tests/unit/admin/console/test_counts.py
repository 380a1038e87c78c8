"""Rates, shares and quantiles from two readings of the counters."""

import math
from bisect import bisect_left

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from docwarden.admin.console.counts import Counts, quantile, read
from docwarden.core.errors import Cause, Outcome
from docwarden.process.workers.merging import merge, parse
from docwarden.telemetry.catalog import BUCKETS
from docwarden.telemetry.metrics import FINE, Metrics, exposition, registry_of

NONE = (0.0,) * (len(FINE) + 1)


def counts(at: float = 0.0, outcomes=None, attempts=None, delivery=NONE) -> Counts:
    return Counts(
        at=at,
        outcomes=outcomes or {},
        attempts=attempts or {},
        attempt_seconds={},
        late_attempts={},
        delivery=delivery,
        incidents={},
    )


def counted(durations: list[float]) -> list[float]:
    found = [0.0] * (len(FINE) + 1)
    for duration in durations:
        found[bisect_left(FINE, duration)] += 1
    return found


def test_every_outcome_but_a_client_that_left_is_good_refused_or_failed_and_only_one_of_them():
    for outcome in Outcome:
        one = counts(outcomes={outcome: 1.0})
        assert (one.good, one.refused, one.failed, one.gone).count(1.0) == 1
        assert one.good + one.refused + one.failed == (outcome is not Outcome.CLIENT_CLOSED)


@pytest.mark.parametrize("result", ["intact", *Cause])
def test_every_result_of_an_attempt_is_answered_damaged_or_broken_unless_it_was_ended_here(result):
    one = counts(attempts={result: 1.0})
    assert one.answered + one.damaged + one.broken == (
        result not in (Cause.CLIENT_CLOSED, Cause.MEMORY)
    )


def test_indicator_leaves_out_clients_that_left_and_is_unknown_without_requests():
    told = counts(outcomes={"delivered": 8.0, "not_found": 1.0, "timeout": 1.0, "client_closed": 9})
    assert told.good_share() == pytest.approx(0.9)
    assert counts(outcomes={"client_closed": 9.0}).good_share() is None


def test_growth_counts_what_was_not_there_before_from_zero():
    change = counts(12.0, {"delivered": 30.0, "timeout": 2.0}).since(counts(2.0, {"delivered": 10}))
    assert change.outcomes == {"delivered": 20.0, "timeout": 2.0}
    assert change.rate(change.good) == 2.0
    assert counts(0.0).rate(5.0) == 0.0


def test_quantile_of_what_lies_above_all_bounds_is_the_last_and_of_nothing_none():
    assert quantile(0.5, counted([600.0] * 3)) == FINE[-1]
    assert quantile(0.5, NONE) is None
    assert quantile(0.5, []) is None


@given(st.lists(st.floats(0.0006, 59.0), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_quantile_is_within_a_tenth_of_the_observation_of_that_rank(durations, share):
    found = quantile(share, counted(durations))
    assert found is not None
    exact = sorted(durations)[math.ceil(share * len(durations)) - 1]
    assert found == pytest.approx(exact, rel=0.1)


def test_slow_deliveries_are_those_above_half_a_second():
    told = counts(delivery=counted([0.1, 0.5, 0.500001, 2.5, 90.0]))
    assert (told.delivered, told.slow) == (5, 3)


def test_mean_of_an_attempt_is_that_of_the_growth():
    metrics = Metrics(version="0", revision="0")
    metrics.attempts["intact"].observe(9.0)
    before = Counts.of(read(registry_of(metrics)), NONE, at=0.0)
    metrics.attempts["intact"].observe(0.2)
    metrics.attempts["intact"].observe(0.4)
    grown = Counts.of(read(registry_of(metrics)), NONE, at=60.0).since(before)
    assert grown.mean_seconds() == {"intact": pytest.approx(0.3)}


def test_only_deliveries_of_documents_count_as_delivery_time():
    metrics = Metrics(version="0", revision="0")
    metrics.requests["/{id}", "GET", 200].observe(0.2)
    metrics.requests["/{id}", "HEAD", 304].observe(0.2)
    metrics.requests["/{id}", "GET", 502].observe(9.0)
    metrics.requests["/healthz", "GET", 200].observe(9.0)
    assert sum(metrics.deliveries()) == 2
    assert quantile(1.0, metrics.deliveries()) == pytest.approx(0.2, rel=0.1)


def test_scrape_shows_the_buckets_of_the_contract_with_what_lies_between_them():
    metrics = Metrics(version="0", revision="0")
    for duration in (0.004, 0.005, 0.3, 2.504, 11.0):
        metrics.attempts["intact"].observe(duration, "t" if duration == 2.504 else "")
    rows = metrics.attempts["intact"].buckets()
    assert [float(row[0]) for row in rows[:-1]] == list(BUCKETS)
    assert [row[1] for row in rows] == [
        sum(d <= bound for d in (0.004, 0.005, 0.3, 2.504, 11.0)) for bound in (*BUCKETS, 99.0)
    ]
    assert [row[0] for row in rows if len(row) == 3] == ["5.0"]


def test_reading_has_plain_strings_as_labels():
    metrics = Metrics(version="0", revision="0")
    metrics.documents[Outcome.DELIVERED] += 1
    numbers = read(registry_of(metrics))
    assert numbers["docwarden_documents_total"]["delivered",] == 1
    labels = [label for rows in numbers.values() for row in rows for label in row]
    assert {type(label) for label in labels} == {str}


def test_late_attempts_are_those_above_half_a_second_of_one_process_and_of_several():
    metrics = Metrics(version="1", revision="none")
    for seconds in (0.1, 0.5, 0.6, 2.5):
        metrics.attempts["intact"].observe(seconds)
    metrics.attempts["client-closed"].observe(9.0)
    registry = registry_of(metrics)
    text = exposition(registry, b"")[0].decode()
    merged = CollectorRegistry()
    merged.register(Families(merge([parse(text), parse(text)])))
    for source, factor in ((registry, 1), (merged, 2)):
        told = Counts.of(read(source), NONE, 0.0)
        late = {result: number for result, number in told.late_attempts.items() if number}
        assert late == {"intact": 2.0 * factor, "client-closed": 1.0 * factor}
        assert told.late == 2.0 * factor


class Families(Collector):
    """Families that were put together elsewhere."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families
