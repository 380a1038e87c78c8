from itertools import product

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from docwarden.fetching.resilience.breaker import TRANSITIONS, Breaker, Event, State


def no_jitter():
    return 0.0


@pytest.fixture
def breaker():
    return Breaker(random=no_jitter)


def acquire(breaker, now):
    permit = breaker.try_acquire(now)
    assert permit is not None
    return permit


def trip(breaker, now):
    for _ in range(5):
        breaker.failed(acquire(breaker, now), now)
    assert breaker.state(now) is State.OPEN


def half_open_probe(breaker, now=100.0):
    trip(breaker, now)
    probe = acquire(breaker, now + 30.0)
    assert breaker.state(now + 30.0) is State.HALF_OPEN
    return probe


REPORTS = ("succeeded", "failed", "abandoned")


@pytest.mark.parametrize("report", REPORTS)
def test_single_result_leaves_a_closed_breaker_closed(breaker, report):
    getattr(breaker, report)(acquire(breaker, 1.0), 1.0)
    assert breaker.state(1.0) is State.CLOSED


@pytest.mark.parametrize(
    ("report", "state"),
    [("succeeded", State.CLOSED), ("failed", State.OPEN), ("abandoned", State.HALF_OPEN)],
)
def test_result_of_the_probe_decides_the_next_state(breaker, report, state):
    probe = half_open_probe(breaker)
    getattr(breaker, report)(probe, 131.0)
    assert breaker.state(131.0) is state


@pytest.mark.parametrize(
    ("report", "state"), list(product(REPORTS, ("open", "half_open", "again")))
)
def test_late_result_of_an_earlier_generation_changes_nothing(breaker, report, state):
    late = acquire(breaker, 100.0)
    trip(breaker, 100.0)
    now = 100.0
    if state != "open":
        now = 130.0
        probe = acquire(breaker, now)
    if state == "again":
        breaker.succeeded(probe, now)
    before = breaker.state(now)
    for _ in range(10):
        getattr(breaker, report)(late, now)
    assert breaker.state(now) is before
    if state == "half_open":
        assert breaker.try_acquire(now) is None


def test_table_reaches_every_state_and_no_pair_outside_it_is_asked_for():
    assert {state for state, _ in TRANSITIONS} == set(State)
    assert {state for state, _ in TRANSITIONS.values()} == set(State)
    assert {event for _, event in TRANSITIONS} == set(Event)


def test_open_breaker_rejects_until_its_time_is_over(breaker):
    trip(breaker, 100.0)
    assert breaker.try_acquire(129.9) is None
    assert breaker.retry_after(129.0) == pytest.approx(1.0)
    assert breaker.rejected == 1
    assert breaker.try_acquire(130.0) is not None


def test_probes_go_one_at_a_time(breaker):
    probe = half_open_probe(breaker)
    assert breaker.try_acquire(130.5) is None
    assert breaker.retry_after(130.5) == 1.0
    breaker.abandoned(probe, 130.6)
    assert breaker.retry_after(130.6) == 0.0
    assert breaker.try_acquire(130.6) is not None


def test_probe_that_nobody_reports_on_does_not_block_for_ever(breaker):
    lost = half_open_probe(breaker)
    assert breaker.try_acquire(139.9) is None
    second = acquire(breaker, 140.0)
    breaker.failed(lost, 140.1)
    assert breaker.state(140.1) is State.HALF_OPEN
    breaker.succeeded(second, 140.2)
    assert breaker.state(140.2) is State.CLOSED


def test_late_end_of_a_lost_probe_does_not_free_the_place_of_the_next(breaker):
    lost = half_open_probe(breaker)
    acquire(breaker, 140.0)
    breaker.abandoned(lost, 140.1)
    assert breaker.try_acquire(140.1) is None


def test_openings_in_a_row_grow_up_to_five_minutes(breaker):
    now = 100.0
    trip(breaker, now)
    lengths = []
    for _ in range(12):
        lengths.append(round(breaker.retry_after(now)))
        now += breaker.retry_after(now)
        breaker.failed(acquire(breaker, now), now)
    assert lengths == [30, 60, 90, 120, 150, 180, 210, 240, 270, 300, 300, 300]


def test_calm_minute_makes_the_next_opening_the_first_again(breaker):
    breaker.succeeded(half_open_probe(breaker), 130.0)
    trip(breaker, 189.0)
    assert breaker.retry_after(189.0) == pytest.approx(60.0)
    breaker.succeeded(acquire(breaker, 249.0), 249.0)
    trip(breaker, 309.0)
    assert breaker.retry_after(309.0) == pytest.approx(30.0)


def test_failed_probe_long_after_the_last_close_still_counts_on(breaker):
    breaker.succeeded(half_open_probe(breaker), 130.0)
    trip(breaker, 140.0)
    breaker.failed(acquire(breaker, 1000.0), 1000.0)
    assert breaker.retry_after(1000.0) == pytest.approx(90.0)


def test_jitter_adds_up_to_a_tenth_and_takes_nothing_away():
    breaker = Breaker(random=lambda: 0.999)
    trip(breaker, 100.0)
    assert breaker.retry_after(100.0) == pytest.approx(33.0, abs=0.01)


def test_closed_breaker_forgets_what_was_before_it_opened(breaker):
    breaker.succeeded(half_open_probe(breaker), 130.0)
    for _ in range(4):
        breaker.failed(acquire(breaker, 131.0), 131.0)
    assert breaker.state(131.0) is State.CLOSED


def test_state_of_an_opening_that_is_over_reads_half_open_without_any_request(breaker):
    trip(breaker, 100.0)
    assert breaker.state(130.0) is State.HALF_OPEN
    assert breaker.retry_after(130.0) == 0.0


class BreakerMachine(RuleBasedStateMachine):
    """The breaker against a model that knows only the table in words."""

    def __init__(self):
        super().__init__()
        self.now = 1000.0
        self.breaker = Breaker(
            random=no_jitter,
            consecutive_failures=3,
            min_results=10**9,
            chance=1.0,
            opening=10.0,
            longest_opening=30.0,
            calm=25.0,
            probe_timeout=5.0,
        )
        self.state = "closed"
        self.generation = 0
        self.row = 0
        self.openings_in_a_row = 0
        self.until = self.closed_at = 0.0
        self.probe_since: float | None = None
        self.permits: list[tuple[object, int]] = []

    @rule(seconds=st.sampled_from([0.5, 3.0, 6.0, 11.0, 26.0]))
    def wait(self, seconds):
        self.now += seconds

    @rule()
    def acquire(self):
        permit = self.breaker.try_acquire(self.now)
        if self.state == "closed":
            allowed = True
        elif self.state == "open":
            allowed = self.now >= self.until
        else:
            allowed = self.probe_since is None or self.now >= self.probe_since + 5.0
        assert (permit is not None) == allowed
        if allowed and self.state != "closed":
            self.state = "half-open"
            self.generation += 1
            self.probe_since = self.now
        if allowed:
            self.permits.append((permit, self.generation))

    def open(self, *, after_calm):
        self.openings_in_a_row = 1 if after_calm else self.openings_in_a_row + 1
        self.state = "open"
        self.generation += 1
        self.probe_since = None
        self.row = 0
        self.until = self.now + min(10.0 * self.openings_in_a_row, 30.0)

    @precondition(lambda self: self.permits)
    @rule(data=st.data(), report=st.sampled_from(REPORTS))
    def report(self, data, report):
        index = data.draw(st.integers(min_value=0, max_value=len(self.permits) - 1))
        permit, generation = self.permits.pop(index)
        getattr(self.breaker, report)(permit, self.now)
        if generation != self.generation:
            return
        if self.state == "closed":
            self.row = {"succeeded": 0, "failed": self.row + 1, "abandoned": self.row}[report]
            if self.row == 3:
                self.open(after_calm=self.now - self.closed_at >= 25.0)
        elif report == "failed":
            self.open(after_calm=False)
        else:
            self.generation += 1
            self.probe_since = None
            if report == "succeeded":
                self.state, self.closed_at, self.row = "closed", self.now, 0

    @invariant()
    def states_agree(self):
        over = self.state == "open" and self.now >= self.until
        expected = "half-open" if over else self.state
        assert self.breaker.state(self.now).value.replace("_", "-") == expected

    @invariant()
    def a_breaker_that_rejects_says_for_how_long(self):
        if self.state == "open" and self.now < self.until:
            assert self.breaker.retry_after(self.now) == pytest.approx(self.until - self.now)


TestBreakerMachine = BreakerMachine.TestCase
