"""Every test here runs on the event loop that the service runs on."""

import asyncio
import socket
from collections.abc import Callable, Iterator

import pytest
import uvloop


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run every test here on the loop that the service runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def unused_port() -> Iterator[int]:
    """A port that is taken and never listened on: connections to it are refused."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]
