"""Open-loop overload: five times what the upstream can serve, for twenty seconds.

The upstream is the bottleneck: it serves eight requests at once in 20 ms each. Latencies count from
the moment a request was due, so a late client hides nothing.
"""

import asyncio
import statistics
import sys
import time
from dataclasses import dataclass, field

CAPACITY = ("--capacity", "8", "--latency", "20ms", "--mix", "pdf=1")
FACTOR = 5
SECONDS = 20.0
RECOVERY = 5.0
MOST_CONNECTIONS = 2000


@dataclass
class Seen:
    """Statuses with latencies, in seconds."""

    rows: list[tuple[float, int, float]] = field(default_factory=list)

    def latencies(self, *statuses: int) -> list[float]:
        return sorted(seconds for _, status, seconds in self.rows if status in statuses)

    def p99(self, *statuses: int) -> float:
        return statistics.quantiles(self.latencies(*statuses), n=100)[98]


class Connection(asyncio.Protocol):
    """A kept-alive connection that costs the load generator next to nothing."""

    def connection_made(self, transport):
        self.transport = transport
        self.answer: asyncio.Future[int] | None = None

    def ask(self, path):
        self.answer = answer = asyncio.get_running_loop().create_future()
        self.missing = -1
        self.head = b""
        self.transport.write(b"GET %b HTTP/1.1\r\nHost: test\r\n\r\n" % path)
        return answer

    def data_received(self, data):
        if self.missing < 0:
            self.head += data
            end = self.head.find(b"\r\n\r\n")
            if end < 0:
                return
            start = self.head.find(b"Content-Length: ") + 16
            length = int(self.head[start : self.head.index(b"\r", start)])
            self.missing = length + end + 4 - len(self.head)
        else:
            self.missing -= len(data)
        if self.missing == 0 and self.answer is not None:
            self.answer.set_result(int(self.head[9:12]))

    def connection_lost(self, exc):
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(exc or ConnectionError("closed"))


class Clients:
    """Connections, as many as are needed at once."""

    def __init__(self, port):
        self.port = port
        self.idle = []
        self.open = 0

    async def get(self, seen, due, path=b"/1"):
        if self.idle:
            connection = self.idle.pop()
        else:
            self.open += 1
            assert self.open <= MOST_CONNECTIONS, "answers come too late, or this host is busy"
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, "127.0.0.1", self.port
            )
        status = await connection.ask(path)
        now = time.monotonic()
        seen.rows.append((now, status, now - due))
        self.idle.append(connection)

    def close(self):
        for connection in self.idle:
            connection.transport.close()


async def closed_loop(clients, concurrency, seconds):
    seen = Seen()
    end = time.monotonic() + seconds

    async def client():
        while time.monotonic() < end:
            await clients.get(seen, time.monotonic())

    await asyncio.gather(*(client() for _ in range(concurrency)))
    return seen


async def open_loop(clients, rate, seconds):
    seen = Seen()
    start = time.monotonic()
    tasks = set()
    for number in range(int(rate * seconds)):
        due = start + number / rate
        delay = due - time.monotonic()
        if delay > 0.001:
            await asyncio.sleep(delay)
        task = asyncio.ensure_future(clients.get(seen, due))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    return seen


async def test_overload_is_shed_and_what_is_served_is_served_well(start_process, serve, ask):
    simulator = await start_process(
        "simulate", "--listen", "127.0.0.1:0", "--control", "off", *CAPACITY
    )
    gateway = await serve(f"http://127.0.0.1:{simulator.port}/{{id}}", log_success_share="0")
    clients = Clients(gateway.port)
    unloaded = await closed_loop(clients, 2, 3)
    measured = await closed_loop(clients, 16, 3)
    capacity = len(measured.latencies(200)) / 3
    overload = await open_loop(clients, FACTOR * capacity, SECONDS)
    goodput = len(overload.latencies(200)) / SECONDS
    refusal = statistics.median(overload.latencies(503))
    bound = max(2 * unloaded.p99(200), 0.25)
    sys.stdout.write(
        f"\ncapacity {capacity:.0f}/s, offered {FACTOR * capacity:.0f}/s, goodput {goodput:.0f}/s"
        f" ({goodput / capacity:.0%}), p99 served {overload.p99(200) * 1000:.0f} ms"
        f" (bound {bound * 1000:.0f} ms), refusal median {refusal * 1000:.1f} ms\n"
    )
    assert {status for _, status, _ in overload.rows} <= {200, 503}
    assert goodput >= 0.8 * capacity
    assert overload.p99(200) <= bound
    assert refusal < 0.05
    assert (await ask(gateway.admin_port, "/livez")).status == 200
    assert (await ask(gateway.admin_port, "/readyz")).status == 200
    ended = time.monotonic()
    while True:
        after = await closed_loop(clients, 2, 1)
        if not after.latencies(503) and after.p99(200) <= bound:
            break
        assert time.monotonic() - ended < RECOVERY
    clients.close()
