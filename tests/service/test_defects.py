"""A defect met by one request costs that request, wherever on its way it lies."""

import asyncio
from typing import Any

import pytest

from docwarden.core import responses
from docwarden.core.document import Lease
from docwarden.fetching.attempt import Attempts
from docwarden.fetching.resilience.breaker import Breaker
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.fetching.stale_copies import Copies
from docwarden.gateway.public_site import PublicSite
from docwarden.gateway.request_log import RequestLog
from docwarden.integrity.verifier import Verifier
from docwarden.net.write_batch import Outbox
from docwarden.server.client_connection import ClientConnection
from docwarden.server.request_parser import RequestReader
from docwarden.telemetry.metrics import Histogram
from docwarden.upstream.connection import Connection
from docwarden.upstream.origin import Origin
from docwarden.upstream.pool import Pool
from docwarden.upstream.response_parser import AnswerReader

# Seconds; less than the request's own time, which ends everything.
PATIENCE = 15.0
ON_THE_WAY: list[tuple[Any, str]] = [
    (AdaptiveLimiter, "release"),
    (AdaptiveLimiter, "try_acquire"),
    (AnswerReader, "begin"),
    (AnswerReader, "buffer_filled"),
    (AnswerReader, "forget"),
    (AnswerReader, "place"),
    (Attempts, "_document"),
    (Breaker, "succeeded"),
    (Breaker, "try_acquire"),
    (ClientConnection, "_finish"),
    (ClientConnection, "_head"),
    (ClientConnection, "_refusal"),
    (ClientConnection, "_send"),
    (ClientConnection, "_serve_next"),
    (ClientConnection, "_written"),
    (ClientConnection, "data_received"),
    (Connection, "buffer_updated"),
    (Connection, "send"),
    (Copies, "keep"),
    (Histogram, "observe"),
    (Lease, "grow"),
    (Lease, "release"),
    (Origin, "request"),
    (Outbox, "put"),
    (Pool, "_reuse"),
    (Pool, "_sweep"),
    (Pool, "_take_back"),
    (PublicSite, "handle"),
    (PublicSite, "on_finished"),
    (RequestLog, "on_finished"),
    (RequestReader, "feed"),
    (Verifier, "recall"),
    (responses, "document"),
]


# Where a defect comes between a coroutine's making and its start, Python says so.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("owner", "name"), ON_THE_WAY, ids=[f"{owner.__name__}.{name}" for owner, name in ON_THE_WAY]
)
async def test_hundred_requests_after_a_defect_are_answered(
    owner, name, start_gateway, start_simulator, monkeypatch
):
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, stale_if_error="1h", attempt_timeout="500ms")
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)
    original = getattr(owner, name)
    met: list[object] = []

    def break_down_once(*given, **named):
        if not met:
            met.append(given)
            raise ZeroDivisionError
        return original(*given, **named)

    monkeypatch.setattr(owner, name, break_down_once)
    # Some are met by the first request, some by one that finds a kept connection or, as the second
    # of two, makes one, or by a timer.
    for _ in range(20):
        if not met:
            pair = [asyncio.ensure_future(gateway.get("/1")) for _ in range(2)]
            _, waiting = await asyncio.wait(pair, timeout=PATIENCE)
            assert not waiting, "whoever meets the defect is told, or cut off"
            await asyncio.sleep(0.05)
    assert met, "it is on the way"
    answers = []
    for first in range(0, 100, 20):
        more = (gateway.get(f"/{number}") for number in range(first, first + 20))
        answers += await asyncio.gather(*more)
    assert {answer.status for answer in answers} == {200}
    assert max(answer.seconds for answer in answers) < 3
