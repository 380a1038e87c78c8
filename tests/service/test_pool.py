"""Connections are as many as are allowed, and nobody waits beside a free one."""

import asyncio
import contextlib
import time

import pytest

from docwarden.core.document import Lease, Memory
from docwarden.core.errors import Cause, Failure
from docwarden.upstream.origin import Origin
from docwarden.upstream.pool import Pool

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


class Upstream:
    """Answers when it is let."""

    def __init__(self):
        self.gate = asyncio.Event()

    async def serve(self, reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await self.gate.wait()
                writer.write(ANSWER)
        writer.close()


def make_pool(origin, **changes):
    given = {"max_connections": 10, "max_body": 1000, "connect_timeout": 0.2, "max_age": 60.0}
    return Pool(origin, random=lambda: 0.0, **given | changes)


@pytest.fixture
async def upstream():
    return Upstream()


@pytest.fixture
async def pool(upstream):
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    origin = Origin.parse(f"http://127.0.0.1:{port}/", agent="test")
    pool = make_pool(origin, max_connections=1)
    yield pool
    await pool.close()
    server.close()


async def ask(pool, timeout=5.0):
    request = pool.origin.request("1", b"", None)
    return await pool.exchange(request, Lease(Memory(1000)), time.monotonic(), timeout)


async def test_who_finds_every_connection_taken_is_told_so_and_not_that_the_upstream_fails(
    upstream, pool, until
):
    first = asyncio.create_task(ask(pool))
    await until(lambda: pool.open == 1 and not pool.idle, "an exchange")
    with pytest.raises(Failure, match="pool-exhausted") as told:
        await ask(pool)
    assert told.value.cause is Cause.OVERLOADED
    upstream.gate.set()
    assert await first == (200, b"abc")


async def test_connection_that_comes_back_goes_to_the_one_that_waits(upstream, pool, until):
    first = asyncio.create_task(ask(pool))
    await until(lambda: pool.open == 1 and not pool.idle, "an exchange")
    second = asyncio.create_task(ask(pool))
    await asyncio.sleep(0)  # finds nothing idle, and waits
    upstream.gate.set()
    await first
    assert await asyncio.wait_for(second, 10) == (200, b"abc")
    assert pool.open == 1


async def test_connecting_takes_no_longer_than_is_left_of_the_attempt(pool, monkeypatch):
    monkeypatch.setattr(pool, "_open", asyncio.Event().wait)
    with pytest.raises(Failure) as told:
        await pool.exchange(b"", Lease(Memory(1)), time.monotonic() - 4.95, 5.0)
    assert told.value.cause is Cause.ATTEMPT_TIMEOUT
    with pytest.raises(Failure) as told:
        await pool.exchange(b"", Lease(Memory(1)), time.monotonic(), 5.0)
    assert told.value.cause is Cause.CONNECT
