"""Rates, shares and quantiles from two readings of the counters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docwarden.admin.console.counts import Counts, quantile, read
from docwarden.core.errors import Cause, Outcome
from docwarden.telemetry.catalog import BUCKETS
from docwarden.telemetry.metrics import Metrics, registry_of

NONE = (0.0,) * (len(BUCKETS) + 1)


def counts(at: float = 0.0, outcomes=None, attempts=None, delivery=NONE) -> Counts:
    return Counts(
        at=at, outcomes=outcomes or {}, attempts=attempts or {}, delivery=delivery, incidents={}
    )


def cumulative(durations: list[float]) -> list[float]:
    return [float(sum(d <= bound for d in durations)) for bound in (*BUCKETS, float("inf"))]


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


def test_quantile_interpolates_within_a_bucket_as_prometheus_does():
    # Ten observations between 0.1 and 0.25: the median lies in the middle of that bucket.
    assert quantile(0.5, cumulative([0.2] * 10)) == pytest.approx(0.175)
    assert quantile(0.5, cumulative([60.0] * 3)) == BUCKETS[-1]
    assert quantile(0.5, NONE) is None
    assert quantile(0.5, []) is None


@given(st.lists(st.floats(0.0, 9.9), min_size=1, max_size=50), st.floats(0.01, 0.99))
def test_quantile_lies_in_the_bucket_of_the_observation_of_that_rank(durations, share):
    found = quantile(share, cumulative(durations))
    assert found is not None
    rank = share * len(durations)
    bound = next(b for b, n in zip(BUCKETS, cumulative(durations), strict=False) if n >= rank)
    below = max((b for b in BUCKETS if b < bound), default=0.0)
    assert below <= found <= bound


def test_only_deliveries_of_documents_count_as_delivery_time():
    metrics = Metrics(version="0", revision="0")
    metrics.requests["/{id}", "GET", 200].observe(0.2)
    metrics.requests["/{id}", "HEAD", 304].observe(0.2)
    metrics.requests["/{id}", "GET", 502].observe(9.0)
    metrics.requests["/healthz", "GET", 200].observe(9.0)
    found = Counts.of(read(registry_of(metrics)), at=0.0)
    assert found.delivery[-1] == 2
    assert quantile(1.0, found.delivery) == 0.25


def test_reading_has_plain_strings_as_labels():
    metrics = Metrics(version="0", revision="0")
    metrics.documents[Outcome.DELIVERED] += 1
    numbers = read(registry_of(metrics))
    assert numbers["docwarden_documents_total"]["delivered",] == 1
    labels = [label for rows in numbers.values() for row in rows for label in row]
    assert {type(label) for label in labels} == {str}
