from hypothesis import given
from hypothesis import strategies as st

from docwarden.fetching.resilience.failure_evidence import FailureEvidence


def evidence(**changes):
    settings = {
        "in_a_row": 5,
        "row_span": 0.0,
        "share": 0.85,
        "least_results": 50,
        "window": 10.0,
    }
    return FailureEvidence(**{**settings, **changes})


def test_fifth_failure_in_a_row_is_one_too_many():
    counted = evidence()
    assert [counted.failed(1.0) for _ in range(5)] == [False] * 4 + [True]


def test_success_begins_the_row_anew():
    counted = evidence()
    for _ in range(4):
        counted.failed(1.0)
    counted.succeeded(1.0)
    assert [counted.failed(1.0) for _ in range(5)] == [False] * 4 + [True]


def test_row_shorter_than_its_span_is_one_event_and_not_many():
    counted = evidence(row_span=1.0)
    assert not any(counted.failed(1.0) for _ in range(40))
    assert not counted.failed(1.9)
    assert counted.failed(2.0)


def test_share_counts_from_the_least_number_of_results_on():
    counted = evidence(in_a_row=1000)
    for _ in range(7):
        counted.succeeded(1.0)
    verdicts = [counted.failed(1.0) for _ in range(43)]
    assert verdicts == [False] * 42 + [True]


def test_share_below_the_threshold_is_never_too_much():
    counted = evidence(in_a_row=1000)
    # 16 % succeed, first, so that no shorter stretch has a larger share of failures.
    for _ in range(160):
        counted.succeeded(1.0)
    assert not any(counted.failed(1.0) for _ in range(840))


def test_results_older_than_the_window_do_not_count():
    counted = evidence(in_a_row=1000)
    for _ in range(49):
        assert not counted.failed(1.0)
    assert not counted.failed(11.5)


def test_results_within_nine_tenths_of_the_window_count():
    counted = evidence(in_a_row=1000)
    for _ in range(49):
        assert not counted.failed(1.0)
    assert counted.failed(9.9)


def test_clear_forgets_the_row_and_the_window():
    counted = evidence()
    for _ in range(4):
        counted.failed(1.0)
    counted.clear()
    assert [counted.failed(1.0) for _ in range(5)] == [False] * 4 + [True]


@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(min_value=0, max_value=8)), min_size=1, max_size=200
    )
)
def test_window_agrees_with_a_list_of_all_results(steps):
    """The buckets may keep a result up to a tenth of the window shorter than the list does."""
    counted = evidence(in_a_row=10**9, least_results=3)
    now, results = 100.0, []
    for ok, pause in steps:
        now += pause
        results.append((now, ok))
        if ok:
            counted.succeeded(now)
            continue
        verdict = counted.failed(now)
        surely = [ok for at, ok in results if at > now - 9.0 + 1e-6]
        perhaps = [ok for at, ok in results if now - 10.0 - 1e-6 <= at <= now - 9.0 + 1e-6]
        # Old results leave in order, so the window is one of these suffixes.
        verdicts = {
            len(window) >= 3 and window.count(False) >= 0.85 * len(window)
            for drop in range(len(perhaps) + 1)
            for window in [perhaps[drop:] + surely]
        }
        assert verdict in verdicts
