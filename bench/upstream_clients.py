"""CPU time of one exchange with the upstream: our pool beside HTTP clients from PyPI.

Run `.venv/bin/python bench/upstream_clients.py`. One upstream in a process of its own answers 13 KB
over loopback. The clients take turns in this process, eight exchanges at a time, and the medians of
their rounds are printed in microseconds of this process's CPU. A client that is not installed is
left out.
"""

import asyncio
import multiprocessing
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from multiprocessing.connection import Connection

import uvloop
from docwarden.core.document import Lease, Memory
from docwarden.upstream.origin import Origin
from docwarden.upstream.pool import Pool

BODY = bytes(13_000)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
ROUNDS, EXCHANGES, TOGETHER = 5, 400, 8

Exchange = Callable[[], Awaitable[int]]


class Answering(asyncio.Protocol):
    """Answers whatever it reads."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:  # noqa: ARG002 - a request is one read here
        """Answer."""
        self.transport.write(ANSWER)  # type: ignore[attr-defined]


def upstream(told: Connection) -> None:
    """Serve, and tell the port."""

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(Answering, "127.0.0.1", 0)
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(serve())


def own(url: str) -> Exchange:
    """Return an exchange over our pool."""
    pool = Pool(
        Origin.parse(url, agent="bench"),
        max_connections=TOGETHER,
        max_body=1 << 20,
        connect_timeout=5.0,
        max_age=600.0,
        random=lambda: 0.0,
        digest=len,
    )
    memory = Memory(1 << 30)

    async def exchange() -> int:
        lease = Lease(memory)
        request = pool.origin.request("7", b"", None)
        _, body, _ = await pool.exchange(request, lease, time.monotonic(), 5.0)
        lease.release()
        return len(body)

    return exchange


def httpx_client(url: str) -> Exchange:
    """Return an exchange by httpx."""
    import httpx  # noqa: PLC0415 - only where it is installed

    client = httpx.AsyncClient(timeout=5.0)

    async def exchange() -> int:
        return len((await client.get(url)).content)

    return exchange


def aiohttp_client(url: str) -> Exchange:
    """Return an exchange by aiohttp."""
    import aiohttp  # noqa: PLC0415 - only where it is installed

    session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5.0))

    async def exchange() -> int:
        async with session.get(url) as answer:
            return len(await answer.read())

    return exchange


async def measure(exchange: Exchange) -> float:
    """Return microseconds of CPU for an exchange, over one round."""

    async def client() -> None:
        for _ in range(EXCHANGES // TOGETHER):
            if await exchange() != len(BODY):
                raise ValueError("not the whole body")

    started = time.process_time()
    await asyncio.gather(*(client() for _ in range(TOGETHER)))
    return (time.process_time() - started) / EXCHANGES * 1e6


async def compare(url: str) -> None:
    """Let the clients take turns, and print the medians of their rounds."""
    clients = {"own pool": own(url)}
    for name, made in (("httpx", httpx_client), ("aiohttp", aiohttp_client)):
        if find_spec(name) is not None:
            clients[name] = made(url)
    rounds: dict[str, list[float]] = {name: [] for name in clients}
    for _ in range(ROUNDS):
        for name, exchange in clients.items():
            rounds[name].append(await measure(exchange))
    for name, taken in rounds.items():
        sys.stdout.write(f"{name:10} {statistics.median(taken):8.1f} us\n")


def main() -> None:
    """Run the upstream beside the comparison."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=upstream, args=(theirs,))
    process.start()
    try:
        uvloop.run(compare(f"http://127.0.0.1:{ours.recv()}/7"))
    finally:
        process.terminate()


if __name__ == "__main__":
    main()
