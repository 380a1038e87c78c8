import asyncio
from random import Random

import pytest

from docwarden.fetching.resilience.hedging import Hedge, race
from docwarden.fetching.resilience.retry_budget import RetryBudget


class NotFoundError(Exception):
    """An answer that no other attempt would change."""


class Attempts:
    """Two attempts that take given times, with what became of them."""

    def __init__(self, **outcomes):
        self.outcomes = outcomes
        self.events = []
        self.discarded = []

    async def attempt(self, name):
        seconds, outcome = self.outcomes[name]
        self.events.append(f"{name} began")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
            self.events.append(f"{name} cancelled")
            raise
        self.events.append(f"{name} ended")
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def race(self, second=None):
        return await race(
            self.attempt("first"),
            second or (lambda: self.attempt("second")),
            1.0,
            settles=lambda error: isinstance(error, NotFoundError),
            discard=self.discarded.append,
        )


async def test_fast_first_attempt_runs_alone():
    attempts = Attempts(first=(0.5, "a"), second=(0.1, "b"))
    assert await attempts.race() == ("a", False)
    assert attempts.events == ["first began", "first ended"]


async def test_second_attempt_that_is_faster_wins_and_the_first_has_ended_by_then():
    attempts = Attempts(first=(9.0, "a"), second=(0.1, "b"))
    assert await attempts.race() == ("b", True)
    assert attempts.events[-2:] == ["second ended", "first cancelled"]


async def test_first_attempt_may_still_win_against_the_second():
    attempts = Attempts(first=(1.5, "a"), second=(9.0, "b"))
    assert await attempts.race() == ("a", False)
    assert attempts.events[-1] == "second cancelled"


async def test_first_that_fails_before_the_delay_fails_the_race():
    attempts = Attempts(first=(0.5, OSError("reset")), second=(0.1, "b"))
    with pytest.raises(OSError, match="reset"):
        await attempts.race()
    assert "second began" not in attempts.events


@pytest.mark.parametrize(
    ("first", "second", "won"),
    [((1.2, OSError("reset")), (1.0, "b"), "b"), ((3.0, "a"), (0.1, OSError("reset")), "a")],
)
async def test_failure_of_one_leaves_the_race_to_the_other(first, second, won):
    attempts = Attempts(first=first, second=second)
    result, _ = await attempts.race()
    assert result == won


async def test_when_both_fail_the_later_failure_is_raised():
    attempts = Attempts(first=(3.0, OSError("first")), second=(0.1, OSError("second")))
    with pytest.raises(OSError, match="first"):
        await attempts.race()


async def test_failure_that_settles_the_matter_ends_the_race():
    attempts = Attempts(first=(1.2, NotFoundError()), second=(9.0, "b"))
    with pytest.raises(NotFoundError):
        await attempts.race()
    assert attempts.events[-1] == "second cancelled"


async def test_race_goes_on_with_one_when_there_is_no_place_for_a_second():
    attempts = Attempts(first=(3.0, "a"))
    assert await attempts.race(second=lambda: None) == ("a", False)


async def test_result_that_came_in_the_same_moment_but_lost_is_discarded():
    attempts = Attempts(first=(2.0, "same"), second=(1.0, "same"))
    result, _ = await attempts.race()
    assert (result, attempts.discarded) == ("same", ["same"])


@pytest.mark.parametrize("after", [0.0, 0.5, 1.5])
async def test_cancelling_the_race_ends_both_attempts(after):
    attempts = Attempts(first=(9.0, "a"), second=(9.0, "b"))
    task = asyncio.create_task(attempts.race())
    await asyncio.sleep(after)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    began = [event for event in attempts.events if event.endswith("began")]
    cancelled = [event for event in attempts.events if event.endswith("cancelled")]
    assert len(began) == len(cancelled)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_result_that_nobody_waits_for_any_more_is_discarded():
    attempts = Attempts(first=(0.5, "a"))
    task = asyncio.create_task(attempts.race())
    await asyncio.sleep(0.5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert attempts.discarded == ["a"]


async def test_failure_to_begin_a_second_attempt_ends_the_first():
    attempts = Attempts(first=(9.0, "a"))

    def broken():
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        await attempts.race(second=broken)
    assert attempts.events[-1] == "first cancelled"


def hedge_that_saw(latencies, budget=None):
    hedge = Hedge(budget or RetryBudget(lambda: 0, ratio=0.1, floor=1))
    for latency in latencies:
        hedge.observe(latency)
    return hedge


def test_no_hedge_before_enough_was_seen():
    assert hedge_that_saw([0.05] * 99).delay(shedding=False) is None
    assert hedge_that_saw([0.05] * 100).delay(shedding=False) is not None


def test_no_hedge_while_shedding_or_without_a_place():
    budget = RetryBudget(lambda: 0, ratio=0.1, floor=1)
    hedge = hedge_that_saw([0.05] * 100, budget)
    assert hedge.delay(shedding=True) is None
    budget.try_take()
    assert hedge.delay(shedding=False) is None


@pytest.mark.parametrize("scale", [0.002, 0.05, 2.0])
def test_delay_is_the_95th_percentile_within_a_bucket(scale):
    draw = Random(1)
    latencies = [scale * draw.expovariate(1.0) for _ in range(5000)]
    delay = hedge_that_saw(latencies).delay(shedding=False)
    exact = sorted(latencies)[int(0.95 * len(latencies))]
    assert delay is not None
    assert exact * 0.9 < delay < exact * 1.3


def test_old_latencies_are_forgotten():
    delay = hedge_that_saw([2.0] * 5000 + [0.05] * 20_000).delay(shedding=False)
    assert delay is not None
    assert delay < 0.07


@pytest.mark.parametrize("latency", [0.0, 1e-9, 1e9])
def test_latencies_beyond_the_buckets_are_counted_at_their_ends(latency):
    delay = hedge_that_saw([latency] * 100).delay(shedding=False)
    assert delay is not None
    assert 0.0004 < delay < 120


async def test_winner_is_given_back_when_nobody_is_left_to_take_it():
    attempts = Attempts(first=(9.0, "a"), second=(0.1, "b"))
    racing = asyncio.create_task(attempts.race())
    # The second has won at 1.1, and the first is cleaning up until 1.101.
    asyncio.get_running_loop().call_later(1.1005, racing.cancel)
    with pytest.raises(asyncio.CancelledError):
        await racing
    assert attempts.events[-2:] == ["second ended", "first cancelled"]
    assert attempts.discarded == ["b"]
