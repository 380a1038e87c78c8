import asyncio
from typing import cast

import pytest

from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.connection import Connection
from docwarden.simulator.documents import library
from docwarden.simulator.responding import Responder
from docwarden.simulator.slots import Slots


class InsatiableTransport:
    """A peer that takes everything at once, so that nothing is ever buffered."""

    def __init__(self) -> None:
        self.writes = 0

    def write(self, data: bytes) -> None:
        assert data
        self.writes += 1

    def is_closing(self) -> bool:
        return False

    def set_write_buffer_limits(self, high: int) -> None:
        assert high == 0


@pytest.mark.timeout(10)
async def test_endless_answer_lets_others_have_their_turn() -> None:
    responder = Responder(
        Behaviour(), library(["png", "pdf", "corrupt-pdf"]), seed=0, distinct=False, log=None
    )
    gone: list[Connection] = []
    connection = Connection(
        responder, Slots(None), entered=lambda _: None, left=gone.append, refuse=lambda _: None
    )
    transport = InsatiableTransport()
    connection.connection_made(cast("asyncio.Transport", transport))
    connection.data_received(b"GET /fault/endless-chunked/1 HTTP/1.1\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0)
    assert 5 < transport.writes < 25
    connection.connection_lost(None)
    await connection.ended()
    assert gone == [connection]
