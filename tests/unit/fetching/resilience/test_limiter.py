import asyncio

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from docwarden.fetching.resilience.gradient_limit import GradientLimit
from docwarden.fetching.resilience.limiter import LONGEST_QUEUE, AdaptiveLimiter, Overloaded


def limiter_of(places, **settings):
    return AdaptiveLimiter(GradientLimit(start=places, minimum=places, maximum=places), **settings)


async def queued(limiter, count=1):
    """Return tasks that wait in the queue."""
    tasks = [asyncio.create_task(limiter.acquire(10.0)) for _ in range(count)]
    await asyncio.sleep(0)
    assert limiter.waiting == count
    return tasks


def seconds():
    return asyncio.get_running_loop().time()


async def test_free_place_is_given_without_waiting():
    limiter = limiter_of(2)
    await limiter.acquire(1.0)
    assert limiter.try_acquire()
    assert not limiter.try_acquire()
    assert limiter.in_flight == 2


async def test_places_go_to_the_queue_in_order_of_arrival():
    limiter = limiter_of(1)
    limiter.try_acquire()
    first, second = await queued(limiter, 2)
    limiter.release(None)
    await first
    assert not second.done()
    limiter.release(None)
    await second
    assert (limiter.in_flight, limiter.waiting) == (1, 0)


async def test_newcomer_does_not_overtake_the_queue():
    limiter = limiter_of(1)
    limiter.try_acquire()
    (waiter,) = await queued(limiter)
    limiter.release(None)
    assert not limiter.try_acquire()
    await waiter


@pytest.mark.parametrize(("remaining", "waited"), [(10.0, 0.1), (0.03, 0.03)])
async def test_wait_ends_with_the_shorter_of_both_limits(remaining, waited):
    limiter = limiter_of(1)
    limiter.try_acquire()
    began = seconds()
    with pytest.raises(Overloaded):
        await limiter.acquire(remaining)
    assert seconds() - began == pytest.approx(waited)
    assert (limiter.in_flight, limiter.waiting, limiter.refused) == (1, 0, 1)


async def test_request_without_time_is_refused_without_waiting():
    limiter = limiter_of(1)
    limiter.try_acquire()
    began = seconds()
    with pytest.raises(Overloaded):
        await limiter.acquire(0.0)
    assert seconds() == began


async def test_queue_holds_what_its_wait_can_serve_and_refuses_the_rest_at_once():
    limiter = limiter_of(10)
    for _ in range(10):
        limiter.try_acquire()
    for _ in range(10):
        limiter.release(0.05)
        limiter.try_acquire()
    # 10 places of 50 ms serve 20 requests in 100 ms.
    waiters = await queued(limiter, 20)
    began = seconds()
    with pytest.raises(Overloaded):
        await limiter.acquire(10.0)
    assert seconds() == began
    await asyncio.wait(waiters)
    assert all(isinstance(waiter.exception(), Overloaded) for waiter in waiters)


async def test_queue_has_an_end_before_anything_is_known():
    limiter = limiter_of(1)
    limiter.try_acquire()
    waiters = await queued(limiter, LONGEST_QUEUE)
    with pytest.raises(Overloaded):
        await limiter.acquire(10.0)
    await asyncio.wait(waiters)
    assert all(isinstance(waiter.exception(), Overloaded) for waiter in waiters)


async def test_cancelled_waiter_leaves_the_queue():
    limiter = limiter_of(1)
    limiter.try_acquire()
    first, second = await queued(limiter, 2)
    first.cancel()
    await asyncio.wait([first])
    assert limiter.waiting == 1
    limiter.release(None)
    await second
    assert limiter.in_flight == 1


async def test_place_given_to_a_waiter_cancelled_at_the_same_moment_is_not_lost():
    limiter = limiter_of(1)
    limiter.try_acquire()
    (waiter,) = await queued(limiter)
    limiter.release(None)
    waiter.cancel()
    await asyncio.wait([waiter])
    assert waiter.cancelled()
    assert limiter.in_flight == 0
    assert limiter.try_acquire()


async def test_place_given_to_a_waiter_cancelled_at_the_same_moment_goes_to_the_next():
    limiter = limiter_of(1)
    limiter.try_acquire()
    first, second = await queued(limiter, 2)
    limiter.release(None)
    first.cancel()
    await second
    assert limiter.in_flight == 1


def test_release_without_latency_teaches_nothing():
    limiter = AdaptiveLimiter()
    for _ in range(1000):
        limiter.try_acquire()
        limiter.release(None)
    assert limiter.limit == 20


def test_slow_minority_of_a_step_does_not_count():
    learned = GradientLimit(start=10)
    limiter = AdaptiveLimiter(learned)
    for latency in [2.0, 0.05, 2.0, 0.05, 0.05, 2.0, 0.05, 0.05, 2.0, 0.05]:
        limiter.try_acquire()
        limiter.release(latency)
    assert learned.latency == 0.05


async def test_raised_limit_lets_the_queue_in():
    limiter = AdaptiveLimiter(GradientLimit(start=10))
    for _ in range(10):
        limiter.try_acquire()
    waiters = await queued(limiter, 12)
    for _ in range(10):
        limiter.release(0.05)
    await asyncio.wait(waiters)
    assert limiter.limit == 15
    assert limiter.in_flight == 12
    assert not any(waiter.exception() for waiter in waiters)


class LimiterMachine(RuleBasedStateMachine):
    """Fixed places, a queue and all who may leave it, against a list."""

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        # The queue's own wait is far longer than a run.
        self.limiter = limiter_of(3, longest_wait=1000.0)
        self.held = 0
        self.queue: list[asyncio.Task[None]] = []

    def teardown(self):
        self.runner.run(self.end())
        self.runner.close()

    async def end(self):
        for task in self.queue:
            task.cancel()
        if self.queue:
            await asyncio.wait(self.queue)

    async def settle(self):
        for _ in range(3):
            await asyncio.sleep(0)

    @rule()
    def try_acquire(self):
        got = self.limiter.try_acquire()
        assert got == (self.held < 3)
        self.held += got

    @rule(count=st.integers(min_value=1, max_value=3))
    def acquire(self, count):
        async def begin():
            for _ in range(count):
                self.queue.append(asyncio.create_task(self.limiter.acquire(1000.0)))
            await self.settle()

        self.runner.run(begin())
        self.hand_on()

    @precondition(lambda self: self.held)
    @rule()
    def release(self):
        async def release():
            self.limiter.release(None)
            await self.settle()

        self.runner.run(release())
        self.held -= 1
        self.hand_on()

    @precondition(lambda self: self.queue)
    @rule(data=st.data())
    def cancel(self, data):
        task = self.queue.pop(data.draw(st.integers(0, len(self.queue) - 1)))

        async def give_up():
            task.cancel()
            await asyncio.wait([task])

        self.runner.run(give_up())

    def hand_on(self):
        while self.queue and self.held < 3:
            assert self.queue.pop(0).done()
            self.held += 1

    @invariant()
    def counts_agree(self):
        assert self.limiter.in_flight == self.held
        assert self.limiter.waiting == len(self.queue)
        assert not any(task.done() for task in self.queue)


TestLimiterMachine = LimiterMachine.TestCase
