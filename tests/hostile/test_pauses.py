"""A pause of the process (CPU throttling, a move of its host) is not held against the upstream."""

import asyncio
import os
import signal

from tests.hostile.conftest import events, png, reply


async def test_next_request_after_a_pause_is_answered_and_the_breaker_stays_closed(
    serve, upstream, ask, metric
):
    pauses = asyncio.Event()

    async def late(writer):
        await asyncio.sleep(0.3)
        writer.write(reply(png(20_000)))

    upstream.documents = dict.fromkeys(range(1, 21), late)
    gateway = await serve(upstream.url, attempt_timeout="2s", request_timeout="20s")
    assert (await ask(gateway.port, "/1")).status == 200

    async def client(number):
        seen = []
        while not pauses.is_set():
            seen.append((await ask(gateway.port, f"/{number}")).status)
        return seen

    clients = [asyncio.ensure_future(client(number)) for number in range(1, 21)]
    await asyncio.sleep(1)
    os.kill(gateway.process.pid, signal.SIGSTOP)
    await asyncio.sleep(3)
    os.kill(gateway.process.pid, signal.SIGCONT)
    assert (await ask(gateway.port, "/1")).status == 200
    pauses.set()
    await asyncio.gather(*clients)
    assert await metric(gateway, "docwarden_breaker_openings_total") == 0
    timeouts = "docwarden_upstream_attempts_total"
    assert await metric(gateway, timeouts, result="attempt-timeout") == 0
    assert events(gateway, "breaker.opened") == []
