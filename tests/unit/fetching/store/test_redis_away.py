"""The Redis store without Redis: nobody listens, somebody is silent, somebody talks nonsense."""

import asyncio
import random
import socket
import time
from contextlib import asynccontextmanager

import pytest

from docwarden.fetching.store.entry import Copy
from docwarden.fetching.store.redis import RedisStore

COPY = Copy(b"body", "image/png", '"x"', 0.0)


class Clock:
    """Monotonic time that a test moves."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@asynccontextmanager
async def server_that(handle):
    async def serve(reader, writer):
        try:
            await handle(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def store_at(port, **settings):
    store = RedisStore(
        f"redis://:secret@127.0.0.1:{port}",
        **{
            "ttl": 60.0,
            "max_bytes": 1000,
            "timeout": 0.05,
            "clock": time.monotonic,
            "wall_clock": time.time,
            "random": random.random,
            **settings,
        },
    )
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture
def closed_port():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        # Bound and not listening: connecting is refused, and nobody else gets the port.
        yield bound.getsockname()[1]


async def silent(reader, _writer):
    await reader.read()


async def test_store_that_nobody_listens_for_is_no_store(closed_port):
    async with store_at(closed_port) as store:
        assert await store.get("7") is None
        assert store.errors["get"] == 1
        assert store.last_error == "ConnectionError"


async def test_silent_store_costs_its_timeout_and_no_more():
    async with server_that(silent) as port, store_at(port) as store:
        began = time.monotonic()
        assert await store.get("7") is None
        assert 0.04 < time.monotonic() - began < 0.5
        assert store.errors["get"] == 1


async def test_store_that_answers_byte_by_byte_costs_its_timeout_and_no_more():
    async def drip(_reader, writer):
        writer.write(b"$1000\r\n")
        for _ in range(200):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with server_that(drip) as port, store_at(port) as store:
        began = time.monotonic()
        assert await store.get("7") is None
        assert time.monotonic() - began < 0.5
        assert store.last_error == "TimeoutError"


async def test_after_three_failures_the_store_is_left_alone_and_tried_again_later(closed_port):
    clock = Clock()
    async with store_at(closed_port, clock=clock, random=lambda: 0.0) as store:
        for _ in range(10):
            assert await store.get("7") is None
        assert store.errors["get"] == 3
        clock.now += 1.0
        for _ in range(10):
            await store.get("7")
        assert store.errors["get"] == 4


@pytest.mark.parametrize(
    "nonsense",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"$99999999999999999999\r\n",
        b"$-7\r\n",
        b"*x\r\n",
        b":\xff\r\n",
        b"\0" * 5000,
        b"+OK",
        b"",
    ],
)
async def test_server_that_talks_nonsense_is_no_store(nonsense):
    async def talk(_reader, writer):
        writer.write(nonsense)
        await writer.drain()

    async with server_that(talk) as port, store_at(port) as store:
        assert await store.get("7") is None
        assert store.errors["get"] == 1


async def test_writes_beyond_what_may_wait_are_dropped_and_counted():
    async with server_that(silent) as port, store_at(port) as store:
        for number in range(3):
            store.put(str(number), Copy(bytes(400), "image/png", '"x"', 0.0))
        assert store.dropped == 1


async def test_writes_to_a_store_that_is_away_are_dropped_without_a_wait(closed_port):
    async with store_at(closed_port) as store:
        for number in range(100):
            store.put(str(number), COPY)
        began = time.monotonic()
        await store.close()
        assert time.monotonic() - began < 1.0
        assert store.dropped == 100
        assert store.errors["put"] == 3


async def test_closing_does_not_wait_for_ever_for_a_silent_store():
    async with server_that(silent) as port, store_at(port) as store:
        store.put("7", COPY)
        began = time.monotonic()
        await store.close()
        assert time.monotonic() - began < 1.5
        assert store.dropped == 1
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_cancelled_read_is_cancelled_and_blames_nobody():
    async with server_that(silent) as port, store_at(port, timeout=5.0) as store:
        task = asyncio.create_task(store.get("7"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert store.errors["get"] == 0
