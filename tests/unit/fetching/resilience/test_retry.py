from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docwarden.core.errors import Retry
from docwarden.fetching.resilience.retry import RetryPolicy, RetryState, full_jitter


def nearly_one():
    return 1.0 - 2**-53


def attempts_until_the_end(kind):
    state = RetryState(RetryPolicy())
    attempts = 1
    while state.may_retry(kind, remaining=10.0, random=nearly_one) is not None:
        attempts += 1
    return attempts


@pytest.mark.parametrize(
    ("kind", "attempts"), [(Retry.TRANSPORT, 3), (Retry.CORRUPTION, 4), (Retry.NEVER, 1)]
)
def test_each_kind_of_failure_has_its_own_number_of_attempts(kind, attempts):
    assert attempts_until_the_end(kind) == attempts


@given(st.lists(st.sampled_from([Retry.TRANSPORT, Retry.CORRUPTION]), min_size=6, max_size=9))
def test_kinds_are_counted_apart_and_no_request_makes_more_than_six_attempts(kinds):
    state = RetryState(RetryPolicy())
    attempts = 1
    for number, kind in enumerate(kinds, start=1):
        failures_of_kind = kinds[:number].count(kind)
        allowed = state.may_retry(kind, remaining=10.0, random=nearly_one) is not None
        assert allowed == (failures_of_kind < {Retry.TRANSPORT: 3, Retry.CORRUPTION: 4}[kind])
        if not allowed:
            break
        attempts += 1
    assert attempts <= 6


def test_upper_end_of_the_wait_doubles_from_25_ms_up_to_250_ms():
    waits = [round(full_jitter(n, random=nearly_one), 3) for n in range(1, 7)]
    assert waits == [0.025, 0.05, 0.1, 0.2, 0.25, 0.25]


@given(attempt=st.integers(min_value=1, max_value=10**9), seed=st.integers())
def test_wait_stays_between_zero_and_the_cap_for_any_attempt(attempt, seed):
    assert 0.0 <= full_jitter(attempt, random=Random(seed).random) <= 0.25


def test_jitter_uses_the_whole_range_from_zero():
    draw = Random(1).random
    waits = [full_jitter(1, random=draw) for _ in range(1000)]
    assert min(waits) < 0.001
    assert max(waits) > 0.024


def test_corrupt_document_is_fetched_again_without_a_wait():
    state = RetryState(RetryPolicy())
    assert state.may_retry(Retry.CORRUPTION, remaining=10.0, random=nearly_one) == 0.0


@pytest.mark.parametrize("kind", [Retry.TRANSPORT, Retry.CORRUPTION])
def test_no_retry_begins_after_the_deadline(kind):
    state = RetryState(RetryPolicy())
    assert state.may_retry(kind, remaining=0.0, random=lambda: 0.0) is None


def test_no_retry_waits_into_the_deadline():
    state = RetryState(RetryPolicy())
    assert state.may_retry(Retry.TRANSPORT, remaining=0.02, random=nearly_one) is None
