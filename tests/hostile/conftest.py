"""A rig for attacks: a real gateway process, an upstream to program, and raw sockets.

Start a gateway of its own settings with `serve(upstream.url, **settings)` (tests/conftest.py), or
take the `gateway` that the tests of a module share, whose upstream has a PNG under /1. Either is a
process, so that what it does to its event loop, its memory and its descriptors is its own doing.
All waits are bounded; what is measured is what others still get, not how fast.
"""

import asyncio
import contextlib
import json
import random
import re
import socket
import struct
import sys
import time
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

PATIENCE = 30.0
Answering = Callable[[asyncio.StreamWriter], Awaitable[None]]


def png(size: int, seed: int = 1) -> bytes:
    """An intact PNG of about `size` bytes that does not compress."""
    width = 1000
    height = max(1, size // (3 * width + 1))
    noise = random.Random(seed)
    rows = b"".join(b"\0" + noise.randbytes(width * 3) for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IDAT", zlib.compress(rows, 0))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + chunk(b"IEND", b"")


def reply(body: bytes, status: str = "200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (status.encode(), len(body), body)


@dataclass
class Upstream:
    """Answers `GET /<id>` with the document of that id, or by what is called for it; else 404.

    Attributes:
        documents: bytes of a document, or what writes an answer, by id.
        requests: ids asked for so far.
        connections: how many have been accepted.
    """

    documents: dict[int, bytes | Answering] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    connections: int = 0
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/{{id}}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                asked = head.split(b" ", 2)[1].decode("latin-1").strip("/")
                self.requests.append(asked)
                document = self.documents.get(int(asked)) if asked.isdigit() else None
                if callable(document):
                    await document(writer)
                elif document is None:
                    writer.write(reply(b"", "404 Not Found"))
                else:
                    writer.write(reply(document))
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def listening(upstream: Upstream) -> AsyncIterator[Upstream]:
    server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0, backlog=1000)
    upstream.port = server.sockets[0].getsockname()[1]
    yield upstream
    server.close()


@pytest.fixture
async def upstream() -> AsyncIterator[Upstream]:
    async with listening(Upstream()) as upstream:
        yield upstream


@dataclass
class Shared:
    """The gateway process that the tests of a module share.

    Attributes:
        document: what is under /1.
    """

    port: int
    admin_port: int
    output: Path
    document: bytes


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Shared]:
    folder = tmp_path_factory.mktemp("gateway")
    output = folder / "serve.out"
    document = png(20_000)
    async with listening(Upstream({1: document})) as upstream:
        with output.open("wb") as file, output.with_suffix(".err").open("wb") as complaints:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "docwarden", "serve", "--listen", "127.0.0.1:0",
                "--admin-listen", "127.0.0.1:0", "--upstream-url", upstream.url,
                stdout=file, stderr=complaints,
            )  # fmt: skip
        try:
            port, admin_port = await _ports(output)
            yield Shared(port, admin_port, output, document)
        finally:
            process.kill()
            await process.wait()


async def _ports(output: Path) -> list[int]:
    """Wait until a gateway is ready; return its public port and the operators'."""
    async with asyncio.timeout(PATIENCE):
        while not (ready := [line for line in _lines(output) if '"process.ready"' in line]):
            await asyncio.sleep(0.05)
    event = json.loads(ready[0])
    return [int(event[name].rsplit(":", 1)[1]) for name in ("listen", "admin_listen")]


def _lines(output: Path) -> list[str]:
    return output.read_text().splitlines()


class Client:
    """A raw connection whose receive buffer can be small, so that the other side has to keep more.

    `small` is for attackers that do not read: a window of a few kilobytes.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock

    @classmethod
    async def open(cls, port: int, *, small: bool = False) -> "Client":
        sock = socket.socket()
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1200)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(sock, ("127.0.0.1", port)), PATIENCE)
        return cls(sock)

    async def send(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_sendall(self.socket, data), PATIENCE)

    def offer(self, data: bytes) -> bool:
        """Send what the kernel takes now; False when the connection is gone."""
        try:
            self.socket.send(data)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    async def flood(self, data: bytes, size: int) -> None:
        """Send `data` again and again, up to `size` bytes, until cut off."""
        sent = 0
        loop = asyncio.get_running_loop()
        with contextlib.suppress(ConnectionError):
            while sent < size:
                await asyncio.wait_for(loop.sock_sendall(self.socket, data), PATIENCE)
                sent += len(data)

    async def receive(self, size: int = 65536) -> bytes:
        loop = asyncio.get_running_loop()
        return await asyncio.wait_for(loop.sock_recv(self.socket, size), PATIENCE)

    async def rest(self) -> bytes:
        """Return everything up to the end, be it orderly or a reset."""
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while piece := await self.receive():
                received += piece
        return bytes(received)

    def end(self) -> None:
        """Say that nothing more is sent."""
        self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def dial() -> Iterator[Callable[..., Awaitable[Client]]]:
    """Opens raw connections, and closes them after the test."""
    opened: list[Client] = []

    async def open_one(port: int, *, small: bool = False) -> Client:
        client = await Client.open(port, small=small)
        opened.append(client)
        return client

    yield open_one
    for client in opened:
        client.close()


def statuses(raw: bytes) -> list[int]:
    """The status codes of the answers that follow each other in `raw`, by their framing."""
    found = []
    while raw:
        head, _, rest = raw.partition(b"\r\n\r\n")
        match = re.match(rb"HTTP/1\.1 (\d{3}) ", head)
        assert match is not None, raw[:100]
        found.append(int(match[1]))
        length = re.search(rb"(?i)\ncontent-length: (\d+)", head)
        raw = rest[int(length[1]) if length and found[-1] != 304 else 0 :]
    return found


@dataclass
class Seen:
    """What bystanders got while something was going on.

    Attributes:
        statuses: of their requests; 0 for one that got no answer.
        slowest: seconds.
    """

    statuses: list[int] = field(default_factory=list)
    slowest: float = 0.0

    @property
    def failed(self) -> list[int]:
        return [status for status in self.statuses if status != 200]


@pytest.fixture
def bystander(ask: Callable[..., Awaitable[Any]]) -> Callable[..., Any]:
    """Asks for a page again and again while the block under `async with` runs."""

    @contextlib.asynccontextmanager
    async def watch(port: int, path: str, *, pause: float = 0.05) -> AsyncIterator[Seen]:
        seen, over = Seen(), asyncio.Event()

        async def go_on() -> None:
            while not over.is_set():
                started = time.monotonic()
                try:
                    status = (await asyncio.wait_for(ask(port, path), 5.0)).status
                except (OSError, TimeoutError, ValueError, IndexError):
                    status = 0
                seen.statuses.append(status)
                seen.slowest = max(seen.slowest, time.monotonic() - started)
                await asyncio.sleep(pause)

        asking = asyncio.ensure_future(go_on())
        try:
            yield seen
        finally:
            # Not cancelled: up to Python 3.11, `wait_for` forgets a cancellation that comes with
            # its result, and the asking would never end.
            over.set()
            await asking

    return watch


@pytest.fixture
def metric(ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[float]]:
    """Reads the sum of a metric's samples with the given labels from a gateway."""

    async def read(gateway: Any, name: str, **labels: str) -> float:
        text = (await ask(gateway.admin_port, "/metrics")).body.decode()
        wanted = [f'{label}="{value}"' for label, value in labels.items()]
        return sum(
            float(line.rpartition(" ")[2])
            for line in text.splitlines()
            if line.startswith((f"{name} ", f"{name}{{")) and all(each in line for each in wanted)
        )

    return read


@pytest.fixture
def until_true() -> Callable[[Callable[[], Awaitable[bool]], str], Awaitable[None]]:
    """Waits until something that has to be asked for holds."""

    async def wait(holds: Callable[[], Awaitable[bool]], what: str) -> None:
        end = time.monotonic() + PATIENCE
        while not await holds():
            assert time.monotonic() < end, f"not seen within {PATIENCE} s: {what}"
            await asyncio.sleep(0.05)

    return wait


def events(gateway: Any, name: str) -> list[dict[str, Any]]:
    """The log events of that name that a gateway has written so far."""
    found = map(json.loads, _lines(gateway.output))
    return [event for event in found if event["event.name"] == name]
