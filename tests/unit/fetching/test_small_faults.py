"""What one document meets, minute after minute on a clock that only tests move."""

import random

import pytest

from docwarden.core.deadline import Deadline
from docwarden.core.document import Document
from docwarden.core.errors import Cause, Detail, Failure
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.fetching.pipeline import Fetching
from docwarden.fetching.resilience.breaker import Breaker, Change, State
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.fetching.resilience.retry import RetryPolicy
from docwarden.fetching.resilience.retry_budget import RetryBudget
from docwarden.telemetry.metrics import Metrics

GOOD = Document(b"%PDF", "application/pdf", b"pdf", b'"x"')
SILENT = Failure(Cause.ATTEMPT_TIMEOUT, detail=Detail.NO_ANSWER)
REFUSED = Failure(Cause.CONNECT, detail=Detail.REFUSED)


class World:
    """Documents that fail as `faults` says, each attempt at the time that its request was made."""

    def __init__(self, faults=()):
        self.now = 100.0
        self.faults = dict(faults)
        self.draw = random.Random(7)
        self.attempts = 0
        self.changes: list[Change] = []
        self.breaker = Breaker(random=lambda: 0.0, on_change=self.changes.append)
        self.fetching = Fetching(
            attempt=self.attempt,
            limiter=AdaptiveLimiter(),
            breaker=self.breaker,
            retries=RetryPolicy(backoff_base=0.0, backoff_cap=0.0),
            hedge=None,
            hedge_budget=RetryBudget(lambda: 0),
            single_flight=None,
            copies=None,
            metrics=Metrics(version="0", revision="0"),
            transport_budget=RetryBudget(lambda: 1),
            corruption_budget=RetryBudget.for_corruption(lambda: 1),
            attempt_timeout=3.0,
            clock=lambda: self.now,
            random=lambda: 0.0,
        )

    async def attempt(self, fetch, fetched, started, timeout, fresh):  # noqa: ARG002 - an attempt's
        self.attempts += 1
        fetched.add_attempt("", 0.0, 0.0)
        fault = self.faults.get(fetch.document_id, self.faults.get("*"))
        if callable(fault):
            fault = fault()
        if fault is not None:
            raise Failure(fault.cause, detail=fault.detail)
        return GOOD

    async def status(self, document_id):
        fetch = Fetch(str(document_id), Deadline(self.now + 10.0))
        try:
            await self.fetching.fetch(fetch, FetchResult())
        except Failure as failure:
            return failure.cause
        return 200


@pytest.mark.parametrize(
    "fault", [Failure(Cause.STATUS), Failure(Cause.PROTOCOL), Failure(Cause.RESET)], ids=str
)
async def test_poison_polled_ten_times_a_second_leaves_all_others_alone(fault):
    world = World({"1": fault})
    for tenth in range(1000):
        world.now = 100.0 + tenth / 10
        assert await world.status(1) is fault.cause
        if tenth % 10 == 9:
            assert await world.status(tenth) == 200
    assert world.changes == []


async def test_silent_poison_leaves_others_alone_while_they_are_answered():
    world = World({"1": SILENT})
    for tenth in range(1000):
        world.now = 100.0 + tenth / 10
        assert await world.status(tenth + 2) == 200
        assert await world.status(1) is Cause.ATTEMPT_TIMEOUT
    assert world.changes == []


@pytest.mark.parametrize("fault", [SILENT, REFUSED], ids=["silent", "refused"])
async def test_dead_upstream_opens_the_breaker_within_five_attempts_for_whatever_document(fault):
    world = World({"*": fault})
    for _ in range(10):
        world.now += 1.0
        await world.status(1)
    assert (world.attempts, world.breaker.openings) == (5, 1)
    (opened,) = world.changes
    assert (opened.state, opened.seconds) == (State.OPEN, 30.0)
    assert fault.detail in opened.cause


async def test_upstream_that_fails_for_every_document_opens_it_too():
    world = World({"*": Failure(Cause.STATUS)})
    for number in range(10):
        await world.status(number)
    assert world.breaker.state(world.now) is State.OPEN


async def test_chance_does_not_open_it():
    draw = random.Random(3)
    world = World({"*": lambda: SILENT if draw.random() < 0.5 else None})
    outcomes = []
    for number in range(3000):
        world.now += 0.5
        outcomes.append(await world.status(number))
        if number == 50:
            outcomes.clear()
            world.changes.clear()
    assert world.changes == []
    assert outcomes.count(200) > 0.85 * len(outcomes)


async def opened(world):
    while world.breaker.state(world.now) is not State.OPEN:
        await world.status(1)
    world.now = world.breaker.open_until


async def test_failed_probe_of_one_document_reopens_for_nobody():
    world = World({"*": REFUSED})
    await opened(world)
    world.faults = {"1": Failure(Cause.STATUS)}
    assert await world.status(1) is Cause.STATUS
    assert await world.status(2) == 200, "the next probe"
    assert [change.state for change in world.changes] == [State.OPEN, State.CLOSED]
    assert world.changes[1].seconds == 30.0


async def test_document_whose_probe_failed_gives_way_to_others_for_a_second():
    world = World({"*": REFUSED})
    await opened(world)
    world.faults = {"1": Failure(Cause.STATUS)}
    await world.status(1)
    attempts = world.attempts
    world.now += 0.9
    assert await world.status(1) is Cause.CIRCUIT_OPEN
    assert world.attempts == attempts
    world.now += 0.2
    assert await world.status(1) is Cause.STATUS
    assert world.breaker.openings == 1


async def test_probes_of_three_documents_that_fail_are_the_upstreams_fault():
    world = World({"*": REFUSED})
    await opened(world)
    world.faults = {"*": Failure(Cause.STATUS)}
    for number in range(1, 4):
        await world.status(number)
    assert world.breaker.openings == 2
