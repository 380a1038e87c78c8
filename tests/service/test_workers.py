"""Several workers behind one port, in real processes."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from docwarden.process.workers import supervisor
from docwarden.process.workers.worker import Worker
from docwarden.settings.loading import load
from docwarden.telemetry.logs import open_log

PDF = "document/pdf/{id}"


@pytest.fixture
async def team(serve, simulator_process):
    return await serve(
        f"http://127.0.0.1:{simulator_process.port}/{PDF}",
        workers="3",
        drain_delay="300ms",
        integrity_tier="2",  # no process of deep checks for each of them
    )


@contextlib.asynccontextmanager
async def two_workers(output, until):
    """Two workers under a supervisor in this process, ended by SIGTERM."""
    given = {"listen": "127.0.0.1:0", "admin_listen": "127.0.0.1:0", "workers": "2"}
    with output.open("wb") as file, pytest.MonkeyPatch.context() as environment:
        # What the workers go by: no drain and no processes of deep checks.
        environment.setenv("DOCWARDEN_DRAIN_DELAY", "0s")
        environment.setenv("DOCWARDEN_INTEGRITY_TIER", "2")
        log = open_log(format_name="json", level="info", descriptor=file.fileno())
        team = supervisor.Supervisor(load(given, environ={}), log)
        running = asyncio.ensure_future(team.run())
        try:
            await until(lambda: b"process.ready" in output.read_bytes(), "both workers")
            yield team
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            assert await running == 0
            log.close()


def children(pid):
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def events(process, name):
    lines = process.output.read_text().splitlines()
    return [event for event in map(json.loads, lines) if event["event.name"] == name]


async def sample(ask, team, name):
    text = (await ask(team.admin_port, "/metrics")).body.decode()
    rows = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(rows[0].split()[1])


async def test_metrics_and_health_are_those_of_all_workers(team, ask):
    for number in range(60):
        assert (await ask(team.port, f"/{number}")).status == 200
    assert len(children(team.process.pid)) == 3
    assert await sample(ask, team, 'docwarden_documents_total{outcome="delivered"}') == 60
    assert await sample(ask, team, "docwarden_workers") == 3
    for page in ("/livez", "/readyz", "/startupz"):
        answer = await ask(team.admin_port, page)
        assert (answer.status, json.loads(answer.body)["workers"]) == (200, 3)
    assert (await ask(team.admin_port, "/nothing")).slug == "no-such-page"
    assert (await ask(team.admin_port, "/nothing", "POST")).slug == "no-such-page"
    assert (await ask(team.admin_port, "/livez", "POST")).slug == "method-not-allowed"
    assert (await ask(team.admin_port, "/livez", "HEAD")).body == b""


async def test_console_shows_all_workers_as_one(team, ask):
    for number in range(30):
        assert (await ask(team.port, f"/{number}")).status == 200
    assert (await ask(team.admin_port, "/")).body.startswith(b"<!doctype html>")
    reader, writer = await asyncio.open_connection("127.0.0.1", team.admin_port)
    writer.write(b"GET /events HTTP/1.1\r\nHost: test\r\n\r\n")
    delivered = 0
    async with asyncio.timeout(20):
        while delivered != 30:
            text = (await reader.readuntil(b"\n\n")).decode()
            if not text.startswith("event: sample"):
                continue
            sample = json.loads(text.partition("data: ")[2])
            counted = dict(sample["metrics"]["docwarden_documents_total"])
            delivered = counted["delivered"]
    writer.close()
    assert sample["details"]["phase"] == "ready"
    assert sample["verdict"]["level"] == "good"


async def test_requests_that_ended_well_in_any_worker_are_told(team, ask):
    reader, writer = await asyncio.open_connection("127.0.0.1", team.admin_port)
    writer.write(b"GET /events/tail HTTP/1.1\r\nHost: test\r\n\r\n")
    seen: set[str] = set()
    number = 0
    async with asyncio.timeout(30):
        while len(seen) < 12:
            text = (await reader.readuntil(b"\n\n")).decode()
            for event in text.split("event: ")[1:]:
                if event.startswith("successes"):
                    told = json.loads(event.partition("data: ")[2])
                    seen |= {each["document_id"] for each in told}
                    times = [each["at"] for each in told]
                    assert times == sorted(times, reverse=True)
                    # Each on a connection of its own, which the kernel gives to any worker.
                    for _ in range(6):
                        number += 1
                        assert (await ask(team.port, f"/{number}")).status == 200
    writer.close()


async def test_supervisor_explains_a_document_with_the_checks_of_its_workers(team, ask, until):
    before = children(team.process.pid)
    answer = await ask(team.admin_port, "/explain/7", "POST")
    assert answer.status == 200
    assert json.loads(answer.body)["client"]["media_type"] == "application/pdf"
    await until(lambda: events(team, "document.explained"), "the event")
    (event,) = events(team, "document.explained")
    assert (event["document_id"], event["outcome"]) == ("7", "delivered")
    # The process of its deep checks ends with it.
    assert children(team.process.pid) == before


async def test_worker_that_dies_is_replaced_and_counted(team, ask):
    victim = children(team.process.pid)[0]
    await (await asyncio.create_subprocess_exec("kill", "-KILL", str(victim))).wait()
    async with asyncio.timeout(10):
        while await sample(ask, team, "docwarden_worker_restarts_total") != 1:
            await asyncio.sleep(0.01)
        while await sample(ask, team, "docwarden_workers") != 3:
            await asyncio.sleep(0.01)
    assert victim not in children(team.process.pid)
    assert [event["pid"] for event in events(team, "worker.died")] == [victim]
    for number in range(20):
        assert (await ask(team.port, f"/{number}")).status == 200


async def test_stuck_worker_turns_liveness_red(team, ask):
    victim = children(team.process.pid)[0]
    await (await asyncio.create_subprocess_exec("kill", "-STOP", str(victim))).wait()
    assert (await ask(team.admin_port, "/livez")).status == 503
    await (await asyncio.create_subprocess_exec("kill", "-KILL", str(victim))).wait()


async def test_worker_that_stood_still_for_a_while_counts_again(team, ask):
    for number in range(60):
        assert (await ask(team.port, f"/{number}")).status == 200
    delivered = 'docwarden_documents_total{outcome="delivered"}'
    assert await sample(ask, team, delivered) == 60
    victim = children(team.process.pid)[0]
    os.kill(victim, signal.SIGSTOP)
    assert (await ask(team.admin_port, "/livez")).status == 503
    assert await sample(ask, team, delivered) == 60
    assert await sample(ask, team, "docwarden_workers") == 2
    os.kill(victim, signal.SIGCONT)
    async with asyncio.timeout(10):
        while (await ask(team.admin_port, "/livez")).status != 200:
            await asyncio.sleep(0.01)
    assert await sample(ask, team, delivered) == 60
    assert await sample(ask, team, "docwarden_workers") == 3


async def test_scrape_that_is_given_up_does_not_confuse_later_ones(team, ask):
    for _ in range(20):
        _, writer = await asyncio.open_connection("127.0.0.1", team.admin_port)
        writer.write(b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n")
        await writer.drain()
        writer.transport.abort()
    for _ in range(3):
        assert await sample(ask, team, "docwarden_workers") == 3
        for page in ("/livez", "/readyz", "/startupz"):
            assert json.loads((await ask(team.admin_port, page)).body)["workers"] == 3


async def test_place_of_a_worker_that_could_not_be_started_is_tried_again(
    monkeypatch, tmp_path, ask, until
):
    start, refused = Worker.start, [OSError("no more processes")]

    async def once_refused(words):
        if refused:
            raise refused.pop()
        return await start(words)

    monkeypatch.setattr(Worker, "start", once_refused)
    monkeypatch.setattr(supervisor, "_LONGEST_PAUSE", 0.01)
    async with two_workers(tmp_path / "log", until) as team:
        assert b"worker.not_started" in (tmp_path / "log").read_bytes()
        assert (await ask(team.admin.port, "/startupz")).status == 200


async def test_place_of_a_worker_that_could_not_start_again_is_kept(monkeypatch, tmp_path, until):
    start, starts = Worker.start, []

    async def third_fails(words):
        starts.append(words)
        wrong = ("--upstream-url", "ftp://nowhere") if len(starts) == 3 else ()
        return await start((*words, *wrong))

    monkeypatch.setattr(Worker, "start", third_fails)
    async with two_workers(tmp_path / "log", until) as team:
        os.kill(team.workers[0].process.pid, signal.SIGKILL)
        await until(lambda: len(starts) == 4, "the place is tried again")
        await until(lambda: len(team.workers) == 2, "both workers again")
        assert team.restarts == 2


def test_worker_whose_supervisor_has_gone_before_ends():
    code = (
        "import time; from docwarden.process.workers.worker import end_with_parent;"
        "end_with_parent(1 << 22); time.sleep(60)"
    )
    assert subprocess.run((sys.executable, "-c", code), timeout=30, check=False).returncode == -15


async def test_worker_that_dies_leaves_what_it_counted(team, ask):
    for number in range(60):
        assert (await ask(team.port, f"/{number}")).status == 200
    delivered = 'docwarden_documents_total{outcome="delivered"}'
    assert await sample(ask, team, delivered) == 60
    os.kill(children(team.process.pid)[0], signal.SIGKILL)
    async with asyncio.timeout(10):
        while await sample(ask, team, "docwarden_worker_restarts_total") != 1:
            assert await sample(ask, team, delivered) == 60
    assert await sample(ask, team, delivered) == 60


async def test_drain_covers_all_workers_and_fails_no_request(team, ask):
    over = asyncio.Event()
    statuses = []

    async def client():
        with contextlib.suppress(ConnectionError):
            while not over.is_set():
                statuses.append((await ask(team.port, "/1")).status)

    clients = [asyncio.ensure_future(client()) for _ in range(4)]
    while len(statuses) < 50:
        await asyncio.sleep(0.01)
    team.process.send_signal(signal.SIGTERM)
    while (await ask(team.admin_port, "/readyz")).status != 503:
        await asyncio.sleep(0.01)
    over.set()
    await asyncio.gather(*clients)
    assert await asyncio.wait_for(team.process.wait(), 10) == 0
    assert set(statuses) == {200}
    assert len(events(team, "request.ended")) == len(statuses)
    # Three workers and their supervisor.
    assert len(events(team, "process.stopped")) == 4


async def test_workers_end_with_their_supervisor(team, until):
    left = children(team.process.pid)
    team.process.kill()
    await team.process.wait()
    await until(
        lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in left), "all have ended"
    )


async def test_worker_that_stands_still_is_replaced(tmp_path, until, monkeypatch):
    monkeypatch.setattr(supervisor, "_PROBE_SECONDS", 0.3)
    monkeypatch.setattr(supervisor, "_MAX_UNANSWERED", 3)
    monkeypatch.setattr(supervisor, "_MAX_UNANSWERED_AT_START", 4)
    output = tmp_path / "out"
    async with two_workers(output, until) as team:
        still = team.workers[0].process.pid

        def stalled():
            events = [json.loads(line) for line in output.read_text().splitlines()]
            return [each["pid"] for each in events if each["event.name"] == "worker.stalled"]

        os.kill(still, signal.SIGSTOP)
        await until(lambda: team.restarts >= 1, "it is replaced")
        # Lines are written by a thread, a moment later.
        await until(lambda: still in stalled(), "the log tells of it")
        await until(lambda: len(team.workers) == 2, "there are two again")
        assert still not in {worker.process.pid for worker in team.workers}
