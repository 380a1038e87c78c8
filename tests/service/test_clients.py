"""Clients that misbehave: the server may be neither smuggled through nor worn down."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable

import pytest

Talk = Callable[[int, bytes], Awaitable[bytes]]
HEAD = b"Host: test\r\n"
PDF = "/document/pdf/{id}"

MALFORMED = {
    "length-and-chunked": b"GET /1 HTTP/1.1\r\n" + HEAD
    + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two-lengths": b"GET /1 HTTP/1.1\r\n" + HEAD
    + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "signed-length": b"GET /1 HTTP/1.1\r\n" + HEAD + b"Content-Length: +3\r\n\r\nabc",
    "unknown-coding": b"GET /1 HTTP/1.1\r\n" + HEAD + b"Transfer-Encoding: xchunked\r\n\r\nabc",
    "coding-after-chunked": b"GET /1 HTTP/1.1\r\n" + HEAD
    + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "folded-line": b"GET /1 HTTP/1.1\r\n" + HEAD + b"X: a\r\n b\r\n\r\n",
    "bare-lf": b"GET /1 HTTP/1.1\n" + b"Host: test\n\n",
    "bare-lf-in-head": b"GET /1 HTTP/1.1\r\nHost: test\nX: y\r\n\r\n",
    "bare-cr": b"GET /1 HTTP/1.1\r\n" + HEAD + b"X: a\rb\r\n\r\n",
    "space-before-colon": b"GET /1 HTTP/1.1\r\nHost : test\r\n\r\n",
    "nul-in-value": b"GET /1 HTTP/1.1\r\n" + HEAD + b"X: a\0b\r\n\r\n",
    "space-in-target": b"GET /1 2 HTTP/1.1\r\n" + HEAD + b"\r\n",
    "no-http": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 100 + b"\r\n\r\n",
    "unknown-version": b"GET /1 HTTP/7.3\r\n" + HEAD + b"\r\n",
    "two-hosts": b"GET /1 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "no-host": b"GET /1 HTTP/1.1\r\n\r\n",
    "http-2-without-preface": b"GET /1 HTTP/2.0\r\n" + HEAD + b"\r\n",
    "body-too-large": b"GET /1 HTTP/1.1\r\n" + HEAD + b"Content-Length: 99999999\r\n\r\n"
    + b"x" * 100_000,
}  # fmt: skip


@pytest.fixture
async def plain(start_gateway, simulator):
    return await start_gateway(simulator.url + PDF)


@pytest.fixture
async def strict(start_gateway, simulator):
    return await start_gateway(
        simulator.url + PDF,
        header_timeout="200ms",
        idle_timeout="300ms",
        send_timeout="300ms",
        max_header_bytes="4KiB",
        max_client_connections="50",
    )


async def answers(talk: Talk, port: int, request: bytes) -> list[int]:
    raw = await talk(port, request)
    return [int(part.split(b" ", 1)[0]) for part in raw.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("name", MALFORMED)
async def test_malformed_request_is_refused_and_nothing_after_it_is_read(
    name, plain, simulator, talk
):
    smuggled = MALFORMED[name] + b"GET /2 HTTP/1.1\r\n" + HEAD + b"\r\n"
    assert await answers(talk, plain.port, smuggled) == [400]
    assert simulator.counters.requests == 0


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /1 HTTP/1.0\r\n\r\n",
        b"GET http://test/1 HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n",
        b"\r\nGET /1 HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n",
        b"GET /1 HTTP/1.1\r\n" + HEAD + b"Connection: close\r\nContent-Length: 3\r\n\r\nabc",
        b"GET /1 HTTP/1.1\r\n" + HEAD + b"Connection: close, Upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"GET /1 HTTP/1.1\r\nhOsT: test\r\ncOnNeCtIoN: cLoSe\r\n\r\n",
    ],
)
async def test_unusual_but_valid_request_is_served(request_, strict, talk):
    assert await answers(talk, strict.port, request_) == [200]


async def test_pipelined_requests_are_answered_in_order(plain, talk):
    paths = [b"/1", b"/abc", b"/2", b"/healthz"]
    requests = [b"GET " + path + b" HTTP/1.1\r\n" + HEAD + b"\r\n" for path in paths]
    last = b"GET /3 HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    assert await answers(talk, plain.port, b"".join(requests) + last) == [200, 404, 200, 200, 200]


async def test_white_space_around_a_field_is_no_part_of_it(plain, talk):
    fields = b"X-Request-ID: \t abc\t \r\nConnection: close\r\n"
    raw = await talk(plain.port, b"GET /1 HTTP/1.1\r\n" + HEAD + fields + b"\r\n")
    assert b"x-request-id: abc\r\n" in raw.lower()


async def test_answer_outlives_what_the_client_sends_behind_it(strict):
    reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
    last = b"GET /1 HTTP/1.1\r\n" + HEAD + b"Connection: close\r\n\r\n"
    more = b"GET /2 HTTP/1.1\r\n" + HEAD + b"\r\n"
    writer.write(last + 10_000 * more)
    raw = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    head, _, body = raw.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Content-Length: %d\r\n" % len(body) in head


async def test_client_that_waits_to_send_its_body_is_answered(plain):
    reader, writer = await asyncio.open_connection("127.0.0.1", plain.port)
    writer.write(
        b"POST /1 HTTP/1.1\r\n" + HEAD + b"Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    )
    status = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    assert status.split()[1] in (b"100", b"405")


async def test_pipelining_without_reading_is_bounded(strict, talk):
    flood = b"GET /abc HTTP/1.1\r\n" + HEAD + b"\r\n"
    statuses = await answers(talk, strict.port, flood * 5000)
    assert statuses[-1] == 400
    assert len(statuses) <= 100


async def test_request_line_and_head_have_a_limit(strict, talk):
    for request in (
        b"GET /" + b"1" * 5000 + b" HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /1 HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 5000 + b"\r\n\r\n",
        b"GET /1 HTTP/1.1\r\n" + HEAD + b"X: y\r\n" * 2000 + b"\r\n",
        b"GET /1 HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 1_000_000,
    ):
        assert await answers(talk, strict.port, request) == [431]


async def test_slow_head_is_cut_off(strict):
    reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
    writer.write(b"GET /1 HTT")
    raw = await asyncio.wait_for(reader.read(), 5)
    assert raw.startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_head_that_drips_is_cut_off_although_bytes_keep_coming(strict):
    reader, writer = await asyncio.open_connection("127.0.0.1", strict.port)
    writer.write(b"GET /1 HTTP/1.1\r\nHost: test\r\n")
    reading = asyncio.ensure_future(reader.read())
    while not reading.done():
        with contextlib.suppress(ConnectionError):
            writer.write(b"X: y\r\n")
        await asyncio.wait((reading,), timeout=0.05)
    assert reading.result().startswith(b"HTTP/1.1 408 ")
    writer.close()


async def test_idle_connection_is_closed(strict, connect):
    connection = await connect(strict.port)
    assert (await connection.get("/1")).status == 200
    assert await asyncio.wait_for(connection.reader.read(), 5) == b""
    connection.close()


async def test_longest_idle_connection_makes_room_beyond_the_limit(
    start_gateway, simulator, connect, until
):
    gateway = await start_gateway(simulator.url + PDF, max_client_connections="50")
    kept = []
    for number in range(50):
        kept.append(await connect(gateway.port))
        await until(lambda n=number: len(gateway.app.public.connections) == n + 1, "the next")
    assert (await kept[0].get("/1")).status == 200
    newcomer = await connect(gateway.port)
    assert (await newcomer.get("/2")).status == 200
    assert await asyncio.wait_for(kept[1].reader.read(), 10) == b""
    assert (await kept[0].get("/3")).status == 200, "it was used more recently"
    assert gateway.app.public.shed == {"idle": 1, "refused": 0, "slow": 0}
    for connection in [*kept, newcomer]:
        connection.close()


async def test_thousands_of_idle_connections_leave_others_served(start_gateway, simulator):
    gateway = await start_gateway(simulator.url + PDF)
    kept = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(2000)]
    answer = await gateway.get("/1")
    assert answer.status == 200
    assert answer.seconds < 1
    for _, writer in kept:
        writer.close()


async def test_slow_reader_of_a_large_body_is_cut_off_and_its_memory_freed(
    start_gateway, start_simulator, until
):
    simulator = await start_simulator(size=8 << 20)
    gateway = await start_gateway(simulator.url + PDF, send_timeout="300ms")
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", gateway.port))
    await loop.sock_sendall(client, b"GET /1 HTTP/1.1\r\nHost: test\r\n\r\n")
    memory = gateway.app.parts.memory
    await until(lambda: memory.held >= 8 << 20, "the body is held")
    await until(lambda: memory.held == 0, "the body is let go")
    client.close()
    (event,) = await gateway.events("request.ended", 1)
    assert event["outcome"] == "client_closed"


async def test_memory_of_a_large_body_is_held_until_its_reader_leaves(
    start_gateway, start_simulator, until
):
    simulator = await start_simulator(size=8 << 20)
    gateway = await start_gateway(simulator.url + PDF)
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port, limit=4096)
    writer.write(b"GET /1 HTTP/1.1\r\nHost: test\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    memory = gateway.app.parts.memory
    assert memory.held >= 8 << 20
    writer.close()
    await until(lambda: memory.held == 0, "the body is let go")
    (event,) = await gateway.events("request.ended", 1)
    assert event["outcome"] == "client_closed"


async def test_patient_reader_of_a_large_body_gets_all_of_it(
    start_gateway, start_simulator, connect
):
    simulator = await start_simulator(size=8 << 20)
    gateway = await start_gateway(simulator.url + PDF, send_timeout="300ms")
    connection = await connect(gateway.port)
    for path in ("/1", "/2"):
        answer = await connection.get(path)
        assert (answer.status, len(answer.body)) == (200, 8 << 20)
    connection.close()
    assert [event["outcome"] for event in await gateway.events("request.ended", 2)] == [
        "delivered", "delivered",
    ]  # fmt: skip


@pytest.mark.parametrize("reset", [False, True], ids=["closed", "reset"])
async def test_client_that_leaves_cancels_its_upstream_work(reset, start_gateway, simulator, until):
    gateway = await start_gateway(
        simulator.url + "/fault/drip/1000/{id}",
        request_timeout="30s",
        attempt_timeout="30s",
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /1 HTTP/1.1\r\nHost: test\r\n\r\n")
    pool = gateway.app.parts.pool
    await until(lambda: gateway.app.parts.memory.held > 1000, "the body is under way")
    if reset:
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()
    await until(lambda: pool.open == 0, "the upstream connection is closed")
    await until(lambda: gateway.app.parts.limiter.in_flight == 0, "the place is free")
    (event,) = await gateway.events("request.ended", 1)
    assert event["outcome"] == "client_closed"
    assert event["http.response.status_code"] == 499
    metrics = await gateway.metrics()
    assert metrics['docwarden_documents_total{outcome="client_closed"}'] == 1
    assert metrics["docwarden_buffered_bytes"] == 0
    await reader.read()


async def test_client_cannot_write_its_own_address_into_the_log(start_gateway, simulator):
    gateway = await start_gateway(simulator.url + PDF)
    forged = '1.2.3.4","outcome":"forged'
    assert (await gateway.get("/1", X_Forwarded_For=forged)).status == 200
    assert (await gateway.get("/2", X_Forwarded_For="\xe9")).status == 200
    events = await gateway.events("request.ended", 2)
    assert {event["client.address"] for event in events} == {"127.0.0.1"}
    assert {event["outcome"] for event in events} == {"delivered"}
