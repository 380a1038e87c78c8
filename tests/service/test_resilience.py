"""The policies at work in the running gateway: retries, breaker, store, hedging, single flight."""

import asyncio
import gc
import hashlib
import itertools
import time
from typing import Any

import pytest

from docwarden.core.document import Document, Lease


async def test_transport_failure_is_retried_until_an_intact_answer(start_gateway, start_simulator):
    simulator = await start_simulator(seed=3)
    simulator.behave(faults=["reset:40%"], mix={"png": 1})
    gateway = await start_gateway(simulator.url)
    answers = [await gateway.get(f"/{n}") for n in range(30)]
    statuses = [answer.status for answer in answers]
    assert statuses.count(200) > 20
    recorded = await gateway.events("request.ended", 30)
    retried = [e for e in recorded if len(e["attempts"]) > 1 and e["outcome"] == "delivered"]
    assert retried
    assert all(e["attempts"][0]["result"] == "connection-lost" for e in retried)


async def test_corrupt_document_is_fetched_again_and_never_trips_the_breaker(
    start_gateway, simulator
):
    gateway = await start_gateway(simulator.url + "/document/corrupt-pdf/{id}")
    for number in range(20):
        answer = await gateway.get(f"/{number}")
        assert (answer.slug, answer.problem["attempts"]) == ("document-corrupt", 4)
    metrics = await gateway.metrics()
    assert metrics['docwarden_breaker_state{state="closed"}'] == 1
    assert simulator.counters.requests == 80


async def test_open_breaker_answers_at_once_without_calling_the_upstream(
    start_gateway, start_simulator
):
    simulator = await start_simulator()
    simulator.behave(faults=["status=503"])
    gateway = await start_gateway(simulator.url, breaker_open="1m")
    numbers = itertools.count(1)
    while (answer := await gateway.get(f"/{next(numbers)}")).slug != "upstream-circuit-open":
        assert answer.slug == "upstream-error"
    asked = simulator.counters.requests
    answers = [await gateway.get(f"/{n}") for n in range(20)]
    assert {answer.slug for answer in answers} == {"upstream-circuit-open"}
    assert {answer.status for answer in answers} == {503}
    waits = [int(answer.headers["retry-after"]) for answer in answers]
    assert min(waits) >= 59
    assert len(set(waits)) > 1, "Retry-After is jittered"
    assert max(answer.seconds for answer in answers) < 0.5
    assert simulator.counters.requests == asked
    assert (await gateway.admin("/readyz")).status == 200


async def test_upstream_that_comes_back_is_used_within_the_opening_and_a_second(
    start_gateway, start_simulator
):
    opening = 1.0
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, breaker_open="1s")
    assert (await gateway.get("/1")).status == 200
    before = simulator.counters.requests
    simulator.behave(faults=["status=503"])
    numbers = itertools.count(1)
    while (await gateway.get(f"/{next(numbers)}")).slug != "upstream-circuit-open":
        pass
    opened = time.monotonic()
    # Each document counts once, and is asked for three times but by the last, which opens it.
    assert simulator.counters.requests - before == 4 * 3 + 1
    simulator.behave(faults=[])
    while (await gateway.get("/1")).status != 200:
        assert time.monotonic() - opened < opening * 1.1 + 1.0
        await asyncio.sleep(0.02)
    metrics = await gateway.metrics()
    assert metrics['docwarden_breaker_state{state="closed"}'] == 1
    assert metrics["docwarden_breaker_openings_total"] == 1


async def test_outage_costs_the_upstream_no_more_than_the_retry_budget(
    start_gateway, start_simulator
):
    simulator = await start_simulator()
    simulator.behave(faults=["status=503:60%"], mix={"pdf": 1}, latency="20ms")
    gateway = await start_gateway(simulator.url, breaker_open="100ms")
    clients, rounds = 16, 20

    async def client(number):
        for n in range(rounds):
            await gateway.get(f"/{number}{n}")

    await asyncio.gather(*(client(number + 1) for number in range(clients)))
    # 20 % of those in flight, and at least three at once: of 16, three, so 3/13 above 1.
    assert simulator.counters.requests <= clients * rounds * (1 + 3 / 13)


async def test_pool_keeps_to_its_size(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(latency="30ms", mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, upstream_connections="3")
    answers = await asyncio.gather(*(gateway.get(f"/{n}") for n in range(15)))
    assert {answer.status for answer in answers} == {200}
    assert simulator.counters.connections <= 3


async def test_kept_connection_that_went_stale_is_replaced_unseen(start_gateway, simulator):
    gateway = await start_gateway(simulator.url + "/fault/stale/{id}", transport_attempts="1")
    for number in range(5):
        answer = await gateway.get(f"/{number}")
        assert answer.status == 200
    metrics = await gateway.metrics()
    assert metrics["docwarden_upstream_stale_connections_total"] >= 1
    assert metrics['docwarden_upstream_attempts_total{result="intact"}'] == 5


async def test_single_flight_shares_one_fetch(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(latency="200ms", mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, single_flight="on")
    answers = await asyncio.gather(*(gateway.get("/7") for _ in range(10)))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert simulator.counters.requests == 1
    metrics = await gateway.metrics()
    assert metrics["docwarden_single_flight_shared_total"] == 9
    assert metrics["docwarden_buffered_bytes"] == 0
    recorded = await gateway.events("request.ended", 10)
    assert sum("shared" in event for event in recorded) == 9


async def test_single_flight_failure_reaches_all_without_a_stampede(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(latency="200ms", mix={"corrupt-pdf": 1})
    gateway = await start_gateway(simulator.url, single_flight="on")
    answers = await asyncio.gather(*(gateway.get("/7") for _ in range(10)))
    assert {answer.slug for answer in answers} == {"document-corrupt"}
    assert simulator.counters.requests == 4


async def test_hanging_upstream_opens_the_breaker_of_shared_fetches_too(
    start_gateway, start_simulator
):
    simulator = await start_simulator()
    simulator.behave(faults=["hang"])
    gateway = await start_gateway(
        simulator.url, single_flight="on", request_timeout="200ms", attempt_timeout="200ms"
    )
    reasons = [(await gateway.get(f"/{number}")).problem["reason"] for number in range(6)]
    assert reasons == ["attempt-timeout"] * 5 + ["circuit-open"]
    metrics = await gateway.metrics()
    assert metrics['docwarden_upstream_attempts_total{result="attempt-timeout"}'] == 5


async def test_hedge_beats_an_outlier(start_gateway, start_simulator):
    simulator = await start_simulator(seed=1)
    simulator.behave(mix={"pdf": 1}, latency="2ms")
    gateway = await start_gateway(simulator.url, hedging="on", attempt_timeout="3s")
    for number in range(150):
        await gateway.get(f"/{number}")
    simulator.behave(faults=["delay=2s:5%"])
    answers: list[Any] = []
    won = 0.0
    # Which answers are late is drawn: one in twenty, and one in four hundred with its hedge.
    while not won and len(answers) < 400:
        answers += [await gateway.get(f"/{n}") for n in range(40)]
        metrics = await gateway.metrics()
        won = metrics['docwarden_hedges_total{result="won"}']
    assert {answer.status for answer in answers} == {200}
    assert won >= 1
    slow = [answer for answer in answers if answer.seconds > 1.5]
    assert len(slow) < 3
    assert metrics["docwarden_requests_in_flight"] == 0
    assert metrics["docwarden_buffered_bytes"] == 0
    assert gateway.app.parts.pool.open == gateway.app.parts.pool.idle


async def test_last_verified_copy_stands_in_and_says_so(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, stale_if_error="10s")
    fresh = await gateway.get("/7")
    simulator.behave(faults=["status=503"])
    stale = await gateway.get("/7")
    assert (stale.status, stale.body) == (200, fresh.body)
    assert stale.headers["etag"] == fresh.headers["etag"]
    assert stale.headers["cache-status"] == "docwarden; hit; detail=stale-if-error"
    assert int(stale.headers["age"]) >= 0
    assert "cache-status" not in fresh.headers
    unseen = await gateway.get("/8")
    assert (unseen.status, unseen.slug) == (502, "upstream-error")
    conditional = await gateway.get("/7", If_None_Match=fresh.headers["etag"])
    assert conditional.status == 304
    part = await gateway.get("/7", Range="bytes=0-9")
    assert part.body == fresh.body[:10]
    metrics = await gateway.metrics()
    assert metrics['docwarden_documents_total{outcome="delivered_stale"}'] == 3
    events = await gateway.events("request.ended", 5)
    assert events[1]["outcome"] == "delivered_stale"
    assert events[1]["replaced_reason"] == "upstream-status-503"
    assert events[1]["severity"] == "warning"


async def test_copy_is_never_served_past_its_age(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, stale_if_error="400ms")
    await gateway.get("/7")
    simulator.behave(faults=["status=500"])
    assert (await gateway.get("/7")).status == 200
    await asyncio.sleep(0.5)
    assert (await gateway.get("/7")).status == 502


async def test_document_that_is_gone_is_not_replaced_by_a_copy(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, stale_if_error="10s")
    await gateway.get("/7")
    simulator.behave(faults=["gone"])
    assert (await gateway.get("/7")).status == 404


async def test_memory_of_documents_in_progress_is_bounded(start_gateway, start_simulator):
    simulator = await start_simulator(size=2 << 20)
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(
        simulator.url, max_document_bytes="2MiB", max_buffered_bytes="5MiB"
    )
    memory = gateway.app.parts.memory
    most = 0

    async def watch():
        nonlocal most
        while True:
            most = max(most, memory.held)
            await asyncio.sleep(0)

    watching = asyncio.ensure_future(watch())
    answers = await asyncio.gather(*(gateway.get(f"/{n}") for n in range(12)))
    watching.cancel()
    assert {answer.status for answer in answers} == {200}
    assert 2 << 20 <= most <= 5 << 20
    assert memory.held == 0


def documents():
    return sum(type(each) is Document for each in gc.get_objects())


@pytest.mark.parametrize(
    "expected",
    [
        (200, {}),
        (304, {"If_None_Match": "*"}),
        (412, {"If_Match": '"other"'}),
        (416, {"Range": "bytes=99999999-"}),
    ],
    ids=lambda expected: str(expected[0]),
)
@pytest.mark.parametrize("flight", ["off", "on"])
async def test_no_cycle_keeps_a_document_that_was_delivered_or_refused(
    flight, expected, start_gateway, start_simulator, until
):
    status, headers = expected
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, stale_if_error="1h", single_flight=flight)
    gc.collect()
    gc.disable()
    before = documents()
    try:
        assert (await gateway.get("/7", **headers)).status == status
        await until(lambda: documents() == before, "the fresh document is let go")
        simulator.behave(faults=["status=503"])
        assert (await gateway.get("/7", **headers)).status == status
        await until(lambda: documents() == before, "the copy is let go")
    finally:
        gc.enable()


async def test_declared_length_beyond_the_cap_is_refused_before_the_body_is_read(
    start_gateway, start_simulator, until
):
    simulator = await start_simulator()
    gateway = await start_gateway(
        simulator.url + "/fault/oversize/500MiB/{id}", max_document_bytes="1MiB"
    )
    answer = await gateway.get("/1")
    assert answer.slug == "document-too-large"
    assert answer.seconds < 1
    await until(lambda: simulator.counters.open_connections == 0, "the connection is closed")


@pytest.mark.parametrize("share", [0.5, 1.0])
async def test_no_failed_attempt_leaks_a_connection(share, start_gateway, start_simulator, until):
    simulator = await start_simulator()
    simulator.behave(faults=[f"truncate:{share}"], mix={"png": 1})
    gateway = await start_gateway(simulator.url)
    await asyncio.gather(*(gateway.get(f"/{n}") for n in range(30)))
    pool = gateway.app.parts.pool
    await until(lambda: simulator.counters.open_connections == pool.open, "both sides agree")
    assert pool.open == pool.idle


async def test_intact_documents_match_what_the_simulator_holds(start_gateway, simulator):
    gateway = await start_gateway(simulator.url)
    for number in range(50):
        answer = await gateway.get(f"/{number}")
        assert hashlib.sha256(answer.body).hexdigest() in simulator.held


async def test_memory_that_lacks_here_does_not_open_the_breaker(start_gateway, record_upstream):
    upstream = await record_upstream()
    gateway = await start_gateway(upstream.url, attempt_timeout="200ms")
    parts = gateway.app.parts
    assert (await gateway.get("/7")).status == 200
    everything = Lease(parts.memory)
    assert everything.grow(parts.memory.max)
    answers = await asyncio.gather(*(gateway.get(f"/{number}") for number in range(6)))
    assert {(answer.status, answer.slug) for answer in answers} == {(503, "overloaded")}
    everything.release()
    assert (await gateway.get("/7")).status == 200


async def test_too_few_connections_do_not_open_the_breaker(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1}, latency="300ms")
    gateway = await start_gateway(simulator.url, upstream_connections="2", connect_timeout="100ms")
    answers = await asyncio.gather(*(gateway.get(f"/{number}") for number in range(20)))
    refused = [answer for answer in answers if answer.status != 200]
    assert refused
    assert {(answer.status, answer.problem["reason"]) for answer in refused} == {
        (503, "pool-exhausted")
    }
    assert (await gateway.get("/7")).status == 200


async def test_last_copy_stands_in_at_the_deadline_of_a_shared_fetch_too(
    start_gateway, start_simulator
):
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(
        simulator.url, stale_if_error="1h", single_flight="true", request_timeout="500ms"
    )
    assert (await gateway.get("/7")).status == 200
    simulator.behave(faults=["hang"])
    answer = await gateway.get("/7")
    assert answer.status == 200
    assert "age" in answer.headers


async def test_each_who_shares_a_last_copy_says_what_it_replaces(start_gateway, start_simulator):
    simulator = await start_simulator()
    simulator.behave(mix={"pdf": 1})
    gateway = await start_gateway(simulator.url, stale_if_error="1h", single_flight="on")
    assert (await gateway.get("/7")).status == 200
    simulator.behave(faults=["status=503"], latency="200ms")
    answers = await asyncio.gather(*(gateway.get("/7") for _ in range(3)))
    assert ["age" in answer.headers for answer in answers] == [True] * 3
    stale = (await gateway.events("request.ended", 4))[1:]
    assert [event["replaced_reason"] for event in stale] == ["upstream-status-503"] * 3
    assert len(gateway.app.parts.failures.newest_first()) == 3


async def test_who_finds_no_place_shared_nothing_although_others_joined(
    start_gateway, start_simulator, until
):
    simulator = await start_simulator()
    simulator.behave(faults=["hang"])
    gateway = await start_gateway(
        simulator.url, single_flight="on", max_concurrency="1", queue_timeout="300ms"
    )
    limiter, flight = gateway.app.parts.limiter, gateway.app.parts.single_flight
    hanging = asyncio.ensure_future(gateway.get("/1"))
    await until(lambda: limiter.in_flight == 1, "the only place is taken")
    first = asyncio.ensure_future(gateway.get("/7"))
    await until(lambda: limiter.waiting == 1, "one waits for it")
    second = asyncio.ensure_future(gateway.get("/7"))
    await until(lambda: flight.shared == 1, "another joins")
    assert {(await each).slug for each in (first, second)} == {"overloaded"}
    recorded = await gateway.events("request.ended", 2)
    assert sum("shared" in event for event in recorded) == 1
    hanging.cancel()
