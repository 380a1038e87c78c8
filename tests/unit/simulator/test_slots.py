import asyncio

import pytest

from docwarden.simulator.slots import Slots


async def taking(slots: Slots) -> asyncio.Task[None]:
    task = asyncio.create_task(slots.take())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return task


async def test_place_is_given_in_the_order_of_asking() -> None:
    slots = Slots(1)
    await slots.take()
    second, third = await taking(slots), await taking(slots)
    slots.release()
    await second
    assert not third.done()
    slots.release()
    await third


async def test_cancelled_waiter_holds_no_place() -> None:
    slots = Slots(1)
    await slots.take()
    waiting = await taking(slots)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    slots.release()
    await slots.take()


async def test_place_given_to_one_cancelled_at_that_moment_goes_to_the_next() -> None:
    slots = Slots(1)
    await slots.take()
    second, third = await taking(slots), await taking(slots)
    slots.release()  # second has its place now but has not run yet
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await third


async def test_more_capacity_lets_waiters_in_at_once() -> None:
    slots = Slots(1)
    await slots.take()
    waiting = await taking(slots)
    slots.resize(None)
    await waiting
    assert not slots.limited
