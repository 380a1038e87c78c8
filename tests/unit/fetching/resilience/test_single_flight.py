import asyncio
from random import Random

import pytest

from docwarden.core.single_flight import SingleFlight


class Held:
    """A result that counts who holds it."""

    def __init__(self, value):
        self.value = value
        self.holders = 1

    def share(self):
        assert self.holders > 0, "shared after the last holder gave it back"
        self.holders += 1

    def release(self):
        assert self.holders > 0, "given back twice"
        self.holders -= 1


class Source:
    """Makes calls that take a second, and remembers them."""

    def __init__(self, seconds=1.0, failure=None):
        self.seconds = seconds
        self.failure = failure
        self.results = []
        self.begun = self.cancelled = 0

    async def call(self):
        self.begun += 1
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            await asyncio.sleep(0.001)
            self.cancelled += 1
            raise
        if self.failure is not None:
            raise self.failure
        self.results.append(Held(self.begun))
        return self.results[-1]


@pytest.fixture
def source():
    return Source()


@pytest.fixture
def flights():
    return SingleFlight(share=Held.share, discard=Held.release, max_requests=5)


def ask(flights, source, key="7", longest_wait=10.0):
    return asyncio.create_task(flights.run(key, source.call, longest_wait=longest_wait))


async def test_equal_keys_share_one_call_and_each_holds_the_result(flights, source):
    tasks = [ask(flights, source) for _ in range(4)]
    results = await asyncio.gather(*tasks)
    assert source.begun == 1
    assert flights.shared == 3
    assert results == [source.results[0]] * 4
    assert source.results[0].holders == 4


async def test_different_keys_share_nothing(flights, source):
    await asyncio.gather(ask(flights, source, "7"), ask(flights, source, "8"))
    assert source.begun == 2


async def test_next_request_after_the_result_begins_a_new_call(flights, source):
    await ask(flights, source)
    await ask(flights, source)
    assert source.begun == 2


async def test_cancelled_first_request_does_not_fail_the_others(flights, source):
    first, second = ask(flights, source), ask(flights, source)
    await asyncio.sleep(0.5)
    first.cancel()
    result = await second
    assert first.cancelled()
    assert (source.begun, source.cancelled, result.holders) == (1, 0, 1)


async def test_call_is_cancelled_and_has_ended_when_the_last_request_goes(flights, source):
    tasks = [ask(flights, source) for _ in range(3)]
    await asyncio.sleep(0.5)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    assert (source.begun, source.cancelled) == (1, 1)
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_request_while_an_abandoned_call_still_ends_begins_a_new_one(flights, source):
    abandoned = ask(flights, source)
    await asyncio.sleep(0.5)
    abandoned.cancel()
    await asyncio.sleep(0)
    result = await ask(flights, source)
    assert (source.begun, result.holders) == (2, 1)


async def test_failure_goes_to_all_and_nobody_calls_again(flights):
    source = Source(failure=OSError("reset"))
    tasks = [ask(flights, source) for _ in range(5)]
    await asyncio.wait(tasks)
    assert [task.exception() for task in tasks] == [source.failure] * 5
    assert source.begun == 1


async def test_everyone_runs_out_of_time_alone(flights, source):
    patient = ask(flights, source)
    await asyncio.sleep(0)
    hasty = ask(flights, source, longest_wait=0.25)
    with pytest.raises(TimeoutError):
        await hasty
    assert not patient.done()
    assert (await patient).holders == 1


async def test_timeout_of_the_only_request_ends_the_call(flights, source):
    with pytest.raises(TimeoutError):
        await ask(flights, source, longest_wait=0.5)
    assert source.cancelled == 1


async def test_timeout_in_the_moment_of_the_result_leaves_no_holder_behind(flights, source):
    with pytest.raises(TimeoutError):
        await flights.run("7", source.call, longest_wait=1.0)
    assert sum(result.holders for result in source.results) == 0


async def test_full_call_is_followed_by_another_one(flights, source):
    results = await asyncio.gather(*(ask(flights, source) for _ in range(12)))
    assert source.begun == 3
    assert [result.holders for result in source.results] == [5, 5, 2]
    assert len({id(result) for result in results}) == 3


async def test_shared_failure_does_not_collect_a_frame_per_request(flights):
    source = Source(failure=OSError("reset"))
    tasks = [ask(flights, source) for _ in range(5)]
    await asyncio.wait(tasks)
    depth, frame = 0, source.failure.__traceback__
    while frame is not None:
        depth, frame = depth + 1, frame.tb_next
    assert depth < 5


@pytest.mark.parametrize("seed", range(40))
async def test_no_holder_is_lost_or_counted_twice_whoever_leaves_when(flights, seed):
    draw = Random(seed)
    source = Source()
    taken = []

    async def request():
        await asyncio.sleep(draw.choice([0.0, 0.5, 1.0]))
        wait = draw.choice([0.5, 1.0, 5.0])
        result = await flights.run("7", source.call, longest_wait=wait)
        taken.append(result)

    tasks = [asyncio.create_task(request()) for _ in range(8)]
    for task in tasks:
        if draw.random() < 0.5:
            asyncio.get_running_loop().call_later(draw.choice([0.5, 1.0, 1.5]), task.cancel)
    await asyncio.wait(tasks)
    await asyncio.sleep(5)
    for result in taken:
        result.release()
    assert [result.holders for result in source.results] == [0] * len(source.results)
    assert asyncio.all_tasks() == {asyncio.current_task()}
