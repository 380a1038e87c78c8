import random

from hypothesis import given
from hypothesis import strategies as st

from docwarden.fetching.resilience.failure_evidence import Evidence, FailureEvidence


def evidence(**changes):
    settings = {
        "in_a_row": 5,
        "share": 0.85,
        "min_results": 50,
        "window": 10.0,
        "chance": 1.0,
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


def of_document(number, *, silent_since=None):
    return Evidence("upstream-status-500", str(number), of_document=True, silent_since=silent_since)


def test_document_that_always_fails_counts_once_in_a_row():
    counted = evidence()
    assert not any(counted.failed(1.0, of_document(7)) for _ in range(40))
    assert [counted.failed(1.0, of_document(n)) for n in range(4)] == [False] * 3 + [True]


def test_document_that_always_fails_counts_once_in_a_tenth_of_the_window():
    counted = evidence(in_a_row=1000)
    counted.succeeded(1.0)
    assert not any(counted.failed(1.0 + n / 100, of_document(7)) for n in range(1000))


def test_silence_is_the_documents_while_others_are_answered():
    counted = evidence()
    for n in range(100):
        counted.succeeded(n)
        assert not counted.failed(n + 0.5, of_document(7, silent_since=n - 0.5))
    silent = [counted.failed(200.0, of_document(7, silent_since=199.0)) for _ in range(5)]
    assert silent[-1]


def test_row_that_the_usual_share_of_failures_explains_is_none():
    counted = evidence(chance=1e-6)
    draw = random.Random(5)
    for known in (100, 5000):
        verdicts = []
        for _ in range(known):
            if draw.random() < 0.5:
                counted.succeeded(1.0)
            else:
                verdicts.append(counted.failed(1.0))
    assert not any(verdicts), "once it is known what is usual"
    counted.succeeded(1.0)
    row = 1
    while not counted.failed(1.0):
        row += 1
    assert row <= 25, "and a dead upstream is still told from it"


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
    counted = evidence(in_a_row=10**9, min_results=3)
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
