"""The limit in simulated seconds: requests arrive at random at an upstream that has a queue."""

import heapq
from random import Random

import pytest

from docwarden.fetching.resilience.gradient_limit import GradientLimit
from docwarden.fetching.resilience.limiter import AdaptiveLimiter


class Simulation:
    """An upstream that answers in `base` seconds, and no more than `capacity` times a second."""

    def __init__(self, limiter=None):
        self.limiter = limiter or AdaptiveLimiter()
        self.draw = Random(1)
        self.now = 0.0
        self.queue_ends = 0.0
        self.answers: list[tuple[float, float]] = []

    def run(self, seconds, *, arrivals, base=lambda _: 0.0, capacity=100_000):
        """Return the share of requests that found a place."""
        end = self.now + seconds
        tried = found = 0
        while self.now < end:
            self.now += self.draw.expovariate(arrivals)
            while self.answers and self.answers[0][0] <= self.now:
                at, since = heapq.heappop(self.answers)
                self.limiter.release(at - since)
            tried += 1
            if self.limiter.try_acquire():
                found += 1
                self.queue_ends = max(self.queue_ends, self.now) + 1.0 / capacity
                answered = self.queue_ends + 0.04 + 0.02 * self.draw.random() + base(self.draw)
                heapq.heappush(self.answers, (answered, self.now))
        return found / tried


def test_limit_opens_within_a_second_where_the_upstream_is_wide():
    simulation = Simulation()
    simulation.run(1.0, arrivals=3000)
    assert simulation.limiter.limit == 200
    assert simulation.run(1.0, arrivals=3000) == 1.0


def test_limit_is_not_raised_without_use():
    simulation = Simulation()
    simulation.run(20.0, arrivals=40)
    assert simulation.limiter.limit == 20


def test_overload_brings_the_limit_near_what_the_upstream_can_do():
    simulation = Simulation()
    simulation.run(3.0, arrivals=3000)
    # From here on 400 answers a second, 20 in flight would do without any queue.
    served = simulation.run(10.0, arrivals=1500, capacity=400)
    assert simulation.limiter.limit < 70
    assert served * 1500 == pytest.approx(400, rel=0.2)


def test_limit_recovers_within_seconds_after_an_overload():
    simulation = Simulation()
    simulation.run(3.0, arrivals=3000)
    simulation.run(10.0, arrivals=1500, capacity=400)
    simulation.run(2.0, arrivals=3000)
    assert simulation.run(1.0, arrivals=3000) == 1.0


def test_slow_upstream_is_not_mistaken_for_a_loaded_one():
    simulation = Simulation()
    simulation.run(5.0, arrivals=300)
    simulation.run(8.0, arrivals=300, base=lambda _: 0.5)
    # 300 a second for 0.55 s each need 165 places; a collapsed limit would give 4.
    assert simulation.run(5.0, arrivals=300, base=lambda _: 0.5) > 0.98


def test_hanging_minority_does_not_lower_the_limit():
    simulation = Simulation()
    simulation.run(5.0, arrivals=100)
    simulation.run(10.0, arrivals=100, base=lambda draw: 2.0 * (draw.random() < 0.3))
    assert simulation.run(5.0, arrivals=100, base=lambda draw: 2.0 * (draw.random() < 0.3)) > 0.98


def test_past_overload_does_not_hide_the_next_one():
    limit = GradientLimit(start=100)
    for latency in [2.0] * 50 + [0.05] * 100:
        limit.learn(latency, 200)
    assert limit.limit == 200
    for _ in range(3):
        limit.learn(1.0, 200)
    assert limit.limit < 200


@pytest.mark.parametrize("most", [1, 2, 3])
def test_ceiling_below_the_usual_floor_holds(most):
    limit = GradientLimit(maximum=most)
    for latency in (0.01, 0.01, 5.0, 5.0, 5.0, 0.01):
        limit.learn(latency, 1)
        assert 1 <= limit.limit <= most


def test_limit_stays_within_its_bounds_whatever_it_learns():
    draw = Random(3)
    limit = GradientLimit()
    for _ in range(5000):
        limit.learn(draw.choice([1e-9, 0.001, 0.05, 1.0, 1000.0]), draw.randrange(300))
        assert 4 <= limit.limit <= 200


def test_latency_of_zero_is_survived():
    limit = GradientLimit()
    limit.learn(0.0, 20)
    assert limit.limit >= 4
