"""An hour's faults in minutes: what the process holds must return to where it was.

SOAK_SECONDS sets the length (default 300).
"""

import asyncio
import itertools
import os
import random
import statistics
import sys
import time
from pathlib import Path

SECONDS = float(os.environ.get("SOAK_SECONDS", "300"))
# By then nearly every fault has come, and the heap has grown for what each of them needs.
WARM_UP = 0.4 * SECONDS
# Free pages at the heap's end go back to the system or not, by what lies behind them, so that one
# reading of memory says little: the warm-up's second half and the last fifth have many.
EARLY = 0.2 * SECONDS
LATE = 0.8 * SECONDS
PHASE = 3.0
DRIFT = 1.05
# Every phase mixes some of these into the usual answers.
FAULTS = [
    "status=503", "status=404", "html", "empty", "gzip", "flip", "mangle-crlf", "cut", "truncate",
    "length-short", "length-long", "chunked", "chunked-cut", "bad-chunk", "close-delimited",
    "endless-headers", "oversize=64MiB", "endless-chunked", "garbage", "delay=200ms", "hang",
    "hang-body", "drip=2000", "disconnect", "reset", "reset-body", "stale", "early-close",
]  # fmt: skip


def held(process, samples):
    """What the gateway holds: bytes of it and its child, descriptors, tasks, connections."""
    pid = process.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    gateway, checker = private(pid), sum(private(child) for child in children)
    return {
        "bytes": gateway + checker,
        "gateway": gateway,
        "checker": checker,
        "descriptors": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        "tasks": samples["docwarden_event_loop_tasks"],
        "buffered": samples["docwarden_buffered_bytes"],
        "in_flight": samples["docwarden_requests_in_flight"],
        "clients": samples["docwarden_client_connections"],
    }


def private(pid):
    """Bytes that the process alone has written; what it shares depends on what else runs."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("Private_Dirty:")).split()[1]) * 1024


async def scrape(ask, process):
    text = (await ask(process.admin_port, "/metrics")).body.decode()
    rows = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in rows}


async def client(ask, connect, port, over):
    """Ask, leave early, keep alive, come anew: as clients do."""
    draw = random.Random(port)
    while not over.is_set():
        kind = draw.random()
        if kind < 0.7:
            connection = await connect(port)
            for number in range(20):
                answer = await connection.get(f"/{number}")
                if answer.headers.get("connection") == "close" or over.is_set():
                    break
            connection.close()
        elif kind < 0.9:
            await ask(port, f"/{draw.randrange(1000)}")
        else:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"GET /1 HTTP/1.1\r\nHost: t\r\n\r\n")
            await asyncio.sleep(draw.random() * 0.05)
            writer.transport.abort()


async def quiet(ask, process):
    """Wait until nothing is under way; return what the gateway holds then."""
    end = time.monotonic() + 30
    while (samples := await scrape(ask, process))["docwarden_requests_in_flight"]:
        assert time.monotonic() < end
        await asyncio.sleep(0.2)
    return held(process, samples)


async def test_nothing_leaks_under_mixed_faults(start_simulator, serve, connect, ask):
    simulator = await start_simulator()
    gateway = await serve(
        simulator.url + "/{id}",
        request_timeout="2s",
        attempt_timeout="500ms",
        breaker_open="500ms",
        max_document_bytes="4MiB",
        log_success_share="0",
        stale_if_error="30s",
        store_max_bytes="4MiB",
    )
    draw = random.Random(7)
    started = time.monotonic()
    before = None
    most = 0
    early, late = [], []
    for phase in itertools.count():  # noqa: B007 - told at the end
        over = asyncio.Event()
        chosen = draw.sample(FAULTS, 4)
        simulator.behave(faults=[f"{fault}:10%" for fault in chosen])
        clients = [
            asyncio.ensure_future(client(ask, connect, gateway.port, over)) for _ in range(12)
        ]
        await asyncio.sleep(PHASE)
        over.set()
        await asyncio.gather(*clients)
        elapsed = time.monotonic() - started
        holds = held(gateway, await scrape(ask, gateway))["bytes"]
        if EARLY <= elapsed < WARM_UP:
            early.append(holds)
        elif elapsed >= LATE:
            late.append(holds)
        if before is None and elapsed >= WARM_UP:
            simulator.behave(faults=[])
            before = await quiet(ask, gateway)
        most = max(most, gateway.memory("VmHWM"))
        if elapsed >= SECONDS:
            break
    simulator.behave(faults=[])
    after = await quiet(ask, gateway)
    samples = await scrape(ask, gateway)
    ended = sum(v for name, v in samples.items() if name.startswith("docwarden_documents_total"))
    sys.stdout.write(
        f"\n{phase + 1} phases, {ended:.0f} documents asked for, peak {most / 2**20:.0f} MiB\n"
        f"after warm-up {before}\nat the end    {after}\n"
        f"medians {statistics.median(early)} and {statistics.median(late)} bytes\n"
    )
    assert before is not None
    assert statistics.median(late) <= statistics.median(early) * DRIFT
    for name in ("descriptors", "tasks"):
        assert after[name] <= before[name] + 8, name
    assert after["buffered"] == after["in_flight"] == 0
    assert most < 250 * 2**20
