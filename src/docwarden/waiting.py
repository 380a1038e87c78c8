"""Coroutines that run without a task while they wait for nothing but the upstream's answer.

A task and the futures that wake it cost a request as much as its policies do: what a future wakes
runs in the loop's next turn, through a handle. Here whoever has the answer goes on with the
coroutine at once.

A coroutine is run by its `send`. What it yields is a `Signal`, on which whoever runs it sets
`tell`; or it is any other future, and `adopt` goes on with the coroutine in a task. asyncio's
timeouts ask for the task that they are in, so `in_task` comes before them.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Signal(asyncio.Future[T]):
    """A future that can go on with a coroutine at once; in a task it is a future like any other.

    Attributes:
        tell: what to call when it has been set.
    """

    tell: Callable[[], object] | None = None


@types.coroutine
def in_task() -> Generator[None, None, None]:
    """Go on in a task, in the loop's next turn if this is one."""
    yield None


@types.coroutine
def adopt(coroutine: Coroutine[Any, Any, T], waits_for: Any) -> Generator[Any, None, T]:
    """Go on in a task with a coroutine that has run without one and has yielded `waits_for`."""
    try:
        while True:
            try:
                yield waits_for
            except BaseException as error:  # noqa: BLE001 - the coroutine's to handle
                waits_for = coroutine.throw(error)
            else:
                waits_for = coroutine.send(None)
    except StopIteration as end:
        return cast("T", end.value)
