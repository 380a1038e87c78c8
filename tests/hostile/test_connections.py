"""Connections that idle, and names that are not ours: operators always get in."""

import asyncio

import pytest
from tests.hostile.conftest import png, statuses

OPERATORS = 100
GET = b"GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"


async def test_idle_connections_lock_nobody_out(upstream, serve, dial, ask, metric):
    upstream.documents = {1: png(20_000)}
    gateway = await serve(upstream.url, max_client_connections="50")
    silent = [await dial(gateway.port) for _ in range(60)]
    silent += [await dial(gateway.admin_port) for _ in range(OPERATORS + 10)]
    for _ in range(10):
        assert (await ask(gateway.port, "/1")).status == 200
        for page in ("/livez", "/readyz", "/metrics"):
            assert (await ask(gateway.admin_port, page)).status == 200
    for listener in ("public", "operator"):
        labels = {"listener": listener, "reason": "idle"}
        assert await metric(gateway, "docwarden_client_connections_shed_total", **labels) >= 10
    for client in silent[:10]:
        assert await client.rest() == b"", "the longest idle ones were closed"


@pytest.mark.parametrize("begun", [b"", b"GET /1 HT", b"POST /1 HTTP/1.1\r\nHost: a\r\n"])
async def test_connections_that_begin_and_stop_lock_nobody_out(begun, upstream, serve, dial, ask):
    gateway = await serve(upstream.url)
    for _ in range(OPERATORS + 5):
        client = await dial(gateway.admin_port)
        client.offer(begun)
    assert (await ask(gateway.admin_port, "/livez")).status == 200


async def test_connections_in_use_are_not_closed_for_newcomers(
    upstream, serve, dial, metric, until_true
):
    held = asyncio.Event()

    async def late(writer):
        await held.wait()
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    upstream.documents = {1: late}
    gateway = await serve(upstream.url, max_client_connections="5", attempt_timeout="9s")
    clients = [await dial(gateway.port) for _ in range(5)]
    for client in clients:
        await client.send(GET)

    async def asked():
        return len(upstream.requests) == 5

    await until_true(asked, "all ask the upstream")
    newcomer = await dial(gateway.port)
    assert await newcomer.rest() == b""
    labels = {"listener": "public", "reason": "refused"}
    assert await metric(gateway, "docwarden_client_connections_shed_total", **labels) == 1
    held.set()
    for client in clients:
        assert statuses(await client.receive()) == [404]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 421),
        ("evil.example:8081", 421),
        ("10.0.0.7.evil.example", 421),
        ("localhost.evil.example", 421),
        ("evil.example.", 421),
        ("docwarden.example", 200),
        ("DOCWARDEN.example:80", 200),
        ("localhost:8081", 200),
        ("127.0.0.1", 200),
        ("10.244.1.17:8081", 200),
        ("[fd00::17]:8081", 200),
        ("gateway:8081", 200),
        ("docwarden.documents.svc.cluster.local:8081", 200),
    ],
)
async def test_operators_pages_answer_for_their_own_names_only(
    host, status, start_gateway, simulator, talk
):
    gateway = await start_gateway(simulator.url, admin_hosts="docwarden.example")
    request = f"GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    raw = await talk(gateway.admin_port, request.encode())
    assert statuses(raw) == [status]
    # Documents are for whoever may reach the gateway, under any name.
    raw = await talk(gateway.port, request.replace("/livez", "/healthz").encode())
    assert statuses(raw) == [200]
