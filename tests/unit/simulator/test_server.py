import asyncio
import gc
import hashlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from docwarden.simulator.behaviour import Behaviour
from docwarden.simulator.server import Configuration, Simulator


@pytest.fixture
async def simulator() -> AsyncIterator[Simulator]:
    one = Simulator()
    await one.start()
    yield one
    await one.close()


async def ask(simulator: Simulator, path: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    return answer.partition(b"\r\n\r\n")[2]


async def test_held_are_the_digests_of_intact_answers_only(simulator: Simulator) -> None:
    bodies = [await ask(simulator, f"/{n}") for n in range(40)]
    answers = simulator.counters.answers
    intact = [body for body in bodies if hashlib.sha256(body).hexdigest() in simulator.held]
    assert len(simulator.held) == 2
    assert answers["corrupt-pdf"] > 0
    assert len(intact) == answers["png"] + answers["pdf"] == 40 - answers["corrupt-pdf"]


async def test_distinct_answers_all_differ_and_are_held() -> None:
    simulator = Simulator(Configuration(distinct=True))
    await simulator.start()
    bodies = [await ask(simulator, f"/{n}") for n in range(30)]
    answers, held = simulator.counters.answers, simulator.held
    await simulator.close()
    assert len(set(bodies)) == 30
    intact = sum(hashlib.sha256(body).hexdigest() in held for body in bodies)
    assert intact == answers["png"] + answers["pdf"] < 30


async def test_behave_changes_what_comes_next_and_close_ends_it(simulator: Simulator) -> None:
    simulator.behave(faults=["empty"], mix={"gif": 1})
    assert await ask(simulator, "/1") == b""
    simulator.behave(faults=[])
    assert (await ask(simulator, "/1")).startswith(b"GIF8")
    assert simulator.counters.faults == {"empty": 1}
    assert simulator.counters.requests == simulator.counters.connections == 2


async def test_refused_wish_changes_nothing(simulator: Simulator) -> None:
    before = simulator.behaviour
    for changes in ({"mix": {"file": 1}}, {"latency": "x"}, {"capacity": 2, "nonsense": 1}):
        with pytest.raises(ValueError, match=r"kind|latency|duration|no field"):
            simulator.behave(**changes)
    assert simulator.behaviour is before


async def test_forced_answers_take_no_number(simulator: Simulator) -> None:
    first = [await ask(simulator, f"/{n}") for n in range(6)]
    other = Simulator()
    await other.start()
    second = []
    for n in range(6):
        await ask(other, "/fault/flip/1")
        second.append(await ask(other, f"/{n}"))
    await other.close()
    assert first == second


async def test_port_stays_the_same_while_refusing(simulator: Simulator) -> None:
    port = simulator.port
    simulator.behave(listening=False)
    with pytest.raises(ConnectionRefusedError):
        await ask(simulator, "/1")
    assert simulator.port == port
    simulator.behave(listening=True)
    assert await ask(simulator, "/document/png/1")


async def test_port_in_use_is_refused(simulator: Simulator) -> None:
    rival = Simulator(Configuration(port=simulator.port))
    with pytest.raises(OSError, match="in use"):
        await rival.start()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def read_until_it_breaks(reader: asyncio.StreamReader) -> None:
    while await reader.read(65536):
        pass


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0)


async def test_close_leaves_no_task_no_socket_and_no_warning() -> None:
    files = open_files()
    simulator = Simulator(Configuration(behaviour=Behaviour().changed({"capacity": 2})))
    await simulator.start()
    peers = []
    for path in ("hang/1", "delay/50s/1", "drip/10/1", "endless-chunked/1", "refuse/50s/1"):
        reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
        writer.write(f"GET /fault/{path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        peers.append((reader, writer))
    await until(lambda: simulator.counters.requests == 5)
    await simulator.close()
    assert simulator.counters.open_connections == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}
    for reader, writer in peers:
        with pytest.raises(ConnectionResetError):
            await read_until_it_breaks(reader)
        writer.close()
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()
    gc.collect()
    assert open_files() == files


async def test_close_during_a_slow_accept_leaves_nothing() -> None:
    files = open_files()
    simulator = Simulator(Configuration(behaviour=Behaviour().changed({"accept_delay": "50s"})))
    await simulator.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", simulator.port)
    await until(lambda: len(asyncio.all_tasks()) == 2)
    await simulator.close()
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    gc.collect()
    assert open_files() == files


async def test_simulator_that_is_not_running_has_no_port() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = Simulator().port
