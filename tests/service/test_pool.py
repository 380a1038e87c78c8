"""Connections are as many as are allowed, and nobody waits beside a free one."""

import asyncio
import contextlib
import errno
import socket
import time

import pytest

from docwarden.core.document import Lease, Memory
from docwarden.core.errors import Cause, Detail, Failure
from docwarden.upstream.origin import Origin
from docwarden.upstream.pool import MAX_IDLE_SECONDS, Pool

PATIENCE = 30.0
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"


class Upstream:
    """Answers when it is let."""

    def __init__(self):
        self.gate = asyncio.Event()
        self.connections = 0
        self.open = 0

    async def serve(self, reader, writer):
        self.connections += 1
        self.open += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                await self.gate.wait()
                writer.write(ANSWER)
        writer.close()
        self.open -= 1


def make_pool(origin, **changes):
    given = {"max_connections": 10, "max_body": 1000, "connect_timeout": 0.2, "max_age": 60.0}
    return Pool(origin, random=lambda: 0.0, digest=len, **given | changes)


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
    assert await first == (200, b"abc", 3)


async def test_connection_that_comes_back_goes_to_the_one_that_waits(upstream, pool, until):
    first = asyncio.create_task(ask(pool))
    await until(lambda: pool.open == 1 and not pool.idle, "an exchange")
    second = asyncio.create_task(ask(pool))
    await asyncio.sleep(0)  # finds nothing idle, and waits
    upstream.gate.set()
    await first
    assert await asyncio.wait_for(second, 10) == (200, b"abc", 3)
    assert pool.open == 1


async def test_connecting_takes_no_longer_than_is_left_of_the_attempt(pool, monkeypatch):
    monkeypatch.setattr(pool, "_open", asyncio.Event().wait)
    with pytest.raises(Failure) as told:
        await pool.exchange(b"", Lease(Memory(1)), time.monotonic() - 4.95, 5.0)
    assert told.value.cause is Cause.ATTEMPT_TIMEOUT
    with pytest.raises(Failure) as told:
        await pool.exchange(b"", Lease(Memory(1)), time.monotonic(), 5.0)
    assert told.value.cause is Cause.CONNECT


async def test_longest_idle_connection_is_closed_although_it_is_never_taken(upstream, pool, until):
    pool._max_connections = 2
    upstream.gate.set()
    await asyncio.gather(ask(pool), ask(pool))
    pool._idle[0].idle_since -= MAX_IDLE_SECONDS
    upstream.gate.clear()
    third = asyncio.create_task(ask(pool))
    await until(lambda: pool.open == 1, "the other one was closed")
    upstream.gate.set()
    assert await third == (200, b"abc", 3)
    assert (pool.open, pool.idle, upstream.connections) == (1, 1, 2)


# --- time


class Scripted:
    """An upstream in plain sockets, which goes on while the event loop stands still."""

    def __init__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(10)
        self.accepted = []

    def accept(self):
        connected, _ = self.listener.accept()
        connected.settimeout(10)
        self.accepted.append(connected)
        return connected

    def answer_late(self, seconds):
        connected = self.accept()
        connected.recv(65536)
        time.sleep(seconds)
        connected.sendall(ANSWER)

    def close(self):
        for connected in [self.listener, *self.accepted]:
            connected.close()


@pytest.fixture
def scripted():
    scripted = Scripted()
    yield scripted
    scripted.close()


@pytest.fixture
async def scripted_pool(scripted):
    port = scripted.listener.getsockname()[1]
    pool = make_pool(Origin.parse(f"http://127.0.0.1:{port}/", agent="test"))
    yield pool
    await pool.close()


async def test_answer_that_lies_ready_after_a_pause_of_the_process_is_read(
    scripted, scripted_pool, until
):
    answering = asyncio.get_running_loop().run_in_executor(None, scripted.answer_late, 0.1)
    asking = asyncio.create_task(ask(scripted_pool, timeout=0.4))
    await until(lambda: scripted.accepted, "the connection")
    await asyncio.sleep(0.05)
    time.sleep(0.8)  # noqa: ASYNC251 - the pause
    assert await asking == (200, b"abc", 3)
    await answering


async def test_what_a_pause_of_the_process_cost_is_not_held_against_the_upstream(
    scripted, scripted_pool, until
):
    accepting = asyncio.get_running_loop().run_in_executor(None, scripted.accept)
    asking = asyncio.create_task(ask(scripted_pool, timeout=0.4))
    await accepting
    await until(lambda: scripted_pool._busy, "the exchange")
    time.sleep(0.8)  # noqa: ASYNC251 - the pause
    with pytest.raises(Failure) as told:
        await asking
    assert told.value.cause is Cause.STALLED


async def test_silence_is_held_against_the_upstream(scripted, scripted_pool):
    accepting = asyncio.get_running_loop().run_in_executor(None, scripted.accept)
    with pytest.raises(Failure) as told:
        await ask(scripted_pool, timeout=0.2)
    assert (told.value.cause, told.value.detail) == (Cause.ATTEMPT_TIMEOUT, Detail.NO_ANSWER)
    await accepting


async def test_sweep_goes_on_whatever_one_connection_raises(pool, upstream, until, monkeypatch):
    pool._max_connections = 2
    broken = asyncio.create_task(ask(pool, timeout=0.3))
    await until(lambda: pool._busy, "an exchange")
    (connection,) = pool._busy
    end = pool._time_out
    raised: list[object] = []

    def end_others(each):
        if each is not connection or len(raised) >= 3:
            return end(each)
        raised.append(each)
        raise ZeroDivisionError

    monkeypatch.setattr(pool, "_time_out", end_others)
    told: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: told.append(what["message"]))
    # On a busy host it is told that the process stood still; ended it is all the same.
    for exchange in (asyncio.create_task(ask(pool, timeout=0.3)), broken):
        with pytest.raises(Failure, match=r"attempt-timeout|gateway-stalled"):
            await asyncio.wait_for(exchange, PATIENCE)
    assert told == 3 * ["an exchange could not be ended"]
    upstream.gate.set()
    await until(lambda: not upstream.open, "the other side has noted it")


async def test_caller_that_leaves_closes_its_connection(pool, upstream, until):
    asking = asyncio.create_task(ask(pool))
    await until(lambda: pool._busy, "an exchange")
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (pool.open, pool._busy) == (0, set())
    upstream.gate.set()
    await until(lambda: not upstream.open, "the other side has noted it")


async def test_connection_is_not_used_beyond_its_age(upstream):
    upstream.gate.set()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    pool = make_pool(Origin.parse(f"http://127.0.0.1:{port}/", agent="test"), max_age=0.2)
    for _ in range(3):
        await ask(pool)
    assert upstream.connections == 1
    await asyncio.sleep(0.25)
    await ask(pool)
    assert upstream.connections == 2
    await pool.close()
    server.close()


async def test_bytes_behind_an_answer_are_not_the_next_one(scripted, scripted_pool):
    loop = asyncio.get_running_loop()
    answering = loop.run_in_executor(None, scripted.answer_late, 0)
    assert await ask(scripted_pool) == (200, b"abc", 3)
    await answering
    answering = loop.run_in_executor(None, scripted.answer_late, 0)
    # In the socket, and the loop has had no turn to read it.
    scripted.accepted[0].sendall(ANSWER.replace(b"abc", b"xyz"))
    assert await ask(scripted_pool) == (200, b"abc", 3)
    await answering


# --- addresses


@pytest.fixture
def silent_address():
    """An address whose connections are never made: its queue is full, so SYNs are dropped."""
    with contextlib.ExitStack() as stack:
        hole = stack.enter_context(socket.socket())
        hole.bind(("127.0.0.2", 0))
        hole.listen(0)
        for _ in range(6):
            filling = stack.enter_context(socket.socket())
            filling.setblocking(False)
            filling.connect_ex(hole.getsockname())
        yield hole.getsockname()


@pytest.fixture
async def named_pool(upstream):
    """A pool for a name, and the address at which its upstream answers."""
    upstream.gate.set()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    origin = Origin.parse("http://documents.test/", agent="test")
    pool = make_pool(origin, connect_timeout=2.0)
    yield pool, server.sockets[0].getsockname()
    await pool.close()
    server.close()


def resolve(pool, *addresses):
    async def look_up():
        return [(socket.AF_INET, address) for address in addresses]

    pool._dialer._look_up = look_up


async def test_second_address_is_tried_while_the_first_keeps_silent(named_pool, silent_address):
    pool, well = named_pool
    resolve(pool, silent_address, well)
    started = time.monotonic()
    assert await ask(pool) == (200, b"abc", 3)
    assert 0.25 <= time.monotonic() - started < 2
    request = pool.origin.request("1", b"", None)
    started = time.monotonic()
    lease = Lease(Memory(1000))
    assert await pool.exchange(request, lease, started, 5.0, fresh=True) == (200, b"abc", 3)
    assert time.monotonic() - started < 0.25, "the silent one comes last now"


async def test_next_address_is_tried_at_once_where_one_refuses(named_pool, unused_port):
    pool, well = named_pool
    resolve(pool, ("127.0.0.1", unused_port), well)
    assert await ask(pool) == (200, b"abc", 3)


async def test_where_all_addresses_refuse_that_is_the_failure(named_pool, unused_port):
    pool, _ = named_pool
    resolve(pool, ("127.0.0.1", unused_port), ("127.0.0.3", unused_port))
    with pytest.raises(Failure) as told:
        await ask(pool)
    assert (told.value.cause, told.value.detail) == (Cause.CONNECT, Detail.REFUSED)
    assert pool.open == 0


async def test_name_that_moves_is_followed(named_pool, unused_port):
    pool, well = named_pool
    resolve(pool, ("127.0.0.1", unused_port))
    with pytest.raises(Failure):
        await ask(pool)
    resolve(pool, well)
    assert await ask(pool) == (200, b"abc", 3)


async def test_addresses_known_before_are_used_while_the_resolver_hangs(named_pool):
    pool, well = named_pool
    resolve(pool, well)
    await ask(pool)
    pool._dialer._look_up = asyncio.Event().wait
    request = pool.origin.request("1", b"", None)
    lease = Lease(Memory(1000))
    answer = await pool.exchange(request, lease, time.monotonic(), 5.0, fresh=True)
    assert answer == (200, b"abc", 3)


async def test_look_up_has_a_time_limit(named_pool):
    pool, _ = named_pool
    pool._dialer._look_up = asyncio.Event().wait
    with pytest.raises(Failure) as told:
        await ask(pool)
    assert (told.value.reason, told.value.detail) == ("connect-timeout", Detail.NAME_LOOKUP_FAILED)


@pytest.mark.parametrize(
    ("error", "cause", "reason"),
    [
        (OSError(errno.EMFILE, ""), Cause.OVERLOADED, "too-few-descriptors"),
        (OSError(errno.ENOBUFS, ""), Cause.MEMORY, "out-of-memory"),
        (MemoryError(), Cause.MEMORY, "out-of-memory"),
    ],
)
async def test_what_the_host_lacks_is_not_held_against_the_upstream(
    error, cause, reason, pool, monkeypatch
):
    async def dial(_):
        raise error

    monkeypatch.setattr(pool._dialer, "dial", dial)
    with pytest.raises(Failure) as told:
        await ask(pool)
    assert (told.value.cause, told.value.reason) == (cause, reason)
    assert pool.open == 0


async def test_connection_is_ready_before_the_first_request(start_gateway, record_upstream):
    upstream = await record_upstream()
    gateway = await start_gateway(upstream.url)
    pool = gateway.app.parts.pool
    assert (pool.open, pool.idle, upstream.requests) == (1, 1, [])
    assert (await gateway.get("/1")).status == 200
    assert (pool.open, pool.stale, len(upstream.requests)) == (1, 0, 1)


async def test_connection_that_is_closed_before_the_first_request_is_replaced(
    start_gateway, record_upstream
):
    upstream = await record_upstream()
    serve, upstream.serve = upstream.serve, None
    upstream.server.close()

    async def close_the_first(reader, writer):
        if upstream.serve is None:
            upstream.serve = serve
            writer.close()
        else:
            await serve(reader, writer)

    upstream.server = await asyncio.start_server(close_the_first, "127.0.0.1", 0)
    gateway = await start_gateway(upstream.url)
    answer = await gateway.get("/1")
    upstream.server.close()
    assert answer.status == 200
    assert len(upstream.requests) == 1
