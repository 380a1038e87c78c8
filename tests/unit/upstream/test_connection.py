"""How an answer's bytes get to their place, read by read, without a socket."""

import asyncio

import pytest

from docwarden.document import Lease, Memory
from docwarden.errors import Failure
from docwarden.outbox import Outbox
from docwarden.upstream.arrivals import SIZE, Arrivals
from docwarden.upstream.connection import Connection


class Transport(asyncio.Transport):
    """Notes what is written, and whether it is read from."""

    def __init__(self):
        super().__init__()
        self.written = []
        self.reading = True
        self.aborted = False

    def is_closing(self):
        return self.aborted

    def writelines(self, pieces):
        self.written.append(b"".join(pieces))

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def abort(self):
        self.aborted = True


class Exchange:
    """A request under way; `arrive` reads as libuv does."""

    def __init__(self, memory):
        self.lease = Lease(memory)
        self.ends = 0
        self.transport = Transport()
        loop = asyncio.get_running_loop()
        self.outbox = Outbox(loop)
        self.connection = Connection(64 << 20, Arrivals(), self.outbox, loop, self.ended)
        self.connection.connection_made(self.transport)
        self.answer = self.connection.send(b"GET / HTTP/1.1\r\n\r\n", self.lease, 1.0)
        self.largest_read = 0

    def ended(self, connection):
        assert connection is self.connection
        self.ends += 1

    def arrive(self, data):
        left = memoryview(data)
        while left:
            room = self.connection.get_buffer(-1)
            count = min(len(left), len(room))
            assert count, "an empty buffer ends a connection"
            self.largest_read = max(self.largest_read, count)
            room[:count] = left[:count]
            left = left[count:]
            self.connection.buffer_updated(count)


def head(length):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length


@pytest.fixture
async def exchange():
    return Exchange(Memory(64 << 20))


@pytest.mark.parametrize("length", [1, 100, SIZE, SIZE + 1, 2 * SIZE, 5 * SIZE + 7])
@pytest.mark.parametrize("piece", [1 << 16, SIZE, 1 << 22])
async def test_body_of_any_length_in_any_pieces_is_whole(length, piece, exchange):
    body = bytes(range(256)) * (length // 256 + 1)
    body = body[:length]
    data = head(length) + body
    for start in range(0, len(data), piece):
        exchange.arrive(data[start : start + piece])
    assert await exchange.answer == (200, body)
    assert exchange.lease.size == length
    assert exchange.connection.reusable


async def test_large_body_is_read_to_its_place_but_for_its_end(exchange):
    length = 8 * SIZE
    exchange.arrive(head(length))
    exchange.arrive(bytes(length))
    assert exchange.largest_read > SIZE
    _, body = await exchange.answer
    assert len(body) == length


@pytest.mark.parametrize("length", [100, 3 * SIZE, 8 * SIZE])
async def test_bytes_after_the_body_are_seen(length, exchange):
    exchange.arrive(head(length) + bytes(length) + b"junk")
    with pytest.raises(Failure, match="bytes-after-body"):
        await exchange.answer
    assert exchange.transport.aborted


async def test_body_that_waits_for_memory_takes_none(exchange):
    other = Lease(exchange.lease._memory)
    assert other.grow(60 << 20)
    length = 10 << 20
    body = bytes(range(250)) * (length // 250 + 1)
    early = 50_000
    exchange.arrive(head(length) + body[:early])
    assert not exchange.transport.reading
    assert exchange.connection._filled is None
    assert exchange.lease.size == 0
    other.release()
    assert exchange.transport.reading
    assert exchange.lease.size == length
    exchange.arrive(body[early:length])
    assert await exchange.answer == (200, body[:length])


async def test_request_is_written_at_the_end_of_the_turn():
    exchange = Exchange(Memory(1))
    assert exchange.transport.written == []
    await asyncio.sleep(0)
    assert exchange.transport.written == [b"GET / HTTP/1.1\r\n\r\n"]


async def test_request_that_was_given_up_is_not_written():
    exchange = Exchange(Memory(1))
    exchange.connection.abort()
    await asyncio.sleep(0)
    assert exchange.transport.written == []


async def test_writes_of_one_turn_keep_their_order_and_can_be_hurried():
    outbox = Outbox(asyncio.get_running_loop())
    first, second = Transport(), Transport()
    outbox.put(first, (b"a", b"b"))
    outbox.put(second, (b"c",))
    outbox.put(first, (b"d",))
    outbox.flush()
    assert (first.written, second.written) == ([b"ab", b"d"], [b"c"])
    await asyncio.sleep(0)
    assert first.written == [b"ab", b"d"], "nothing is written twice"
