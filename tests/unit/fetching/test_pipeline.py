"""The order of the policies around an attempt, with only the attempt replaced."""

import random

import pytest

from docwarden.core.deadline import Deadline
from docwarden.core.document import Document
from docwarden.core.errors import Cause, Failure
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.fetching.pipeline import Fetching
from docwarden.fetching.resilience.breaker import Breaker, State
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.fetching.resilience.retry import RetryPolicy
from docwarden.fetching.resilience.retry_budget import RetryBudget
from docwarden.telemetry.metrics import Metrics

GOOD = Document(b"%PDF", "application/pdf", b"pdf", b'"x"')


class Clock:
    """Time that only tests move."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


class World:
    """A `Fetching` whose attempts follow a script."""

    def __init__(self, *script):
        self.script = list(script)
        self.clock = Clock()
        self.timeouts = []
        self.fresh = []
        self.documents = []
        self.asked = 0
        self.limiter = AdaptiveLimiter()
        self.breaker = Breaker(random=lambda: 0.0)
        self.transport = RetryBudget(lambda: self.limiter.in_flight)
        self.corruption = RetryBudget.for_corruption(lambda: self.limiter.in_flight)
        self.fetching = Fetching(
            attempt=self.attempt,
            limiter=self.limiter,
            breaker=self.breaker,
            retries=RetryPolicy(backoff_base=0.0, backoff_cap=0.0),
            hedge=None,
            hedge_budget=RetryBudget(lambda: 0),
            single_flight=None,
            copies=None,
            metrics=Metrics(version="0", revision="0"),
            transport_budget=self.transport,
            corruption_budget=self.corruption,
            attempt_timeout=3.0,
            clock=self.clock,
            random=random.Random(1).random,
        )

    async def attempt(self, fetch, fetched, started, timeout, fresh):
        self.documents.append(fetch.document_id)
        assert started == self.clock.now
        self.timeouts.append(timeout)
        assert self.limiter.in_flight == 1, "an attempt is made under the limit"
        step = self.script.pop(0)
        self.fresh.append(fresh)
        fetched.add_attempt(str(step), 0.0, 0.0)
        if isinstance(step, float):
            self.clock.now += step
            raise Failure(Cause.ATTEMPT_TIMEOUT)
        if isinstance(step, Cause):
            raise Failure(step)
        if isinstance(step, BaseException):
            raise step
        return step

    async def fetch(self, seconds=10.0, document_id=None):
        self.asked += 1
        fetch = Fetch(document_id or str(self.asked), Deadline(self.clock.now + seconds))
        try:
            return await self.fetching.fetch(fetch, FetchResult())
        finally:
            assert self.limiter.in_flight == 0
            assert (self.transport.retries, self.corruption.retries) == (0, 0)


async def cause_of(world, seconds=10.0):
    with pytest.raises(Failure) as caught:
        await world.fetch(seconds)
    return caught.value.cause


async def test_first_intact_answer_ends_the_request():
    world = World(GOOD)
    assert await world.fetch() is GOOD
    assert world.timeouts == [3.0]


async def test_transport_failures_get_three_attempts():
    world = World(Cause.RESET, Cause.CONNECT, Cause.STATUS, GOOD)
    assert await cause_of(world) is Cause.STATUS
    assert len(world.timeouts) == 3


async def test_corrupt_documents_get_four_attempts():
    world = World(*[Cause.CORRUPT] * 4, GOOD)
    assert await cause_of(world) is Cause.CORRUPT
    assert len(world.timeouts) == 4


async def test_both_kinds_are_counted_apart():
    world = World(
        Cause.CORRUPT, Cause.RESET, Cause.CORRUPT, Cause.RESET, Cause.CORRUPT, GOOD,
    )  # fmt: skip
    assert await world.fetch() is GOOD


@pytest.mark.parametrize("cause", [Cause.NOT_FOUND, Cause.TOO_LARGE, Cause.STATUS_FINAL])
async def test_final_answers_are_not_asked_for_again(cause):
    world = World(cause, GOOD)
    assert await cause_of(world) is cause
    assert len(world.timeouts) == 1


async def test_no_attempt_reaches_past_the_deadline():
    world = World(3.0, 3.0, GOOD)
    assert await world.fetch(7.5) is GOOD
    assert world.timeouts == [3.0, 3.0, 1.5]


async def test_attempt_cut_short_by_the_deadline_says_nothing_of_the_upstream():
    world = World(3.0, 1.0)
    assert await cause_of(world, 4.0) is Cause.DEADLINE
    assert world.timeouts == [3.0, 1.0]


async def test_breaker_sees_every_attempt_and_ends_the_retries_when_it_opens():
    world = World(*[Cause.CONNECT] * 9)
    assert await cause_of(world) is Cause.CONNECT
    assert await cause_of(world) is Cause.CONNECT
    assert world.breaker.state(world.clock.now) is State.OPEN
    assert len(world.timeouts) == 5, "the fifth failure opened it; the sixth attempt was not made"
    assert await cause_of(world) is Cause.CIRCUIT_OPEN
    assert len(world.timeouts) == 5


async def test_corruption_never_opens_the_breaker():
    world = World(*[Cause.CORRUPT] * 400)
    for _ in range(100):
        assert await cause_of(world) is Cause.CORRUPT
    assert world.breaker.state(world.clock.now) is State.CLOSED


async def test_empty_transport_budget_stops_retries():
    world = World(Cause.RESET, GOOD)
    for _ in range(3):
        assert world.transport.try_take()
    with pytest.raises(Failure):
        await world.fetching.fetch(Fetch("7", Deadline(world.clock.now + 10)), FetchResult())
    assert len(world.timeouts) == 1


async def test_half_open_breaker_lets_one_probe_through_and_closes_on_success():
    world = World(*[Cause.CONNECT] * 5, GOOD, GOOD)
    await cause_of(world)
    await cause_of(world)
    world.clock.now += 30.0
    assert await world.fetch() is GOOD
    assert world.breaker.state(world.clock.now) is State.CLOSED
    assert world.fresh == [False] * 5 + [True], "the probe uses no connection from before"


@pytest.mark.parametrize("cause", [Cause.MEMORY, Cause.OVERLOADED, Cause.STALLED])
async def test_probe_for_which_something_lacks_here_neither_closes_nor_reopens(cause):
    world = World(*[Cause.CONNECT] * 5, cause, cause, cause)
    await cause_of(world)
    await cause_of(world)
    world.clock.now += 30.0
    assert await cause_of(world) is cause
    assert world.breaker.state(world.clock.now) is State.HALF_OPEN


async def test_defect_in_an_attempt_leaves_nothing_held():
    world = World(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        await world.fetch()


class LeavingWorld(World):
    """Its attempts release their place, as those do that wait for a deep check."""

    async def attempt(self, fetch, fetched, started, timeout, fresh):
        assert fetched.within_limit
        try:
            return await super().attempt(fetch, fetched, started, timeout, fresh)
        finally:
            fetched.within_limit = False
            self.limiter.release(None)


async def test_place_that_an_attempt_released_is_released_once():
    world = LeavingWorld(GOOD)
    await world.fetch()
    assert world.limiter.in_flight == 0


async def test_further_attempt_takes_a_place_again():
    world = LeavingWorld(Cause.CORRUPT, Cause.CORRUPT, GOOD)
    await world.fetch()
    assert world.limiter.in_flight == 0
    assert world.asked == 1
    assert world.script == []


async def test_further_attempt_without_a_place_ends_with_why_there_had_to_be_one():
    world = LeavingWorld(Cause.CORRUPT, GOOD)
    real = world.attempt

    async def and_others_come(*arguments):
        try:
            return await real(*arguments)
        finally:
            world.limiter.in_flight += world.limiter.limit

    world.fetching._attempt = and_others_come
    soon = Fetch("1", Deadline(world.clock.now + 0.05))
    with pytest.raises(Failure) as raised:
        await world.fetching.fetch(soon, FetchResult())
    assert raised.value.cause is Cause.CORRUPT
    assert world.script == [GOOD]
