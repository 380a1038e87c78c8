"""One attempt, with only the connection to the upstream replaced."""

import asyncio
from typing import Any, cast

import pytest

from docwarden.core.deadline import Deadline
from docwarden.core.document import Memory
from docwarden.core.errors import Cause, Detail, Failure
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.fetching.attempt import Attempts
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verifier import Verifier
from docwarden.telemetry.metrics import Metrics
from docwarden.upstream.origin import Origin


class Pool:
    """Leases what a body holds, then answers, fails or hangs as it is told."""

    def __init__(self, end, digest):
        self.digest = digest
        self.origin = Origin.parse("http://upstream/{id}", agent="test")
        self.end = end
        self.requests = []
        self.fresh = None
        self.hangs = asyncio.Event()

    async def exchange(self, request, lease, started, timeout, fresh=False):
        self.requests.append((request, started, timeout))
        self.fresh = fresh
        assert lease.grow(1000)
        if self.end is None:
            self.hangs.set()
            await asyncio.Event().wait()
        if isinstance(self.end, BaseException):
            raise self.end
        status, body = self.end
        return status, body, self.digest(body)


class Span:
    """Notes what an attempt tells of itself."""

    header = b"traceparent: 00-x\r\n"
    status = 0
    failure = None
    ended: tuple[Any, Any] | None = None

    def end(self, started, received, ended, *, recalled, intact):
        assert started <= received <= ended
        self.ended = (recalled, intact)


class Trace:
    def __init__(self):
        self.span = Span()

    def attempt(self, document_id):
        assert document_id == "7"
        return self.span


class World:
    def __init__(self, end, **attempts):
        self.memory = Memory(10_000)
        self.metrics = Metrics(version="0", revision="0")
        self.fetched = FetchResult()
        self.trace: Any = Trace()
        self.now = 100.0
        self.verifier = Verifier(policy=Policy.parse("", tier=2), seed=1)
        self.pool: Any = Pool(end, self.verifier.digest)
        given = {"forward_deadline": True} | attempts
        self.attempts = Attempts(
            pool=cast("Any", self.pool),
            verifier=self.verifier,
            limiter=AdaptiveLimiter(),
            memory=self.memory,
            metrics=self.metrics,
            clock=self.clock,
            **given,
        )

    def clock(self):
        self.now += 0.5
        return self.now

    def make(self, fresh=False):
        fetch = Fetch("7", Deadline(200.0), forward=b"X-A: b\r\n", trace=self.trace)
        return self.attempts.make(fetch, self.fetched, 100.0, 3.0, fresh)

    async def fail(self):
        with pytest.raises(Failure) as caught:
            await self.make()
        return caught.value

    def counted(self, result):
        return sum(self.metrics.attempts[result].counts)


@pytest.fixture
def pdf(documents):
    return documents["pdf-table"]


async def test_intact_answer_is_a_document_that_holds_its_memory(pdf):
    world = World((200, pdf))
    document = await world.make()
    assert (document.body, document.media_type) == (pdf, "application/pdf")
    assert world.memory.held == 1000
    document.lease.release()
    assert world.memory.held == 0
    assert world.counted("intact") == 1


async def test_what_an_attempt_took_is_told_apart(pdf):
    world = World((200, pdf))
    await world.make()
    assert world.fetched.attempts == [("intact", 1.0)]
    assert (world.fetched.upstream_seconds, world.fetched.verify_seconds) == (0.5, 0.5)
    assert world.trace.span.status == 200
    assert world.trace.span.ended == (False, True)


async def test_second_look_at_the_same_bytes_is_recalled(pdf):
    world = World((200, pdf))
    await world.make()
    await world.make()
    assert world.metrics.verdicts_recalled == 1
    assert world.trace.span.ended == (True, True)


async def test_request_carries_id_headers_span_and_the_time_that_is_left(pdf):
    world = World((200, pdf))
    await world.make(fresh=True)
    ((request, started, timeout),) = world.pool.requests
    assert (started, timeout, world.pool.fresh) == (100.0, 3.0, True)
    assert request.startswith(b"GET /7 HTTP/1.1\r\nHost: upstream\r\n")
    for line in (b"X-A: b", b"traceparent: 00-x", b"X-Request-Timeout-Ms: 3000"):
        assert b"\r\n" + line + b"\r\n" in request


async def test_time_left_is_told_only_where_that_is_set(pdf):
    world = World((200, pdf), forward_deadline=False)
    await world.make()
    assert b"Timeout" not in world.pool.requests[0][0]


@pytest.mark.parametrize(
    ("end", "cause", "reason"),
    [
        ((200, b""), Cause.CORRUPT, "empty-body"),
        ((203, b""), Cause.CORRUPT, "empty-body"),
        ((404, b"x"), Cause.NOT_FOUND, "upstream-not-found"),
        ((410, b"x"), Cause.NOT_FOUND, "upstream-not-found"),
        ((503, b"x"), Cause.STATUS, "upstream-status-503"),
        ((429, b"x"), Cause.STATUS, "upstream-status-429"),
        ((302, b"x"), Cause.STATUS_FINAL, "upstream-status-302"),
        ((200, b"<html></html>"), Cause.UNSUPPORTED, "html-instead"),
        ((200, b"%PDF-1.7 and then nothing"), Cause.CORRUPT, None),
        (Failure(Cause.RESET), Cause.RESET, "connection-lost"),
        (MemoryError(), Cause.MEMORY, "out-of-memory"),
    ],
    ids=str,
)
async def test_what_brings_no_document_is_told_and_holds_no_memory(end, cause, reason):
    world = World(end)
    failure = await world.fail()
    assert failure.cause is cause
    assert reason in (None, failure.reason)
    assert world.memory.held == 0
    assert world.counted(cause.value) == 1
    assert [result for result, _ in world.fetched.attempts] == [cause.value]
    assert world.trace.span.failure.cause is cause
    assert world.trace.span.ended[1] is False


async def test_refusal_of_tier_0_is_counted_with_the_findings():
    world = World(Failure(Cause.CORRUPT, Reason.BODY_TRUNCATED))
    await world.fail()
    assert list(world.metrics.integrity.values()) == [1]


async def test_failure_keeps_no_frame_that_holds_the_refused_body():
    world = World((200, b"<html></html>"))
    failure = await world.fail()
    frames = []
    walked = failure.__traceback__
    while walked is not None:
        frames.append(walked.tb_frame.f_code.co_name)
        walked = walked.tb_next
    assert "_document" not in frames


async def test_client_that_leaves_mid_answer_leaves_no_memory_held():
    world = World(None)
    attempt = asyncio.create_task(world.make())
    await world.pool.hangs.wait()
    assert world.memory.held == 1000
    attempt.cancel()
    with pytest.raises(asyncio.CancelledError):
        await attempt
    assert world.memory.held == 0
    assert [result for result, _ in world.fetched.attempts] == ["client-closed"]
    assert world.trace.span.ended == (None, False)


async def test_detail_of_a_failure_is_kept_for_the_log():
    world = World(Failure(Cause.CONNECT, detail=Detail.REFUSED))
    assert (await world.fail()).detail is Detail.REFUSED


async def test_verification_ends_with_the_request_and_not_with_the_attempt(pdf):
    world = World((200, pdf))

    async def never():
        await asyncio.Event().wait()

    world.attempts._verifier = type(
        "Slow", (), {"recall": lambda *_: None, "begin": lambda *_: never()}
    )()
    fetch = Fetch("7", Deadline(100.55))
    with pytest.raises(Failure, match="verification-timeout"):
        await world.attempts.make(fetch, world.fetched, 100.0, 3.0)
    assert world.memory.held == 0


async def test_place_under_the_limit_is_released_before_a_deep_check_is_waited_for(
    pdf, monkeypatch
):
    world = World((200, pdf))
    limiter = world.attempts._limiter
    verdict = await world.verifier.verify(pdf)
    waits, goes_on = asyncio.Event(), asyncio.Event()

    async def wait():
        waits.set()
        await goes_on.wait()
        return verdict

    monkeypatch.setattr(Verifier, "recall", lambda *_: None)
    monkeypatch.setattr(Verifier, "begin", lambda *_: wait())
    assert limiter.try_acquire()
    world.fetched.within_limit = True
    made = asyncio.create_task(world.make())
    await waits.wait()
    assert (limiter.in_flight, world.fetched.within_limit) == (0, False)
    goes_on.set()
    assert (await made).body == pdf
