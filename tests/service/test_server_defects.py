"""A defect on the server's side costs the request that met it: the next hundred are answered."""

import asyncio

import pytest

from docwarden.fetching.pipeline import Fetching
from docwarden.gateway.public_site import PublicSite
from docwarden.gateway.request_log import RequestLog
from docwarden.server.client_connection import ClientConnection
from docwarden.server.request_parser import RequestReader

PDF = "/document/pdf/{id}"
# Called by the event loop, by the server or by the site, for each request of a document.
ON_THE_WAY = [
    (RequestReader, "feed"),
    (ClientConnection, "_head"),
    (ClientConnection, "_written"),
    (ClientConnection, "_note_end"),
    (ClientConnection, "check_time"),
    (PublicSite, "handle"),
    (PublicSite, "refuse"),
    (PublicSite, "on_finished"),
    (PublicSite, "_delivery"),
    (RequestLog, "on_finished"),
    (Fetching, "_within_limit"),
    (Fetching, "_behind_breaker"),
]


@pytest.mark.parametrize(
    ("owner", "name"), ON_THE_WAY, ids=lambda each: getattr(each, "__name__", each)
)
async def test_next_hundred_requests_are_answered(  # noqa: PLR0917 - fixtures
    owner, name, start_gateway, simulator, connect, talk, until, monkeypatch
):
    loop = asyncio.get_running_loop()
    reported = []
    loop.set_exception_handler(lambda _, about: reported.append(about))
    gateway = await start_gateway(simulator.url + PDF)
    assert (await gateway.get("/1")).status == 200
    original = getattr(owner, name)
    failed: list[bool] = []

    def once(*given, **named):
        if not failed:
            failed.append(True)
            raise ValueError("a defect")
        return original(*given, **named)

    # Not by an instance, whose class may have slots.
    monkeypatch.setattr(owner, name, once)
    invalid = b"GET /abc HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    await talk(gateway.port, invalid.replace(b"/abc", b"/2"))
    await talk(gateway.port, invalid)
    idle = await connect(gateway.port)
    await until(lambda: failed, "the defect")
    connection = await connect(gateway.port)
    for number in range(100):
        answer = await connection.get(f"/{number}")
        assert answer.status == 200
    connection.close()
    idle.close()
    assert gateway.app.parts.health.stuck_seconds() == 0
    assert gateway.app.parts.limiter.in_flight == 0
    assert gateway.app.parts.memory.held == 0
