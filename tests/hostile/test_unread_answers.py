"""Clients that ask and do not read: what they hold is bounded, counted, and taken from them."""

import asyncio
import resource
import sys
from pathlib import Path

import pytest
import yaml
from tests.hostile.conftest import png

MEBIBYTE = 1 << 20
VALUES = Path(__file__).parents[2] / "charts/docwarden/values.yaml"
DOCUMENT = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
FIRST_BYTE = b"GET /1 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n"
UNREAD_CLIENTS = 2000


@pytest.mark.parametrize("fillers", [0, 2])
async def test_a_range_of_a_large_document_does_not_keep_the_document(
    fillers, upstream, serve, dial, ask
):
    upstream.documents = {1: png(30_000_000), 2: png(60_000)}
    gateway = await serve(upstream.url)
    assert (await ask(gateway.port, "/2")).status == 200
    client = await dial(gateway.port, small=True)
    # Two are about what the kernel takes, so that what follows is kept by the gateway.
    for _ in range(fillers):
        client.offer(DOCUMENT.replace(b"GET /1", b"GET /2"))
        assert (await ask(gateway.port, "/2")).status == 200
    for _ in range(40):
        client.offer(FIRST_BYTE)
        await asyncio.sleep(0.05)
    before = -1
    while len(upstream.requests) > before:
        before = len(upstream.requests)
        await asyncio.sleep(1.0)
    peak = gateway.memory("VmHWM")
    sys.stdout.write(f"\nmemory at most {peak / 1e6:.0f} MB, {len(upstream.requests)} fetched\n")
    assert peak < 330_000_000
    assert (await ask(gateway.port, "/2")).status == 200


async def test_ranges_that_many_read_hold_their_bytes_only(
    upstream, serve, dial, metric, until_true
):
    upstream.documents = {1: png(20_000_000)}
    gateway = await serve(upstream.url)
    asked = b"GET /1 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-3999999\r\n\r\n"
    clients = [await dial(gateway.port, small=True) for _ in range(8)]
    for client in clients:
        client.offer(asked)
        assert (await client.receive(16)).startswith(b"HTTP/1.1 206")

    async def settled():
        return 8 * 4_000_000 <= await metric(gateway, "docwarden_buffered_bytes") < 40_000_000

    await until_true(settled, "eight pieces are held, and no document")
    for client in clients:
        client.close()

    async def given_back():
        return await metric(gateway, "docwarden_buffered_bytes") == 0

    await until_true(given_back, "the memory is given back")


async def test_unread_small_answers_stay_within_the_memory_limit_of_the_chart(
    upstream, serve, dial, ask, metric
):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < 3 * UNREAD_CLIENTS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 3 * UNREAD_CLIENTS), hard))
    values = yaml.safe_load(VALUES.read_text())
    limit = int(values["resources"]["limits"]["memory"].removesuffix("Mi")) * MEBIBYTE
    upstream.documents = {1: png(60_000)}
    gateway = await serve(upstream.url, queue_timeout="10s")
    clients = [await dial(gateway.port, small=True) for _ in range(UNREAD_CLIENTS)]
    # The kernel has the first answer of each; the gateway keeps the second.
    for _ in range(5):
        for start in range(0, UNREAD_CLIENTS, 40):
            for client in clients[start : start + 40]:
                client.offer(DOCUMENT)
            await ask(gateway.port, "/1")
        if await metric(gateway, "docwarden_buffered_bytes") > 50 * MEBIBYTE:
            break
    else:
        pytest.fail("unread answers are not counted")
    for client in clients:
        client.offer(DOCUMENT * 3)
    assert (await ask(gateway.port, "/1")).status == 200
    peak = gateway.memory("VmHWM")
    sys.stdout.write(f"\nmemory at most {peak / MEBIBYTE:.0f} of {limit / MEBIBYTE:.0f} MiB\n")
    assert peak < limit


async def test_slow_readers_make_room_for_those_who_wait(upstream, serve, dial, ask, metric):
    upstream.documents = {1: png(9_600_000), 2: png(12_000_000)}
    gateway = await serve(upstream.url)
    slow = [await dial(gateway.port, small=True) for _ in range(13)]
    for client in slow:
        client.offer(DOCUMENT)
        await client.receive(16)
    for _ in range(3):
        assert (await ask(gateway.port, "/2")).status == 200
    assert await metric(gateway, "docwarden_client_connections_shed_total", reason="slow") >= 1


async def test_readers_are_left_alone_while_nobody_waits(upstream, serve, dial, ask, metric):
    upstream.documents = {1: png(9_600_000), 2: png(60_000)}
    gateway = await serve(upstream.url)
    slow = [await dial(gateway.port, small=True) for _ in range(10)]
    for client in slow:
        client.offer(DOCUMENT)
        await client.receive(16)
    for _ in range(20):
        assert (await ask(gateway.port, "/2")).status == 200
        await asyncio.sleep(0.1)
    assert await metric(gateway, "docwarden_client_connections_shed_total") == 0


@pytest.mark.parametrize("method", [b"HEAD", b"GET"])
async def test_answers_without_a_body_hold_nothing(method, upstream, serve, dial, metric):
    upstream.documents = {1: png(9_600_000)}
    gateway = await serve(upstream.url)
    client = await dial(gateway.port)
    etag = b"If-None-Match: *\r\n" if method == b"GET" else b""
    await client.send(method + b" /1 HTTP/1.1\r\nHost: a\r\n" + etag + b"\r\n")
    assert (await client.receive()).split()[1] == (b"304" if etag else b"200")
    assert await metric(gateway, "docwarden_buffered_bytes") == 0
