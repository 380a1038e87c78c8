"""Ending tasks so that none of them outlives the one who started them."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel those of `tasks` that still run and return when all have ended.

    A cancellation of the caller does not cut this short; it is passed on afterwards. Results are
    left in the tasks, failures count as seen.
    """
    mine = list(tasks)
    running = {task for task in mine if not task.done()}
    for task in running:
        task.cancel()
    cancelled: asyncio.CancelledError | None = None
    while running:
        try:
            _, running = await asyncio.wait(running)
        except asyncio.CancelledError as error:
            cancelled = error
            running = {task for task in running if not task.done()}
    for task in mine:
        if not task.cancelled():
            task.exception()  # asyncio would report a failure that nobody asked for
    if cancelled is not None:
        raise cancelled
