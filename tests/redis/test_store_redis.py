"""The Redis store with a real server, started here: `make test-redis`."""

import asyncio
import os
import random
import shlex
import signal
import subprocess
import time
from contextlib import asynccontextmanager

import pytest

from docwarden.fetching.store.entry import Copy, encode
from docwarden.fetching.store.redis import PREFIX, READS_AT_ONCE, RedisStore

PASSWORD = "correct-horse"


@asynccontextmanager
async def store_of(server, *, url="redis://:{password}@127.0.0.1:{port}/0", **settings):
    store = RedisStore(
        url.format(password=PASSWORD, port=server.port),
        **{
            "ttl": 60.0,
            "max_bytes": 1_000_000,
            "clock": time.monotonic,
            "wall_clock": time.time,
            "random": random.random,
            **settings,
        },
    )
    try:
        yield store
    finally:
        await store.close()


def copy_of(body=b"body"):
    return Copy(body, "image/png", '"abc"', time.time())


async def eventually(condition):
    deadline = time.monotonic() + 10
    while not (result := await condition()):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    return result


async def test_copy_comes_back_and_has_a_time_to_live(server):
    async with store_of(server) as store:
        copy = copy_of()
        store.put("7", copy)
        assert await eventually(lambda: store.get("7")) == copy
        assert 55_000 < server.client().pttl(PREFIX + "7") <= 60_000
        assert await store.get("8") is None
        assert sum(store.errors.values()) == 0


async def test_two_stores_share_their_copies(server):
    async with store_of(server) as one, store_of(server) as other:
        copy = copy_of(os.urandom(500_000))
        one.put("7", copy)
        assert await eventually(lambda: other.get("7")) == copy


async def test_what_waits_is_written_before_the_store_closes(server):
    async with store_of(server) as store:
        for number in range(200):
            store.put(str(number), copy_of())
    assert len(server.client().keys(PREFIX + "*")) == 200
    assert store.dropped == 0


async def test_later_copy_of_a_document_replaces_the_one_that_waits(server):
    async with store_of(server) as store:
        store.put("7", copy_of(b"old"))
        latest = copy_of(b"new")
        store.put("7", latest)
        assert await eventually(lambda: store.get("7")) == latest


async def test_copy_older_than_its_time_to_live_is_not_served(server):
    async with store_of(server) as store:
        old = Copy(b"body", "image/png", '"abc"', time.time() - 61)
        server.client().set(PREFIX + "7", encode("7", old))
        assert await store.get("7") is None


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:50] + bytes([data[50] ^ 1]) + data[51:],
        lambda data: b"DWC\x02" + data[4:],
        lambda _: encode("8", copy_of()),
        lambda _: b"\0" * 3_000_000,
        lambda data: data + b"\0",
    ],
    ids=["truncated", "bit flipped", "other version", "other document", "huge", "longer"],
)
async def test_wrong_bytes_are_refused_and_counted(server, spoil):
    async with store_of(server) as store:
        server.client().set(PREFIX + "7", spoil(encode("7", copy_of(bytes(100)))))
        assert await store.get("7") is None
        assert store.errors == {"get": 0, "put": 0, "decode": 1, "busy": 0}


async def test_value_of_another_type_is_no_copy(server):
    async with store_of(server) as store:
        server.client().rpush(PREFIX + "7", "a")
        assert await store.get("7") is None
        assert store.errors["get"] == 1


async def test_killed_server_is_no_store_and_a_restarted_one_is_again(server):
    async with store_of(server) as store:
        store.put("7", copy_of())
        assert await eventually(lambda: store.get("7"))
        server.kill()
        for _ in range(20):
            assert await store.get("7") is None
        store.put("8", copy_of())
        server.start()

        async def written():
            store.put("9", copy_of())
            return await store.get("9")

        # The breaker of the store looks again after a second.
        assert await eventually(written)
        assert 3 <= store.errors["get"] + store.errors["put"] <= 6


async def test_crowd_of_reads_does_not_make_a_healthy_server_look_dead(server):
    async with store_of(server) as store:
        server.client().set(PREFIX + "7", encode("7", copy_of(bytes(50_000))))
        found = await asyncio.gather(*(store.get("7") for _ in range(2000)))
        assert sum(copy is not None for copy in found) == READS_AT_ONCE
        assert store.errors == {"get": 0, "put": 0, "decode": 0, "busy": 2000 - READS_AT_ONCE}
        assert await store.get("7")


async def test_server_that_hangs_costs_no_more_than_the_timeout(server):
    async with store_of(server) as store:
        server.client().set(PREFIX + "7", encode("7", copy_of()))
        assert await store.get("7")
        assert server.process is not None
        server.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        assert await store.get("7") is None
        assert 0.2 < time.monotonic() - began < 0.6
        began = time.monotonic()
        await asyncio.gather(*(store.get("7") for _ in range(100)))
        assert time.monotonic() - began < 0.6
        began = time.monotonic()
        await asyncio.gather(*(store.get("7") for _ in range(100)))
        assert time.monotonic() - began < 0.05
        server.process.send_signal(signal.SIGCONT)
        assert await eventually(lambda: store.get("7"))


async def test_answer_to_a_question_given_up_is_not_taken_for_the_next(server):
    async with store_of(server) as store:
        for number in range(50):
            store.put(str(number), copy_of(str(number).encode() * 5000))
        await eventually(lambda: store.get("49"))

        for delay in range(200):
            task = asyncio.create_task(store.get(str(delay % 50)))
            for _ in range(delay % 7):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
            number = (delay + 1) % 50
            copy = await store.get(str(number))
            assert copy is None or copy.body == str(number).encode() * 5000
        assert store.errors["decode"] == 0


async def test_wrong_password_is_no_store_and_appears_nowhere(server, caplog):
    wrong = "redis://:wr0ng-w0rd@127.0.0.1:{port}/0"
    async with store_of(server, url=wrong) as store:
        assert await store.get("7") is None
        assert store.errors["get"] == 1
        assert store.last_error == "AuthenticationError"
        assert "wr0ng-w0rd" not in repr(store) + store.last_error + caplog.text


async def test_full_server_refuses_writes_and_still_serves_reads(server):
    async with store_of(server) as store:
        copy = copy_of()
        store.put("7", copy)
        assert await eventually(lambda: store.get("7"))
        server.client().config_set("maxmemory", "1")
        for number in range(10):
            store.put(str(100 + number), copy_of())

        async def refused():
            return store.dropped == 10

        await eventually(refused)
        assert await store.get("7") == copy
        assert store.errors["put"] == 10


@pytest.fixture
def certificate(tmp_path):
    path, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        shlex.split(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
            f" -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 -keyout {key} -out {path}"
        ),
        check=True,
        capture_output=True,
    )
    return path, key


@pytest.fixture
def tls_server(tmp_path, certificate, server_class):
    path, key = certificate
    started = server_class(
        str(tmp_path),
        *("--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no"),
        *("--tls-cert-file", str(path), "--tls-key-file", str(key)),
    )
    started.start()
    yield started
    started.kill()


async def test_store_speaks_tls_with_a_server_whose_authority_it_knows(tls_server, certificate):
    url = f"rediss://:{{password}}@127.0.0.1:{{port}}/0?ssl_ca_certs={certificate[0]}"
    # A handshake takes longer than a round trip.
    async with store_of(tls_server, url=url, timeout=2.0) as store:
        copy = copy_of()
        store.put("7", copy)
        assert await eventually(lambda: store.get("7")) == copy


async def test_store_does_not_speak_with_a_server_whose_authority_it_does_not_know(tls_server):
    url = "rediss://:{password}@127.0.0.1:{port}/0"
    async with store_of(tls_server, url=url, timeout=2.0) as store:
        assert await store.get("7") is None
        assert store.errors["get"] == 1
