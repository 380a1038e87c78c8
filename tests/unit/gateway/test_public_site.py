"""What clients ask for and what they get, with only the fetching replaced."""

import asyncio
import os
import random
from typing import Any, cast

import pytest

from docwarden.core.document import Document, Lease, Memory
from docwarden.core.errors import Cause, Failure, Outcome
from docwarden.core.request import Request
from docwarden.gateway.public_site import PublicSite
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.gateway.recent_successes import RecentSuccesses
from docwarden.gateway.request_log import RequestLog
from docwarden.telemetry.health import Health, Phase
from docwarden.telemetry.logs import open_log
from docwarden.telemetry.metrics import Metrics

BODY = b"0123456789"


class Fetching:
    """Brings a document that holds memory, or what it is told to raise."""

    def __init__(self):
        self.memory = Memory(1000)
        self.raises = None
        self.age = None
        self.asked = []

    async def fetch(self, fetch, fetched):
        self.asked.append(fetch)
        fetched.add_attempt("intact" if self.raises is None else "failed", 0.1, 0.0)
        if self.raises is not None:
            raise self.raises
        lease = Lease(self.memory)
        assert lease.grow(len(BODY))
        return Document(BODY, "image/png", b"png", b'"tag"', lease, self.age)


class World:
    def __init__(self, log):
        self.fetching: Any = Fetching()
        self.health = Health(clock=lambda: 0.0, longest_request=10.0)
        self.health.phase = Phase.READY
        self.metrics = Metrics(version="0", revision="0")
        self.recent = RecentFailures()
        draw = random.Random(1)
        self.site = PublicSite(
            fetching=cast("Any", self.fetching),
            health=self.health,
            metrics=self.metrics,
            request_log=RequestLog(log, success_share=1.0, recent=self.recent, random=draw),
            successes=RecentSuccesses(),
            log=log,
            request_timeout=10.0,
            clock=lambda: 5.5,
            random=draw,
        )

    def request(self, path="/7", method="GET", **headers):
        fields = {name.replace("_", "-").encode(): value for name, value in headers.items()}
        return Request(
            method,
            path,
            fields,
            client="::1",
            started=5.0,
            wall=0.0,
            random=random.Random(1),
        )

    async def ask(self, *words, **headers):
        request = self.request(*words, **headers)
        response = await self.site.handle(request)
        assert self.health.in_flight == {}, "whatever happened"
        return request, response


@pytest.fixture
def world():
    descriptor = os.open(os.devnull, os.O_WRONLY)
    log = open_log(format_name="json", level="info", descriptor=descriptor)
    yield World(log)
    log.close()
    os.close(descriptor)


async def test_document_is_delivered_with_the_deadline_of_its_request(world):
    request, response = await world.ask(x_request_id=b"abc")
    assert (response.status, response.body) == (200, BODY)
    assert request.result.outcome is Outcome.DELIVERED
    assert (request.result.route, request.result.media_type) == ("/{id}", "image/png")
    (fetch,) = world.fetching.asked
    assert (fetch.document_id, fetch.deadline) == ("7", 15.0)
    assert fetch.forward == b"X-Request-ID: abc\r\n"


@pytest.mark.parametrize("path", ["/", "/healthz", "/openapi.json"])
async def test_pages_ask_for_no_document(path, world):
    request, response = await world.ask(path)
    assert (response.status, request.result.route) == (200, path)
    assert (world.fetching.asked, request.result.outcome) == ([], None)


@pytest.mark.parametrize("path", ["/01", "/x", "/1/", "/-1", "/12345678901234567890", "/%31", ""])
async def test_what_is_no_id_is_never_fetched(path, world):
    request, response = await world.ask(path)
    assert (response.status, request.result.failure.cause) == (404, Cause.INVALID_ID)
    assert (world.fetching.asked, request.result.route) == ([], "unmatched")


async def test_other_methods_are_refused_with_those_that_are_not(world):
    _, response = await world.ask("/7", "POST")
    assert (response.status, b"Allow: GET, HEAD\r\n" in response.fields) == (405, True)
    assert world.fetching.asked == []


async def test_head_has_the_fields_of_get_and_no_body(world):
    _, whole = await world.ask()
    _, response = await world.ask("/7", "HEAD")
    assert (response.body, b"Content-Length: 10\r\n" in response.fields) == (b"", True)
    assert len(whole.fields) == len(response.fields)


async def test_known_document_is_not_sent_again(world):
    request, response = await world.ask(if_none_match=b'"tag"')
    assert (response.status, request.result.outcome) == (304, Outcome.NOT_MODIFIED)


async def test_copy_counts_as_stale_even_where_it_is_known(world):
    world.fetching.age = 3.0
    request, response = await world.ask(if_none_match=b'"tag"')
    assert (response.status, request.result.outcome) == (304, Outcome.DELIVERED_STALE)


async def test_part_is_sent_to_get_only(world):
    _, part = await world.ask(range=b"bytes=2-4")
    assert (part.status, bytes(part.body)) == (206, b"234")
    _, whole = await world.ask("/7", "HEAD", range=b"bytes=2-4")
    assert whole.status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"if_match": b'"other"'}, 412), ({"range": b"bytes=99-"}, 416)],
)
async def test_refused_condition_releases_the_document(headers, status, world):
    _, response = await world.ask(**headers)
    assert response.status == status
    assert world.fetching.memory.held == 0


async def test_defect_after_the_fetch_is_a_500_and_holds_nothing(world, monkeypatch):
    def break_down(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("docwarden.gateway.public_site.responses.document", break_down)
    request, response = await world.ask()
    assert (response.status, request.result.failure.cause) == (500, Cause.INTERNAL)
    assert world.fetching.memory.held == 0


async def test_defect_while_a_digest_is_made_holds_nothing(world, monkeypatch):
    def break_down(*_):
        raise ZeroDivisionError

    monkeypatch.setattr("docwarden.gateway.public_site.responses.repr_digest", break_down)
    _, response = await world.ask(want_repr_digest=b"sha-256=1")
    assert response.status == 500
    assert world.fetching.memory.held == 0


async def test_defect_of_tracing_costs_its_request_only(world):
    class Tracing:
        def begin(self, _):
            raise ZeroDivisionError

    world.site._tracing = Tracing()
    _, response = await world.ask()
    assert response.status == 500
    _, response = await world.ask("/healthz")
    assert response.status == 200


async def test_failure_names_reason_and_attempts_and_when_to_come_back(world):
    world.fetching.raises = Failure(Cause.CIRCUIT_OPEN, retry_after=29.2)
    waits = set()
    for _ in range(20):
        request, response = await world.ask()
        assert (response.status, request.result.attempts) == (503, 1)
        line = next(x for x in response.fields.split(b"\r\n") if x.startswith(b"Retry-After: "))
        waits.add(int(line.split()[1]))
    assert min(waits) >= 30
    assert max(waits) <= 45
    assert len(waits) > 1


async def test_instance_that_closes_fetches_nothing_more(world):
    world.health.phase = Phase.CLOSING
    request, response = await world.ask()
    assert (response.status, request.result.failure.cause) == (503, Cause.DRAINING)
    assert world.fetching.asked == []


async def test_cancelled_request_is_no_longer_in_flight(world):
    world.fetching.raises = asyncio.CancelledError()
    with pytest.raises(asyncio.CancelledError):
        await world.site.handle(world.request())
    assert world.health.in_flight == {}


async def test_answer_is_counted_when_it_has_been_sent(world):
    request, response = await world.ask()
    assert world.metrics.documents[Outcome.DELIVERED] == 0
    world.site.on_finished(request, response, 10)
    assert world.metrics.documents[Outcome.DELIVERED] == 1
    (key,) = [key for key, seen in world.metrics.requests.items() if sum(seen.counts)]
    assert key == ("/{id}", "GET", 200)


@pytest.mark.parametrize("sent", [-1, 4])
async def test_client_that_left_is_counted_as_such(sent, world):
    request, response = await world.ask()
    world.site.on_finished(request, None if sent > 0 else response, -1)
    assert request.result.failure.cause is Cause.CLIENT_CLOSED
    assert world.metrics.documents[Outcome.CLIENT_CLOSED] == 1
    assert world.metrics.documents[Outcome.DELIVERED] == 0
