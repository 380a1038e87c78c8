"""Start, drain and stop of the real process."""

import asyncio
import contextlib
import json
import signal
import time

import pytest

PDF = "document/pdf/{id}"


@pytest.fixture
def upstream(simulator_process):
    return f"http://127.0.0.1:{simulator_process.port}"


def events(process):
    return [json.loads(line) for line in process.output.read_text().splitlines()]


async def test_idle_process_is_small_and_starts_fast(serve, upstream, ask):
    started = time.monotonic()
    gateway = await serve(f"{upstream}/{PDF}")
    assert (await ask(gateway.port, "/1")).status == 200
    assert time.monotonic() - started < 2
    assert gateway.memory() + sum(child_memory(gateway.process.pid)) < 80 * 2**20


def child_memory(pid):
    """Resident bytes of the children, deep-check process among them."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        for child in children.read().split():
            with open(f"/proc/{child}/status") as status:
                line = next(line for line in status if line.startswith("VmRSS"))
            yield int(line.split()[1]) * 1024


async def test_sigterm_under_load_fails_no_request(serve, upstream, connect, ask):
    gateway = await serve(f"{upstream}/{PDF}", drain_delay="500ms", drain_timeout="5s")
    seen: list[str] = []
    failed: list[object] = []
    ended = asyncio.Event()

    def note(answer):
        (seen if answer.status == 200 else failed).append(answer.headers["x-request-id"])

    async def kept():
        """Reconnect when told that the connection closes, as HTTP clients do."""
        connection = await connect(gateway.port)
        while not ended.is_set():
            answer = await connection.get("/1")
            note(answer)
            if answer.headers.get("connection") == "close":
                connection.close()
                if ended.is_set():
                    return
                try:
                    connection = await connect(gateway.port)
                except ConnectionRefusedError:
                    return
        connection.close()

    async def fresh():
        """Come anew for each request, as through a balancer that has not noticed yet."""
        while not ended.is_set():
            try:
                note(await ask(gateway.port, "/2"))
            except ConnectionRefusedError:
                return

    load = [asyncio.ensure_future(kind()) for kind in (kept, kept, kept, fresh, fresh, fresh)]
    while len(seen) < 200:
        await asyncio.sleep(0.01)
    gateway.process.send_signal(signal.SIGTERM)
    while (await ask(gateway.admin_port, "/readyz")).status != 503:
        await asyncio.sleep(0.01)
    before = len(seen)
    while len(seen) < before + 20:
        await asyncio.sleep(0.01)
    ended.set()
    await asyncio.gather(*load)
    assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
    assert failed == []
    logged = {e["request_id"] for e in events(gateway) if e["event.name"] == "request.ended"}
    assert set(seen) == logged
    names = [e["event.name"] for e in events(gateway)]
    assert names[0] == "process.ready"
    assert names[-1] == "process.stopped"


async def test_request_under_way_is_finished_while_the_listener_is_closed(
    serve, upstream, ask, until
):
    gateway = await serve(f"{upstream}/fault/delay/800ms/{{id}}", drain_delay="0s")
    slow = asyncio.ensure_future(ask(gateway.port, "/1"))
    await in_flight(ask, gateway, 1)
    gateway.process.send_signal(signal.SIGTERM)
    await until(lambda: any(e["event.name"] == "process.draining" for e in events(gateway)), "x")
    assert (await slow).status == 200
    assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
    with pytest.raises(ConnectionRefusedError):
        await ask(gateway.port, "/1")


async def test_draining_answers_ask_clients_to_reconnect_elsewhere(serve, upstream, connect, ask):
    gateway = await serve(f"{upstream}/{PDF}", drain_delay="30s")
    connection = await connect(gateway.port)
    assert "connection" not in (await connection.get("/1")).headers
    gateway.process.send_signal(signal.SIGTERM)
    while (await ask(gateway.admin_port, "/readyz")).status != 503:
        await asyncio.sleep(0.01)
    answer = await connection.get("/1")
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert (await ask(gateway.port, "/healthz")).status == 503
    assert (await ask(gateway.admin_port, "/livez")).status == 200
    started = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
    assert time.monotonic() - started < 5


async def test_ctrl_c_skips_the_drain_delay(serve, upstream):
    gateway = await serve(f"{upstream}/{PDF}", drain_delay="30s")
    started = time.monotonic()
    assert await gateway.stop(signal.SIGINT) == 0
    assert time.monotonic() - started < 5


async def test_second_signal_cuts_off_what_would_not_end(serve, upstream, ask):
    gateway = await serve(
        f"{upstream}/fault/hang/{{id}}",
        request_timeout="1m",
        attempt_timeout="1m",
        drain_delay="0s",
        drain_timeout="1m",
    )
    hanging = asyncio.ensure_future(ask(gateway.port, "/1"))
    await in_flight(ask, gateway, 1)
    gateway.process.send_signal(signal.SIGTERM)
    while (await ask(gateway.admin_port, "/readyz")).status != 503:
        await asyncio.sleep(0.01)
    gateway.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(gateway.process.wait(), 10) == 1
    with contextlib.suppress(ConnectionError, IndexError):
        await hanging


async def test_drain_timeout_cuts_off_what_does_not_end(serve, upstream, ask):
    gateway = await serve(
        f"{upstream}/fault/hang/{{id}}",
        request_timeout="1m",
        attempt_timeout="1m",
        drain_delay="0s",
        drain_timeout="300ms",
    )
    hanging = asyncio.ensure_future(ask(gateway.port, "/1"))
    await in_flight(ask, gateway, 1)
    assert await gateway.stop() == 1
    (event,) = [e for e in events(gateway) if e["event.name"] == "request.ended"]
    assert event["outcome"] == "client_closed"
    with contextlib.suppress(ConnectionError, IndexError):
        await hanging


async def test_nothing_is_left_of_the_process(serve, upstream):
    gateway = await serve(f"{upstream}/{PDF}")
    with open(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children") as children:
        left = children.read().split()
    assert left, "there is a deep-check process to leave behind"
    await gateway.stop(signal.SIGINT)
    for pid in left:
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/cmdline") as line:
            assert "deep_worker" not in line.read()


async def test_peak_memory_stays_bounded_under_endless_bodies_and_headers(serve, upstream, ask):
    for fault in ("endless-chunked", "endless-headers", "oversize-undeclared/1GiB"):
        gateway = await serve(
            f"{upstream}/fault/{fault}/{{id}}",
            request_timeout="2s",
            attempt_timeout="1s",
            breaker_open="100ms",
        )
        answers = await asyncio.gather(*(ask(gateway.port, f"/{n}") for n in range(60)))
        assert {answer.status for answer in answers} <= {502, 503, 504}
        assert max(answer.seconds for answer in answers) < 2.5
        assert gateway.memory("VmHWM") < 250 * 2**20
        for probe in ("/livez", "/readyz"):
            assert (await ask(gateway.admin_port, probe)).status == 200
        await gateway.stop(signal.SIGINT)


async def in_flight(ask, gateway, count):
    line = f"docwarden_requests_in_flight {count:.1f}".encode()
    while line not in (await ask(gateway.admin_port, "/metrics")).body:
        await asyncio.sleep(0.01)
