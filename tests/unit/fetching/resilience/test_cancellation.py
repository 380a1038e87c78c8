import asyncio

import pytest

from docwarden.core.cancellation import end


async def test_tasks_have_ended_when_end_returns():
    ended = []

    async def slow_to_end():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)
            ended.append(True)

    tasks = [asyncio.create_task(slow_to_end()) for _ in range(3)]
    await asyncio.sleep(0)
    await end(tasks)
    assert ended == [True] * 3
    assert all(task.cancelled() for task in tasks)


async def test_cancelled_caller_still_waits_and_is_cancelled_afterwards():
    async def slow_to_end():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)

    inner = asyncio.create_task(slow_to_end())
    await asyncio.sleep(0)
    outer = asyncio.create_task(end([inner]))
    await asyncio.sleep(0.5)
    outer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await outer
    assert inner.done()


async def test_failures_of_ended_tasks_are_not_reported_as_forgotten():
    reports = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(context))

    async def fail():
        raise OSError("seen")

    await end([asyncio.create_task(fail())])
    await asyncio.sleep(0)
    assert reports == []
