"""The real gateway and the real simulator, joined by real sockets, in the test's event loop."""

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import pytest
from hypothesis import HealthCheck, settings

from docwarden.process.lifecycle import App
from docwarden.settings.loading import load
from docwarden.simulator.documents import make
from docwarden.simulator.server import Configuration, Simulator
from docwarden.telemetry.logs import open_log

PATIENCE = 30.0

# A busy host does not fail a property. Under CI, Hypothesis' own profile fixes the examples too.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=(HealthCheck.too_slow,)
)
settings.load_profile("patient")


def pytest_configure() -> None:
    """Let what the tests start be interrupted, even where a shell's background job ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@dataclass
class Answer:
    """What a client saw."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        document: dict[str, Any] = json.loads(self.body)
        return document

    @property
    def slug(self) -> str:
        return str(self.problem["type"]).removeprefix("urn:docwarden:problem:")


async def talk(port: int, request: bytes) -> bytes:
    """Send bytes and read until the other side closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        return await asyncio.wait_for(reader.read(), PATIENCE)
    finally:
        writer.close()


def parse(raw: bytes, seconds: float = 0.0) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Answer(int(status.split()[1]), headers, body, seconds)


async def ask(port: int, path: str, method: str = "GET", **headers: str) -> Answer:
    """Make one request on a connection of its own."""
    fields = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    request = f"{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{fields}\r\n"
    started = time.monotonic()
    raw = await talk(port, request.encode("latin-1"))
    return parse(raw, time.monotonic() - started)


@dataclass
class Gateway:
    """A running gateway."""

    app: App
    log_file: Path
    _asked: list[Answer] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.app.public.port

    @property
    def admin_port(self) -> int:
        return self.app.admin.port

    async def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return await ask(self.port, path, method, **headers)

    async def admin(self, path: str, **headers: str) -> Answer:
        return await ask(self.admin_port, path, **headers)

    async def metrics(self) -> dict[str, float]:
        """Every sample of the exposition by its name with labels."""
        text = (await self.admin("/metrics")).body.decode()
        samples = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    async def events(self, name: str, count: int) -> list[dict[str, Any]]:
        """Wait until `count` log events of that name were written."""

        def found() -> list[dict[str, Any]]:
            lines = self.log_file.read_text().splitlines()
            events = [json.loads(line) for line in lines]
            return [event for event in events if event["event.name"] == name]

        await until(lambda: len(found()) >= count, f"{count} {name} events")
        return found()


async def until(holds: Callable[[], Any], what: str) -> None:
    """Poll until something holds."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"not seen within {PATIENCE} s: {what}"
        await asyncio.sleep(0.01)


class StartGateway(Protocol):
    def __call__(self, upstream: str, **settings: str) -> Awaitable[Gateway]: ...


class StartSimulator(Protocol):
    def __call__(self, **configuration: Any) -> Awaitable[Simulator]: ...


@pytest.fixture
async def stack() -> AsyncIterator[contextlib.AsyncExitStack]:
    async with contextlib.AsyncExitStack() as stack:
        yield stack


@pytest.fixture
def start_simulator(stack: contextlib.AsyncExitStack) -> StartSimulator:
    async def start(**configuration: Any) -> Simulator:
        simulator = Simulator(Configuration(**configuration))
        await simulator.start()
        stack.push_async_callback(simulator.close)
        return simulator

    return start


@pytest.fixture
def start_gateway(stack: contextlib.AsyncExitStack, tmp_path: Path) -> StartGateway:
    """Start a gateway in the test's loop, without the process of the deep checks.

    That process takes a quarter of a second of CPU to start. Where it matters, ask for
    `integrity_tier="3"`, the default of the settings.
    """

    async def start(upstream: str, **settings: str) -> Gateway:
        given = {
            "listen": "127.0.0.1:0",
            "admin_listen": "127.0.0.1:0",
            "upstream_url": upstream if "{id}" in upstream else f"{upstream}/{{id}}",
            "integrity_tier": "2",
            **settings,
        }
        log_file = tmp_path / f"gateway-{len(list(tmp_path.iterdir()))}.log"
        descriptor = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        stack.callback(os.close, descriptor)
        log = open_log(format_name="json", level="info", descriptor=descriptor)
        stack.callback(log.close)
        app = App(load(given, environ={}), log)
        stack.push_async_callback(app.stop)
        await app.start()
        return Gateway(app, log_file)

    return start


@pytest.fixture
async def simulator(start_simulator: StartSimulator) -> Simulator:
    return await start_simulator()


@pytest.fixture
async def gateway(start_gateway: StartGateway, simulator: Simulator) -> Gateway:
    return await start_gateway(simulator.url)


class RecordingUpstream:
    """A plain upstream that keeps the requests it was sent.

    It answers with `bodies` in turn, and goes on with the last; by default with one PDF.
    """

    def __init__(self) -> None:
        self.bodies = [make("pdf").body]
        self.requests: list[bytes] = []
        self.server: asyncio.Server | None = None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                self.requests.append(await reader.readuntil(b"\r\n\r\n"))
                body = self.bodies[min(len(self.requests), len(self.bodies)) - 1]
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        writer.close()

    @property
    def url(self) -> str:
        assert self.server is not None
        return f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"


@pytest.fixture
def record_upstream(
    stack: contextlib.AsyncExitStack,
) -> Callable[[], Awaitable[RecordingUpstream]]:
    async def start() -> RecordingUpstream:
        upstream = RecordingUpstream()
        upstream.server = await asyncio.start_server(upstream.serve, "127.0.0.1", 0)
        stack.callback(upstream.server.close)
        return upstream

    return start


class KeptConnection:
    """A client connection that is kept alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, port: int) -> "KeptConnection":
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def get(self, path: str) -> Answer:
        started = time.monotonic()
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: test\r\n\r\n".encode())
        return await self.read(started)

    async def read(self, started: float = 0.0) -> Answer:
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), PATIENCE)
        answer = parse(head)
        length = int(answer.headers.get("content-length", 0))
        answer.body = await asyncio.wait_for(self.reader.readexactly(length), PATIENCE)
        answer.seconds = time.monotonic() - started
        return answer

    def close(self) -> None:
        self.writer.close()


class Process:
    """A docwarden command in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, ports: list[int], output: Path) -> None:
        self.process = process
        self.ports = ports
        self.output = output

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def admin_port(self) -> int:
        return self.ports[1]

    def memory(self, of: str = "VmRSS") -> int:
        """Bytes of resident memory: now (VmRSS) or at its highest (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith(of))
        return int(line.split()[1]) * 1024

    async def stop(self, signal_number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(signal_number)
        return await asyncio.wait_for(self.process.wait(), PATIENCE)


class StartProcess(Protocol):
    def __call__(self, *words: str, env: Mapping[str, str] = ...) -> Awaitable[Process]: ...


@pytest.fixture
def start_process(stack: contextlib.AsyncExitStack, tmp_path: Path) -> StartProcess:
    """Start `docwarden simulate` or `docwarden serve` and wait until it listens."""

    async def start(*words: str, env: Mapping[str, str] = MappingProxyType({})) -> Process:
        output = tmp_path / f"{words[0]}-{len(list(tmp_path.iterdir()))}.out"
        errors = output.with_suffix(".err")
        with output.open("ab") as file, errors.open("ab") as complaints:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "docwarden", *words,
                stdout=file, stderr=complaints, env={**os.environ, **env},
            )  # fmt: skip
        stack.push_async_callback(_end, process)
        ports: list[int] = []

        def listening() -> bool:
            assert process.returncode is None, errors.read_text()
            ports[:] = _ports(output.read_text())
            return bool(ports)

        await until(listening, f"{words[0]} listens")
        return Process(process, ports, output)

    return start


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()


def _ports(output: str) -> list[int]:
    for line in output.splitlines():
        if line.startswith("listening on "):
            return [int(line.rsplit(":", 1)[1])]
        if '"process.ready"' in line:
            event = json.loads(line)
            return [int(event[name].rsplit(":", 1)[1]) for name in ("listen", "admin_listen")]
    return []


ANY_PORT = ("--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")


@pytest.fixture
def serve(start_process: StartProcess) -> Callable[..., Awaitable[Process]]:
    """Start `docwarden serve` in front of an upstream."""

    async def start(upstream: str, **settings: str) -> Process:
        env = {f"DOCWARDEN_{name.upper()}": value for name, value in settings.items()}
        return await start_process("serve", *ANY_PORT, "--upstream-url", upstream, env=env)

    return start


@pytest.fixture
async def simulator_process(start_process: StartProcess) -> Process:
    return await start_process("simulate", "--listen", "127.0.0.1:0", "--control", "off")


@pytest.fixture
def connect() -> Callable[[int], Awaitable[KeptConnection]]:
    return KeptConnection.open


@pytest.fixture(name="talk")
def talk_fixture() -> Callable[[int, bytes], Awaitable[bytes]]:
    return talk


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], Any], str], Awaitable[None]]:
    return until


@pytest.fixture(name="ask")
def ask_fixture() -> Callable[..., Awaitable[Answer]]:
    return ask
