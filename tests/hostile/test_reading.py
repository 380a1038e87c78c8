"""Bytes that clients may send: bounded, shared fairly, and read in one way only."""

import asyncio
import itertools
import sys

import pytest
from tests.hostile.conftest import PATIENCE, events, statuses

HOST = b"Host: a\r\n"
GET = b"GET /1 HTTP/1.1\r\n" + HOST + b"\r\n"
LAST = b"GET /1 HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
CONNECT = b"CONNECT a:1 HTTP/1.1\r\n" + HOST + b"\r\n"
UPGRADE = b"GET /1 HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: x\r\n\r\n"
BODY = b"POST /1 HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /1 HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
FLOOD = 13_000_000
NUMBERS = itertools.count()
GET_BODY = BODY.replace(b"POST", b"GET")


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def answers(dial, gateway, *pieces):
    client = await dial(gateway.port)
    for piece in pieces:
        client.offer(piece)
        await asyncio.sleep(0.05 if len(pieces) > 1 else 0)
    return statuses(await client.rest())


async def test_empty_lines_of_one_client_stop_nobody(gateway, dial, bystander):
    refused = {"reason": "too-many-empty-lines"}
    refusals = len(ended(gateway, refused))
    client = await dial(gateway.port)
    async with (
        bystander(gateway.port, "/1", pause=0.01) as documents,
        bystander(gateway.admin_port, "/livez", pause=0.01) as health,
    ):
        await client.flood(b"\r\n" * 32768, FLOOD)
        before = len(documents.statuses)
        while len(documents.statuses) < before + 50:
            await asyncio.sleep(0.01)
    async with asyncio.timeout(PATIENCE):
        while len(ended(gateway, refused)) == refusals:
            await asyncio.sleep(0.02)
    assert (documents.failed, health.failed) == ([], [])
    sys.stdout.write(
        f"\n{len(documents.statuses)} documents, the slowest in {documents.slowest * 1e3:.0f} ms,"
        f" {len(health.statuses)} times /livez in {health.slowest * 1e3:.0f} ms at most\n"
    )
    assert max(documents.slowest, health.slowest) < 1.0


@pytest.mark.parametrize(
    "flood",
    [
        b"\r\n" * 100,
        b"\n" * 100,
        CHUNKED + b"5;" + b"x" * 200_000,
        CHUNKED + b"1;xxxx\r\na\r\n" * 20_000,
        CHUNKED + b"0\r\n" + b"X: y\r\n" * 50_000,
        CHUNKED + b"ffffffff\r\n" + b"x" * 200_000,
    ],
    ids=["lines", "lone-lf", "extension", "extensions", "trailers", "chunk"],
)
async def test_what_frames_a_request_has_a_limit(flood, gateway, dial):
    refused = {"http.response.status_code": 400}
    before = len(ended(gateway, refused))
    client = await dial(gateway.port)
    for start in range(0, len(flood), 65536):
        if not client.offer(flood[start : start + 65536]):
            break
        await asyncio.sleep(0)
    assert statuses(await client.rest()) == [400]
    async with asyncio.timeout(PATIENCE):
        while len(ended(gateway, refused)) == before:
            await asyncio.sleep(0.02)


async def logged(gateway, **fields):
    """The events of ended requests that have these fields, once there are any."""
    async with asyncio.timeout(PATIENCE):
        while not (found := ended(gateway, fields)):
            await asyncio.sleep(0.02)
    return found


def ended(gateway, fields):
    return [each for each in events(gateway, "request.ended") if fields.items() <= each.items()]


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        ((BODY + CONNECT,), 405),
        ((CHUNKED + b"0\r\n\r\n" + CONNECT,), 405),
        ((GET_BODY + UPGRADE,), 200),
        ((BODY[:-5], b"hello" + CONNECT), 405),
        ((BODY + GET,), 405),
    ],
    ids=["connect", "chunked", "upgrade", "apart", "get"],
)
async def test_request_behind_a_body_is_neither_served_nor_an_exception(
    pieces, status, gateway, dial
):
    request_id = f"behind-{next(NUMBERS)}"
    named = pieces[0].replace(HOST, HOST + b"X-Request-ID: %b\r\n" % request_id.encode(), 1)
    assert await answers(dial, gateway, named, *pieces[1:]) == [status]
    (event,) = await logged(gateway, request_id=request_id)
    assert event["http.response.status_code"] == status
    assert events(gateway, "defect") == []
    assert gateway.output.with_suffix(".err").read_bytes() == b""


@pytest.mark.parametrize("lead", [b"\n", b"\r", b"\r\n", b"\r\n\r\n"])
async def test_empty_line_before_a_request_is_no_part_of_it(lead, gateway, dial):
    head = LAST.replace(b"GET", b"HEAD")
    client = await dial(gateway.port)
    await client.send(lead + GET + lead + head)
    raw = await client.rest()
    first, _, rest = raw.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ")
    second, _, body = rest[len(gateway.document) :].partition(b"\r\n\r\n")
    assert second.startswith(b"HTTP/1.1 200 ")
    assert body == b""


@pytest.mark.parametrize("host", [b"", b"a b", b"a/b", b"a@b", b"a:b", b"[::1", b"\xff"])
async def test_invalid_host_is_refused(host, gateway, dial):
    assert await answers(dial, gateway, b"GET /1 HTTP/1.1\r\nHost: " + host + b"\r\n\r\n") == [400]


@pytest.mark.parametrize("host", [b"a", b"a:80", b"a:", b"127.0.0.1:8080", b"[::1]:80", b"a_b.c-d"])
async def test_valid_host_is_served(host, gateway, dial):
    request = b"GET /1 HTTP/1.1\r\nConnection: close\r\nHost: " + host + b"\r\n\r\n"
    assert await answers(dial, gateway, request) == [200]


@pytest.mark.parametrize(
    "line", [b"BREW /1", b"get /1", b"PROPFIND /1", b"TRACE /1", b"CONNECT a:1", b"POST /1"]
)
async def test_other_methods_are_not_allowed(line, gateway, dial):
    client = await dial(gateway.port)
    await client.send(line + b" HTTP/1.1\r\nConnection: close\r\n" + HOST + b"\r\n")
    raw = await client.rest()
    assert statuses(raw) == [405]
    assert b"\r\nAllow: GET, HEAD\r\n" in raw


@pytest.mark.parametrize("listener", ["port", "admin_port"])
@pytest.mark.parametrize("target", [b"*", b"/", b"/1"])
async def test_options_are_told(target, listener, gateway, dial):
    client = await dial(getattr(gateway, listener))
    await client.send(b"OPTIONS " + target + b" HTTP/1.0\r\n\r\n")
    raw = await client.rest()
    assert statuses(raw) == [204]
    assert b"\r\nAllow: GET, HEAD\r\n" in raw


@pytest.mark.parametrize("request_", [GET, GET + GET, LAST, b"GET /1 HTTP/1.0\r\n\r\n"])
async def test_client_that_ends_its_side_gets_its_answers(request_, gateway, dial):
    client = await dial(gateway.port)
    await client.send(request_)
    client.end()
    assert statuses(await client.rest()) == [200] * request_.count(b"GET")
