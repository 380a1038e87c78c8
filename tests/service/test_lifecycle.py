"""Start, drain and stop of the real process."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from docwarden.integrity.reasons import Reason
from docwarden.integrity.registry import MEDIA_TYPES
from docwarden.integrity.specimens import specimens
from docwarden.integrity.verdict import Finding, Verdict
from docwarden.integrity.verifier import Verifier
from docwarden.process import lifecycle
from docwarden.process.lifecycle import App, StartError
from docwarden.settings.loading import load
from docwarden.telemetry.health import Phase
from docwarden.telemetry.logs import open_log

PDF = "document/pdf/{id}"


@pytest.fixture
def upstream(simulator_process):
    return f"http://127.0.0.1:{simulator_process.port}"


def events(process):
    return [json.loads(line) for line in process.output.read_text().splitlines()]


async def test_idle_process_is_small_and_starts_fast(serve, upstream, ask):
    gateway = await serve(f"{upstream}/{PDF}")
    assert (await ask(gateway.port, "/1")).status == 200
    # Processor time, as a busy host says little about the other.
    pid = gateway.process.pid
    assert sum(map(processor_seconds, (pid, *children(pid)))) < 2
    assert gateway.memory() + sum(child_memory(pid)) < 80 * 2**20


def children(pid):
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def processor_seconds(pid):
    """Return what a process has used since it began (proc(5): fields 14 and 15 of stat)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")


def child_memory(pid):
    """Resident bytes of the children, deep-check process among them."""
    for child in children(pid):
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        yield int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024


async def not_ready(ask, gateway):
    while (await ask(gateway.admin_port, "/readyz")).status != 503:
        await asyncio.sleep(0.01)


class Load:
    """Clients that go on until told, and what they saw."""

    def __init__(self, port, connect, ask):
        self.port = port
        self.connect = connect
        self.ask = ask
        self.seen: list[str] = []
        self.failed: list[str] = []
        self.over = False

    def note(self, answer):
        (self.seen if answer.status == 200 else self.failed).append(answer.headers["x-request-id"])

    async def kept(self):
        """Reconnect when told that the connection closes, as HTTP clients do."""
        closes = True
        while not self.over:
            if closes:
                try:
                    connection = await self.connect(self.port)
                except ConnectionRefusedError:
                    return
            answer = await connection.get("/1")
            self.note(answer)
            closes = answer.headers.get("connection") == "close"
            if closes:
                connection.close()
        connection.close()

    async def fresh(self):
        """Come anew for each request, as through a balancer that has not noticed yet."""
        with contextlib.suppress(ConnectionRefusedError):
            while not self.over:
                self.note(await self.ask(self.port, "/2"))

    async def more(self, count):
        enough = len(self.seen) + count
        while len(self.seen) < enough:
            await asyncio.sleep(0.01)


async def test_sigterm_under_load_fails_no_request(serve, upstream, connect, ask):
    gateway = await serve(f"{upstream}/{PDF}", drain_delay="500ms", drain_timeout="5s")
    load = Load(gateway.port, connect, ask)
    clients = [asyncio.ensure_future(kind()) for kind in (load.kept, load.fresh) * 3]
    await load.more(200)
    gateway.process.send_signal(signal.SIGTERM)
    await not_ready(ask, gateway)
    await load.more(20)
    load.over = True
    await asyncio.gather(*clients)
    assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
    assert load.failed == []
    logged = {e["request_id"] for e in events(gateway) if e["event.name"] == "request.ended"}
    assert set(load.seen) == logged
    names = [e["event.name"] for e in events(gateway)]
    assert names[0] == "process.ready"
    assert names[-1] == "process.stopped"
    draining = next(e for e in events(gateway) if e["event.name"] == "process.draining")
    assert draining["cause"] == "SIGTERM"
    assert events(gateway)[-1]["duration_s"] >= 0.5


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
    await not_ready(ask, gateway)
    answer = await connection.get("/1")
    connection.close()
    assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert (await ask(gateway.port, "/healthz")).status == 503
    assert (await ask(gateway.admin_port, "/livez")).status == 200
    started = time.monotonic()
    gateway.process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(gateway.process.wait(), 10) == 0
    assert time.monotonic() - started < 5


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="needs ::1")
async def test_ready_event_names_ipv6_addresses_as_urls_do(start_gateway, upstream):
    gateway = await start_gateway(upstream, listen="[::1]:0", admin_listen="[::1]:0")
    (event,) = await gateway.events("process.ready", 1)
    assert event["listen"] == f"http://[::1]:{gateway.port}"
    assert event["admin_listen"] == f"http://[::1]:{gateway.admin_port}"


async def test_every_type_has_been_through_every_check_before_it_is_ready(start_gateway, upstream):
    gateway = await start_gateway(upstream)
    for media_type, document in specimens():
        verifier = gateway.app.parts.verifier
        verdict = verifier.recall(verifier.digest(document))
        assert verdict is not None, media_type
        assert verdict.intact


async def test_the_collector_has_run_before_a_client_can_ask(monkeypatch, upstream, tmp_path):
    with (tmp_path / "log").open("wb") as file:
        log = open_log(format_name="json", level="info", descriptor=file.fileno())
        addresses = dict.fromkeys(("listen", "admin_listen"), "127.0.0.1:0")
        given = {**addresses, "upstream_url": f"{upstream}/{PDF}", "integrity_tier": "2"}
        app = App(load(given, environ={}), log)
        phases = []
        monkeypatch.setattr(
            lifecycle, "tune_collector", lambda: phases.append(app.parts.health.phase)
        )
        running = asyncio.ensure_future(app.run())
        await asyncio.wait_for(app.ready.wait(), 10)
        signal.raise_signal(signal.SIGINT)
        assert await running == 0
        log.close()
    assert phases == [Phase.STARTING]


async def test_an_upstream_whose_name_nobody_knows_keeps_nobody_from_starting(start_gateway, ask):
    gateway = await start_gateway("http://documents.invalid:3000/{id}")
    assert (await ask(gateway.admin_port, "/startupz")).status == 200
    assert (await ask(gateway.port, "/1")).status == 502


async def test_an_installation_that_refuses_intact_documents_does_not_start(
    monkeypatch, start_gateway, upstream
):
    broken = (("image/png", next(specimens())[1][:60]),)
    monkeypatch.setattr(lifecycle, "specimens", lambda: broken)
    with pytest.raises(StartError, match=r"an intact image/png is refused as .*: the installation"):
        await start_gateway(upstream)


async def test_a_host_too_slow_for_the_deep_checks_starts_and_says_so(
    monkeypatch, start_gateway, upstream
):
    finding = Finding.of(Reason.DEEP_CHECK_TIMEOUT, "took more than 2 s")

    async def too_slow(*_):
        return Verdict(None, (finding,), finding, b"")

    monkeypatch.setattr(Verifier, "verify", too_slow)
    gateway = await start_gateway(upstream)
    events = await gateway.events("process.not_warm", len(MEDIA_TYPES))
    assert {event["media_type"] for event in events} == set(MEDIA_TYPES)


async def test_deep_checks_that_do_not_start_are_said_in_one_line(
    monkeypatch, start_gateway, upstream
):
    command = "docwarden.integrity.deep.supervisor.server_command"
    monkeypatch.setattr(command, lambda: ("/bin/false",))
    with pytest.raises(StartError, match=r"the process of the deep checks: .*status 1"):
        await start_gateway(upstream, integrity_tier="3")


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
    await not_ready(ask, gateway)
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
    _, pipelining = await asyncio.open_connection("127.0.0.1", gateway.port)
    pipelining.write(2 * b"GET /2 HTTP/1.1\r\nHost: test\r\n\r\n")
    await in_flight(ask, gateway, 2)
    assert await gateway.stop() == 1
    pipelining.close()
    ended = [e for e in events(gateway) if e["event.name"] == "request.ended"]
    assert [event["outcome"] for event in ended] == ["client_closed"] * 2
    assert events(gateway)[-1]["event.name"] == "process.stopped"
    with pytest.raises((ConnectionError, IndexError)):
        await hanging


async def test_clients_that_idle_are_not_cut_off_when_there_is_no_time_to_drain(
    serve, upstream, connect
):
    gateway = await serve(f"{upstream}/{PDF}", drain_delay="0s", drain_timeout="0s")
    connection = await connect(gateway.port)
    assert (await connection.get("/1")).status == 200
    assert await gateway.stop() == 0
    connection.close()


async def test_nothing_is_left_of_the_process(serve, upstream):
    gateway = await serve(f"{upstream}/{PDF}")
    left = children(gateway.process.pid)
    assert left, "there is a deep-check process to leave behind"
    await gateway.stop(signal.SIGINT)
    for pid in left:
        with contextlib.suppress(FileNotFoundError):
            assert "fork_server" not in Path(f"/proc/{pid}/cmdline").read_text()


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
