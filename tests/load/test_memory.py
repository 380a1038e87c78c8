"""A hundred documents of 10 MB at once: memory keeps to its setting, and nobody waits for ever."""

import asyncio
import collections
import sys
import time
from pathlib import Path

import pytest

CLIENTS = 100
DOCUMENT = 10_000_000
MIB = 2**20


def checker_peak(process):
    """Bytes of the deep checker's process at its largest."""
    pid = process.process.pid
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    peaks = 0
    for child in children:
        lines = Path(f"/proc/{child}/status").read_text().splitlines()
        peaks += int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024
    return peaks


@pytest.mark.parametrize("allowance", [64, 128, 256])
async def test_many_large_documents_keep_to_the_memory_allowance(
    allowance, start_simulator, serve, ask
):
    simulator = await start_simulator(size=DOCUMENT)
    simulator.behave(mix="png=1")
    gateway = await serve(
        simulator.url + "/{id}",
        max_buffered_bytes=f"{allowance}MiB",
        queue_timeout="10s",
        request_timeout="30s",
        attempt_timeout="30s",
    )
    await ask(gateway.port, "/1")
    idle = gateway.memory()
    started = time.monotonic()
    answers = await asyncio.gather(*(ask(gateway.port, f"/{n}") for n in range(CLIENTS)))
    seconds = time.monotonic() - started
    statuses = collections.Counter(answer.status for answer in answers)
    peak, checker = gateway.memory("VmHWM"), checker_peak(gateway)
    sys.stdout.write(
        f"\n{allowance} MiB allowed: {dict(statuses)} within {seconds:.1f} s, resident"
        f" {idle / MIB:.0f} MiB before, {peak / MIB:.0f} MiB at most, deep checker"
        f" {checker / MIB:.0f} MiB at most\n"
    )
    assert statuses[200] + statuses[503] == CLIENTS
    assert statuses[200] >= allowance * MIB // DOCUMENT
    assert all(len(answer.body) == DOCUMENT for answer in answers if answer.status == 200)
    # The allowance, what the process is without documents, and buffers of reads under way.
    assert peak < idle + allowance * MIB + 48 * MIB
