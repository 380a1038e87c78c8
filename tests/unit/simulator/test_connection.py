import asyncio
from collections.abc import Iterator
from typing import cast

import pytest

from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.connection import SimulatorConnection
from docwarden.simulator.documents import library
from docwarden.simulator.responding import Responder
from docwarden.simulator.slots import Slots

pytestmark = pytest.mark.timeout(10)


class CountingTransport:
    """Takes everything at once, and never buffers unless told that it does."""

    def __init__(self) -> None:
        self.writes = 0
        self.buffer_limit: int | None = None

    def write(self, data: bytes) -> None:
        assert data
        self.writes += 1

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int) -> None:
        self.buffer_limit = high

    def resume_reading(self) -> None:
        pass


@pytest.fixture
def connection() -> Iterator[SimulatorConnection]:
    held = library(["png", "pdf", "corrupt-pdf"])
    responder = Responder(Behaviour(), held, seed=0, distinct=False, log=None)
    gone: list[SimulatorConnection] = []
    one = SimulatorConnection(
        responder, Slots(None), entered=lambda _: None, left=gone.append, refuse=lambda _: None
    )
    yield one
    assert gone == [one]


async def some_turns() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_endless_answer_lets_others_have_their_turn(connection: SimulatorConnection) -> None:
    transport = CountingTransport()
    connection.connection_made(cast("asyncio.Transport", transport))
    connection.data_received(b"GET /fault/endless-chunked/1 HTTP/1.1\r\n\r\n")
    await some_turns()
    assert 5 < transport.writes < 25
    connection.connection_lost(None)
    await connection.ended()


async def test_endless_answer_waits_for_a_peer_that_does_not_read(
    connection: SimulatorConnection,
) -> None:
    transport = CountingTransport()
    connection.connection_made(cast("asyncio.Transport", transport))
    connection.data_received(b"GET /fault/endless-chunked/1 HTTP/1.1\r\n\r\n")
    await some_turns()
    connection.pause_writing()
    await some_turns()
    before = transport.writes
    await some_turns()
    assert transport.writes == before
    connection.resume_writing()
    await some_turns()
    assert transport.writes > before
    connection.connection_lost(None)
    await connection.ended()


async def test_slow_answer_counts_as_sent_only_when_nothing_is_buffered(
    connection: SimulatorConnection,
) -> None:
    transport = CountingTransport()
    connection.connection_made(cast("asyncio.Transport", transport))
    connection.data_received(b"GET /fault/hang/1 HTTP/1.1\r\n\r\n")
    await some_turns()
    assert transport.buffer_limit == 0
    connection.connection_lost(None)
    await connection.ended()
