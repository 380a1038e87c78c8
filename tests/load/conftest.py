"""Every test here runs on the event loop that the service runs on."""

import asyncio
from collections.abc import Callable

import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test here on the loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}
