import heapq
from random import Random

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from docwarden.fetching.resilience.retry_budget import RetryBudget


class BudgetMachine(RuleBasedStateMachine):
    """The budget against its definition, recomputed from scratch after each step."""

    def __init__(self):
        super().__init__()
        self.budget = RetryBudget(lambda: self.requests, ratio=0.2, floor=3)
        self.requests = 0
        self.retries = 0

    @rule(count=st.integers(min_value=1, max_value=30))
    def enter(self, count):
        self.requests += count

    @precondition(lambda self: self.requests)
    @rule()
    def leave(self):
        self.requests -= 1

    @rule()
    def try_take(self):
        allowed = self.retries < 3 or self.retries + 1 <= 0.2 * self.requests
        assert self.budget.try_take() == allowed
        self.retries += allowed

    @precondition(lambda self: self.retries)
    @rule()
    def release(self):
        self.budget.release()
        self.retries -= 1

    @invariant()
    def remaining_is_what_may_still_start(self):
        most = max(3, self.requests // 5)
        assert self.budget.remaining == max(0, most - self.retries)


TestBudgetMachine = BudgetMachine.TestCase


def test_refused_retries_are_counted():
    budget = RetryBudget(lambda: 0, ratio=0.2, floor=1)
    assert [budget.try_take() for _ in range(3)] == [True, False, False]
    assert budget.refused == 2


def simulate(make, *, clients, corrupt, attempts, requests, seed):
    """Clients that ask again at once; returns failed requests and attempts made."""
    draw = Random(seed)
    failed = made = begun = flying = 0
    budget = make(lambda: flying)
    events: list[tuple[float, int, int]] = []

    def attempt(now, number):
        nonlocal made
        made += 1
        heapq.heappush(events, (now + 0.04 + 0.02 * draw.random(), made, number))

    def request(now):
        nonlocal begun, flying
        if begun < requests:
            begun += 1
            flying += 1
            attempt(now, 1)

    for _ in range(clients):
        request(0.0)
    while events:
        now, _, number = heapq.heappop(events)
        is_corrupt = draw.random() < corrupt
        again = is_corrupt and number < attempts and budget.try_take()
        if number > 1:
            budget.release()
        if again:
            attempt(now, number + 1)
            continue
        failed += is_corrupt
        flying -= 1
        request(now)
    assert flying == budget.retries == 0
    return failed, made


def test_at_ten_percent_corruption_the_budget_hardly_ever_binds():
    # 27 clients are the worst case for a floor of 10 and a ratio of 0.4.
    failed, _ = simulate(
        RetryBudget.for_corruption, clients=27, corrupt=0.1, attempts=4, requests=100_000, seed=1
    )
    assert failed <= 100_000 * 0.0003


def test_wholly_corrupt_upstream_sees_at_most_five_thirds_of_the_load():
    _, made = simulate(
        RetryBudget.for_corruption, clients=100, corrupt=1.0, attempts=4, requests=20_000, seed=1
    )
    assert 1.2 < made / 20_000 <= 5 / 3 + 0.01


def test_dead_upstream_sees_at_most_five_quarters_of_the_load():
    _, made = simulate(RetryBudget, clients=100, corrupt=1.0, attempts=3, requests=20_000, seed=1)
    assert 1.1 < made / 20_000 <= 1.25 + 0.01
