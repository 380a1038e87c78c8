"""Changes of state are told once each, with their cause and how long they last."""

import asyncio
import json
import os
import random
import re
from pathlib import Path

import pytest

from docwarden.fetching.resilience.breaker import Change, State
from docwarden.fetching.resilience.gradient_limit import GradientLimit
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.fetching.store.redis import RedisStore
from docwarden.fetching.transitions import Transitions
from docwarden.telemetry.logs import open_log


class World:
    """A clock that a test moves, and what was told."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.now = 100.0
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
        self.log = open_log(format_name="json", level="info", descriptor=descriptor)
        self.transitions = Transitions(self.log, lambda: self.now)

    def told(self, *names: str) -> list[tuple[object, ...]]:
        """Close the log and return name and fields of each event."""
        self.log.close()
        events = [json.loads(line) for line in self.file.read_text().splitlines()]
        assert all(each["message"] for each in events)
        return [(each["event.name"], *(each.get(name) for name in names)) for each in events]


@pytest.fixture
def world(tmp_path):
    return World(tmp_path / "log")


def serve(limiter, latency, times):
    """Take every place and give it back, so many times."""
    for _ in range(times):
        taken = 0
        while limiter.try_acquire():
            taken += 1
        for _ in range(taken):
            limiter.release(latency)


def test_breaker_tells_of_its_opening_and_its_end(world):
    world.transitions.breaker(Change(State.OPEN, "connect-failed (refused)", 31.25, 1))
    world.transitions.breaker(Change(State.CLOSED, "", 64.5, 2))
    assert world.told("cause", "duration_s", "openings_in_a_row") == [
        ("breaker.opened", "connect-failed (refused)", 31.25, 1),
        ("breaker.closed", None, 64.5, 2),
    ]


def test_limiter_tells_that_it_is_at_its_floor_and_how_long_that_lasted(world):
    gradient = GradientLimit(start=8, minimum=4, maximum=8)
    limiter = AdaptiveLimiter(gradient, on_floor=world.transitions.limiter)
    serve(limiter, 0.010, 10)
    for _ in range(100):  # a queue as long as the limit: cuts help, and go on
        serve(limiter, 0.050 * limiter.limit, 1)
    assert limiter.limit == 4
    world.now += 12.5
    serve(limiter, 0.010, 20)
    assert limiter.limit == 8
    reached, left = world.told("cause", "limit", "duration_s")
    assert reached[0] == "limiter.at_floor"
    assert reached[2] == 4
    assert re.fullmatch(r"median attempt takes \d\d\d ms, usually \d+ ms", str(reached[1]))
    assert left[0] == "limiter.recovered"
    assert left[3] == 12.5


def test_limit_that_cannot_move_is_never_told(world):
    limiter = AdaptiveLimiter(
        GradientLimit(start=4, minimum=4, maximum=4), on_floor=world.transitions.limiter
    )
    serve(limiter, 0.010, 50)
    assert world.told() == []


async def test_store_is_lost_once_and_found_once(world):
    there = asyncio.Event()

    async def answer(reader, writer):
        while there.is_set() and (commands := await reader.read(4096)):
            writer.write(b"+OK\r\n" * commands.count(b"*"))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    store = RedisStore(
        f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}",
        ttl=60.0,
        max_bytes=1000,
        clock=lambda: world.now,
        wall_clock=lambda: 0.0,
        random=random.Random(1).random,
        on_change=world.transitions.store,
    )
    for _ in range(6):
        assert await store.get("7") is None
        world.now += 20.0
    there.set()
    assert await store.get("7") is None
    await store.close()
    server.close()
    lost, found = world.told("cause", "duration_s")
    assert lost[0] == "store.lost"
    assert str(lost[1]).endswith("Error")
    assert 1.0 <= float(str(lost[2])) <= 1.1
    assert found[0] == "store.found"
    assert found[2] == 80.0


def test_deep_checker_tells_what_its_process_died_of(world):
    world.transitions.deep_checker("died of 9, Killed", 0.05)
    assert world.told("cause", "duration_s") == [
        ("deep_checker.replaced", "died of 9, Killed", 0.05)
    ]
