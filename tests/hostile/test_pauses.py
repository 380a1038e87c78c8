"""A pause of the process (CPU throttling, a move of its host) is not held against the upstream."""

import asyncio
import os
import signal

from tests.hostile.conftest import PATIENCE, events, png, reply

REFUSED = "too-many-empty-lines"


def late(pause):
    """Answers with a document after so many seconds."""

    async def answer(writer):
        await asyncio.sleep(pause)
        writer.write(reply(png(20_000)))

    return answer


async def test_empty_lines_of_one_client_cost_no_attempt_and_open_no_breaker(
    serve, upstream, dial, ask, metric
):
    upstream.documents = dict.fromkeys(range(1, 21), late(0.3))
    gateway = await serve(upstream.url)
    over = asyncio.Event()
    seen: list[int] = []

    async def client(number):
        while not over.is_set():
            seen.append((await ask(gateway.port, f"/{number}")).status)

    clients = [asyncio.ensure_future(client(number)) for number in range(1, 21)]
    while len(seen) < 20:
        await asyncio.sleep(0.01)
    attacker = await dial(gateway.port)
    await attacker.flood(b"\r\n" * 32768, 10_000_000)
    before = len(seen)
    while len(seen) < before + 60:
        await asyncio.sleep(0.01)
    over.set()
    await asyncio.gather(*clients)
    assert set(seen) == {200}
    assert await metric(gateway, "docwarden_breaker_openings_total") == 0
    async with asyncio.timeout(PATIENCE):
        while not any(each.get("reason") == REFUSED for each in events(gateway, "request.ended")):
            await asyncio.sleep(0.02)


async def test_next_request_after_a_pause_is_answered_and_the_breaker_stays_closed(
    serve, upstream, ask, metric
):
    pauses = asyncio.Event()

    upstream.documents = dict.fromkeys(range(1, 21), late(0.3))
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
    await asyncio.sleep(4)
    os.kill(gateway.process.pid, signal.SIGCONT)
    assert (await ask(gateway.port, "/1")).status == 200
    pauses.set()
    await asyncio.gather(*clients)
    assert await metric(gateway, "docwarden_breaker_openings_total") == 0
    timeouts = "docwarden_upstream_attempts_total"
    assert await metric(gateway, timeouts, result="attempt-timeout") == 0
    assert events(gateway, "breaker.opened") == []
