"""One document, one dead connection or one pause of the host is nobody else's outage."""

import asyncio
import contextlib
import itertools
import socket
import sys
import time
from collections.abc import Awaitable, Callable

import pytest

from docwarden.simulator.documents import make
from docwarden.upstream.dialing import Dialer

PNG = make("png").body
Handler = Callable[[asyncio.StreamWriter], Awaitable[None]]


def answer(body=PNG, *, status="200 OK", fields=""):
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{fields}\r\n"
    return head.encode() + body


class Upstream:
    """Answers each path with the bytes that are given for it, and all others with a PNG."""

    def __init__(self):
        self.answers = {}
        self.silent_below = 0
        self.connections = 0
        self.url = ""

    async def serve(self, reader, writer):
        self.connections += 1
        mine = self.connections
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if mine > self.silent_below:
                    writer.write(self.answers.get(head.split()[1].decode(), answer()))
        writer.close()


@pytest.fixture
async def upstream(stack):
    upstream = Upstream()
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
    stack.callback(server.close)
    upstream.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    return upstream


@pytest.mark.parametrize(
    "broken", [answer(b"", status="500 Oops"), b"no HTTP\r\n\r\n"], ids=["error", "protocol"]
)
async def test_one_document_that_always_fails_leaves_all_others_alone(
    broken, upstream, start_gateway
):
    upstream.answers["/1"] = broken
    gateway = await start_gateway(upstream.url)
    numbers = itertools.count(2)
    for _ in range(15):
        poisoned = await asyncio.gather(*(gateway.get("/1") for _ in range(3)))
        assert {each.status for each in poisoned} == {502}
        assert (await gateway.get(f"/{next(numbers)}")).status == 200


async def test_kept_connections_that_fell_silent_are_not_asked_again(upstream, start_gateway):
    gateway = await start_gateway(upstream.url, attempt_timeout="300ms")
    await asyncio.gather(*(gateway.get(f"/{number}") for number in range(10)))
    kept = upstream.silent_below = upstream.connections
    assert kept > 5
    assert (await gateway.get("/7")).status == 200
    events = await gateway.events("request.ended", 11)
    results = [attempt["result"] for attempt in events[-1]["attempts"]]
    assert results == ["attempt-timeout", "intact"], "the retry dialed anew"


async def test_probe_of_an_open_breaker_uses_no_kept_connection(upstream, start_gateway):
    gateway = await start_gateway(upstream.url, breaker_open="100ms")
    await asyncio.gather(*(gateway.get(f"/{number}") for number in range(10)))
    upstream.silent_below = upstream.connections
    breaker = gateway.app.parts.breaker
    while (permit := breaker.try_acquire(time.monotonic())) is not None:
        breaker.failed(permit, time.monotonic())
    await asyncio.sleep(0.15)
    probe = await gateway.get("/7")
    assert (probe.status, probe.seconds < 1) == (200, True)


@pytest.mark.parametrize("name", ["aws-chunked", "none", "binary", "UTF-8", "", "identity"])
async def test_coding_that_names_no_compression_refuses_no_bytes(name, upstream, start_gateway):
    upstream.answers["/1"] = answer(fields=f"Content-Encoding: {name}\r\n")
    gateway = await start_gateway(upstream.url)
    assert (await gateway.get("/1")).body == PNG


@pytest.mark.parametrize("name", ["gzip", "aws-chunked, gzip", "Zstd", "x-gzip,none"])
async def test_coding_that_names_a_compression_is_refused(name, upstream, start_gateway):
    upstream.answers["/1"] = answer(fields=f"Content-Encoding: {name}\r\n")
    gateway = await start_gateway(upstream.url)
    assert (await gateway.get("/1")).problem["reason"] == "content-coded"


async def test_chunk_sizes_may_be_padded(upstream, start_gateway):
    size = b"%-8x\r\n" % len(PNG)
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    upstream.answers["/1"] = head + size + PNG + b"\r\n0     \r\n\r\n"
    gateway = await start_gateway(upstream.url)
    assert (await gateway.get("/1")).body == PNG


async def test_203_is_an_answer(upstream, start_gateway):
    upstream.answers["/1"] = answer(status="203 Non-Authoritative Information")
    upstream.answers["/2"] = answer(b"", status="203 Non-Authoritative Information")
    gateway = await start_gateway(upstream.url)
    assert (await gateway.get("/1")).body == PNG
    assert (await gateway.get("/2")).problem["reason"] == "empty-body"


async def test_log_tells_why_no_connection_was_made_and_the_client_is_not_told(
    start_gateway, unused_port
):
    gateway = await start_gateway(f"http://127.0.0.1:{unused_port}")
    told = (await gateway.get("/1")).problem
    assert (told["reason"], "refused" in str(told)) == ("connect-failed", False)
    (event,) = await gateway.events("request.ended", 1)
    assert (event["reason"], event["detail"]) == ("connect-failed", "refused")


async def test_name_that_does_not_exist_is_told_as_such(start_gateway):
    gateway = await start_gateway("http://no-such-host.invalid")
    assert (await gateway.get("/1")).problem["reason"] == "connect-failed"
    (event,) = await gateway.events("request.ended", 1)
    assert event["detail"] in ("name-not-found", "name-lookup-failed")


async def test_openings_and_closings_of_the_breaker_are_logged(
    start_gateway, unused_port, upstream
):
    gateway = await start_gateway(f"http://127.0.0.1:{unused_port}", breaker_open="100ms")
    while (await gateway.get("/1")).problem["reason"] != "circuit-open":
        pass
    (opened,) = await gateway.events("breaker.opened", 1)
    assert opened["cause"] == "connect-failed: refused"
    assert 0.1 <= opened["duration_s"] <= 0.11
    breaker = gateway.app.parts.breaker
    assert 0 < breaker.open_until - (time.monotonic() - 1) < 1.2
    await asyncio.sleep(0.15)
    breaker.succeeded(breaker.try_acquire(time.monotonic()), time.monotonic())
    (closed,) = await gateway.events("breaker.closed", 1)
    assert closed["duration_s"] >= 0.1
    assert upstream.connections == 0


async def test_store_that_answers_numbers_is_no_store(upstream, start_gateway, stack):
    async def serve(reader, writer):
        with contextlib.suppress(ConnectionError):
            while await reader.read(65536):
                writer.write(b":5\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    stack.callback(server.close)
    port = server.sockets[0].getsockname()[1]
    upstream.answers["/1"] = answer(b"", status="500 Oops")
    gateway = await start_gateway(
        upstream.url, stale_if_error="1h", store_url=f"redis://127.0.0.1:{port}/0"
    )
    assert (await gateway.get("/1")).problem["reason"] == "upstream-status-500"


@pytest.fixture
def hole():
    """An address that neither connects nor refuses: its queue is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.2", 0))
        listener.listen(0)
        for _ in range(6):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()


async def test_address_that_is_silent_delays_nothing_by_much(
    hole, upstream, start_gateway, monkeypatch
):
    port = int(upstream.url.rpartition(":")[2])

    async def both(_):
        return [(socket.AF_INET, hole), (socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(Dialer, "_look_up", both)
    gateway = await start_gateway("http://localhost/{id}")
    answer = await gateway.get("/1")
    assert answer.status == 200
    (event,) = await gateway.events("request.ended", 1)
    assert [each["result"] for each in event["attempts"]] == ["intact"]
    sys.stdout.write(f"\nfirst document after {answer.seconds:.2f} s\n")
    assert answer.seconds < 2
