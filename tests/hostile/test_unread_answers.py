"""Clients that ask and do not read: what they hold is bounded, counted, and taken from them."""

import asyncio

from tests.hostile.conftest import png

ASK = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
MEBIBYTE = 1 << 20


async def test_range_of_a_large_document_does_not_keep_the_document(
    upstream, serve, dial, ask, metric
):
    upstream.documents = {1: png(30_000_000), 2: png(60_000)}
    gateway = await serve(upstream.url)
    assert (await ask(gateway.port, "/2")).status == 200
    client = await dial(gateway.port, small=True)
    for _ in range(2):
        client.offer(b"GET /2 HTTP/1.1\r\nHost: a\r\n\r\n")
        await asyncio.sleep(0.1)
    for _ in range(30):
        client.offer(b"GET /1 HTTP/1.1\r\nHost: a\r\nRange: bytes=0-0\r\n\r\n")
        await asyncio.sleep(0.1)
    assert gateway.memory("VmHWM") < 330 * 1_000_000
    assert await metric(gateway, "docwarden_buffered_bytes") < 60 * MEBIBYTE
    assert (await ask(gateway.port, "/2")).status == 200
