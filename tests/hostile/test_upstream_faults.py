"""One bad document and dead connections of the upstream: nobody else's outage.

With the default settings, in real time; POISON_SECONDS (10) sets how long the bad document lasts.
"""

import asyncio
import contextlib
import os
import sys
import time

import pytest
from tests.hostile.conftest import PATIENCE, events, png, reply

POISON_SECONDS = float(os.environ.get("POISON_SECONDS", "10"))
DOCUMENT = png(20_000)


async def fail(writer):
    writer.write(reply(b"", "500 Internal Server Error"))


async def test_document_that_always_fails_leaves_all_others_alone(
    upstream, serve, ask, bystander, metric
):
    upstream.documents = {1: fail} | dict.fromkeys(range(2, 10), DOCUMENT)
    gateway = await serve(upstream.url)
    asking: list[asyncio.Future[int]] = []

    async def poisoned():
        return (await ask(gateway.port, "/1")).status

    # Alone at first: nobody else's answer speaks for the upstream.
    for _ in range(10):
        assert await poisoned() == 502
    started = time.monotonic()
    async with contextlib.AsyncExitStack() as stack:
        watched = [
            await stack.enter_async_context(bystander(gateway.port, f"/{number}", pause=0.1))
            for number in range(2, 10)
        ]
        # Ten a second, whatever becomes of them.
        while (due := started + len(asking) * 0.1) < started + POISON_SECONDS:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            asking.append(asyncio.ensure_future(poisoned()))
        refused = await asyncio.gather(*asking)
    others = [status for seen in watched for status in seen.statuses]
    sys.stdout.write(
        f"\n{len(refused)} requests for the bad document in {POISON_SECONDS:.0f} s,"
        f" {len(others)} for others, of which {len(others) - others.count(200)} failed\n"
    )
    assert set(refused) <= {502, 503}
    assert set(others) == {200}
    assert await metric(gateway, "docwarden_breaker_openings_total") == 0


@pytest.fixture
async def generations():
    """An upstream whose connections fall silent when `generations.now` moves on."""

    class Generations:
        now = 0
        url = ""

        async def serve(self, reader, writer):
            mine = self.now
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await reader.readuntil(b"\r\n\r\n"):
                    await asyncio.sleep(0.05)
                    if mine == self.now:
                        writer.write(reply(DOCUMENT))
            writer.close()

    generations = Generations()
    server = await asyncio.start_server(generations.serve, "127.0.0.1", 0)
    generations.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{{id}}"
    yield generations
    server.close()


async def test_first_document_comes_soon_after_all_kept_connections_fell_silent(
    generations, serve, ask
):
    gateway = await serve(generations.url)
    await asyncio.gather(*(ask(gateway.port, f"/{number}") for number in range(1, 31)))
    generations.now = 1
    started = time.monotonic()
    asking: list[asyncio.Future[int]] = []

    async def status():
        return (await ask(gateway.port, "/7")).status

    while not any(each.done() and each.result() == 200 for each in asking):
        assert time.monotonic() < started + PATIENCE
        asking.append(asyncio.ensure_future(status()))
        await asyncio.wait(asking[-1:], timeout=0.5)
    seconds = time.monotonic() - started
    statuses = await asyncio.gather(*asking)
    sys.stdout.write(f"\nfirst document after {seconds:.1f} s, {statuses}\n")
    assert seconds < 8
    assert events(gateway, "breaker.opened") == []
