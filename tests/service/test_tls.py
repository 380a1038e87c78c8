"""An upstream that speaks TLS: documents of every size arrive, and only from whom one may trust.

The certificate in tests/service/tls is the tests' own: for localhost, valid for a hundred years,
and trusted by nobody else.
"""

import asyncio
import contextlib
import socket
import ssl
from pathlib import Path

import pytest

from docwarden.simulator.documents import make

CERTIFICATE = Path(__file__).parent / "tls" / "certificate.pem"


@pytest.fixture
def start_upstream(stack):
    async def start(body):
        async def serve(reader, writer):
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    await reader.readuntil(b"\r\n\r\n")
                    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body))
                    writer.write(body)
            writer.close()

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, CERTIFICATE.with_name("key.pem"))
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
        stack.callback(server.close)
        return f"https://localhost:{server.sockets[0].getsockname()[1]}"

    return start


@pytest.mark.parametrize("size", [None, 300_000, 3_000_000])
async def test_documents_come_over_tls(size, start_upstream, start_gateway, ask, monkeypatch):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    body = make("png", size).body if size else make("pdf").body
    gateway = await start_gateway(await start_upstream(body))
    for number in range(3):
        answer = await ask(gateway.port, f"/{number}")
        assert (answer.status, answer.body == body) == (200, True)
    assert (await gateway.metrics())['docwarden_upstream_connections{state="idle"}'] == 1


async def test_certificate_that_nobody_signed_is_refused(start_upstream, start_gateway, ask):
    gateway = await start_gateway(await start_upstream(make("pdf").body))
    answer = await ask(gateway.port, "/1")
    assert (answer.status, answer.problem["reason"]) == (502, "tls-failed")
    (event,) = await gateway.events("request.ended", 1)
    assert event["detail"] == "certificate-unknown-issuer"


async def test_certificate_of_another_name_is_told_as_such(
    start_upstream, start_gateway, ask, monkeypatch
):
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    url = await start_upstream(make("pdf").body)
    gateway = await start_gateway(url.replace("localhost", "other.test"))
    port = int(url.rpartition(":")[2])

    async def look_up():
        return [(socket.AF_INET, ("127.0.0.1", port))]

    monkeypatch.setattr(gateway.app.parts.pool._dialer, "_look_up", look_up)
    assert (await ask(gateway.port, "/1")).problem["reason"] == "tls-failed"
    (event,) = await gateway.events("request.ended", 1)
    assert event["detail"] == "certificate-other-name"
