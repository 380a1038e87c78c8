"""Cancels tasks so that none outlives the task that started it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel those of `tasks` that are running, and return when all have ended.

    If the caller is cancelled meanwhile, that is raised once all have ended. Results stay in the
    tasks; their exceptions count as retrieved.
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
            task.exception()  # else asyncio reports that it was never retrieved
    if cancelled is not None:
        raise cancelled
