"""Closed standard descriptors and a terminal that goes away."""

import asyncio
import contextlib
import os
import signal
import sys

import pytest
from tests.hostile.conftest import PATIENCE, events, png

ANY_PORT = "--listen 127.0.0.1:0 --admin-listen 127.0.0.1:0"
DOCWARDEN = f"{sys.executable} -m docwarden"


@pytest.mark.parametrize("closed", ["<&-", "2>&-", "<&- 2>&-"])
async def test_gateway_serves_with_closed_descriptors(closed, upstream, tmp_path, ask):
    upstream.documents = {1: png(20_000)}
    output = tmp_path / "serve.out"
    command = f"exec {DOCWARDEN} serve {ANY_PORT} >{output} {closed}"
    process = await asyncio.create_subprocess_shell(
        command, env={**os.environ, "DOCWARDEN_UPSTREAM_URL": upstream.url}
    )
    try:
        ready = await _ready(process, output)
        assert (await ask(ready, "/1")).status == 200
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), PATIENCE) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ready(process, output):
    output.touch()
    async with asyncio.timeout(PATIENCE):
        while not (found := events(Output(output), "process.ready")):
            assert process.returncode is None
            await asyncio.sleep(0.05)
    return int(found[0]["listen"].rsplit(":", 1)[1])


class Output:
    """What `events` reads."""

    def __init__(self, output):
        self.output = output


@pytest.mark.parametrize("closed", ["2>&-", "<&- 2>&-"])
async def test_inspect_ends_with_standard_error_closed(closed, tmp_path):
    document = tmp_path / "document.png"
    document.write_bytes(png(20_000))
    process = await asyncio.create_subprocess_shell(
        f"exec {DOCWARDEN} inspect {document} {closed}", stdout=asyncio.subprocess.PIPE
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert b"1 intact, 0 broken" in told


async def test_hangup_drains_as_a_termination_does(upstream, serve):
    held = asyncio.Event()

    async def late(writer):
        await held.wait()
        body = png(20_000)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))

    upstream.documents = {1: late}
    gateway = await serve(upstream.url, drain_delay="0s", attempt_timeout="9s")
    reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
    writer.write(b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n")
    async with asyncio.timeout(PATIENCE):
        while not upstream.requests:
            await asyncio.sleep(0.01)
        gateway.process.send_signal(signal.SIGHUP)
        while not events(gateway, "process.draining"):
            await asyncio.sleep(0.01)
    held.set()
    raw = await asyncio.wait_for(reader.read(), PATIENCE)
    assert raw.startswith(b"HTTP/1.1 200 ")
    assert await asyncio.wait_for(gateway.process.wait(), PATIENCE) == 0
    writer.close()


async def test_standard_error_that_nobody_drains_stops_nothing(upstream, tmp_path, ask):
    """Provokes warnings and exceptions where the loop would write them, with a full pipe there."""
    upstream.documents = {1: png(20_000)}
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(65536))
    os.set_blocking(writing, True)
    output = tmp_path / "serve.out"
    with output.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WITH_DEFECTS, stdout=file, stderr=writing,
            env={**os.environ, "DOCWARDEN_UPSTREAM_URL": upstream.url},
        )  # fmt: skip
    os.close(writing)
    try:
        port = await _ready(process, output)
        for _ in range(40):
            assert (await ask(port, "/1")).status == 200
        told = 0
        async with asyncio.timeout(PATIENCE):
            while told < 20:
                told = len(events(Output(output), "defect"))
                await asyncio.sleep(0.05)
        assert told < 40, "told in the log, but not as often as a client likes"
    finally:
        os.close(reading)
        process.send_signal(signal.SIGKILL)
        await process.wait()


# A gateway in which noting the end of each request fails.
WITH_DEFECTS = """
import sys
from docwarden.gateway.public_site import PublicSite
from docwarden.cli.main import main

def on_finished(*_):
    raise ValueError("a defect")

PublicSite.on_finished = on_finished
sys.exit(main(["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]))
"""
