"""How the listener takes connections in."""

import asyncio
import errno
import random
import socket

import pytest

from docwarden.core import responses
from docwarden.server import listener as module
from docwarden.server.limits import ClientLimits
from docwarden.server.listener import Listener, bind

LIMITS = ClientLimits(
    connections=999, header_bytes=999, header_timeout=5.0, idle_timeout=5.0, send_timeout=5.0
)


class Site:
    body = b""

    async def handle(self, request):  # noqa: ARG002 - the same for all
        return responses.page(self.body, b"text/plain")

    def refuse(self, request, failure):  # noqa: ARG002 - the same for all
        return responses.page(b"", b"text/plain", status=400)

    def on_finished(self, *_):
        pass


@pytest.fixture
async def start():
    """Starts a front on a listener and ends it after the test."""
    started = []

    async def begin(listener):
        listening = Listener(Site(), LIMITS, random=random.Random(1))
        await listening.start(listener)
        started.append(listening)
        return listening

    yield begin
    for each in started:
        await each.close(0)


def connect(port):
    client = socket.socket()
    client.setblocking(False)
    client.connect_ex(("127.0.0.1", port))
    return client


async def test_connections_that_come_together_are_taken_in_within_few_turns_of_the_loop(start):
    listening = await start(bind("127.0.0.1", 0))
    clients = [connect(listening.port) for _ in range(300)]
    turns = 0
    while len(listening.connections) < 300:
        await asyncio.sleep(0)
        turns += 1
    # Five turns take them all; some more until their tasks have run.
    assert turns < 50
    for client in clients:
        client.close()


async def test_answers_do_not_wait_for_more_to_send(start):
    listening = await start(bind("127.0.0.1", 0))
    client = connect(listening.port)
    while not listening.connections:
        await asyncio.sleep(0)
    (connection,) = listening.connections
    sock = connection._transport.get_extra_info("socket")
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    client.close()


class Exhausted(socket.socket):
    """A listener of a process that has no descriptor left for a moment."""

    refusals = 1

    def accept(self):
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


async def test_listener_goes_on_when_there_are_descriptors_again(start, monkeypatch, until):
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    told = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"].errno))
    bound = bind("127.0.0.1", 0)
    listener = Exhausted(fileno=bound.detach())
    listening = await start(listener)
    client = connect(listening.port)
    await until(lambda: len(listening.connections) == 1, "the connection")
    assert listener.refusals == 0
    assert told == [errno.EMFILE]
    client.close()


async def test_nothing_is_taken_in_once_the_listener_is_closed(start):
    listening = await start(bind("127.0.0.1", 0))
    port = listening.port
    await listening.stop_accepting()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_download_that_outlasts_the_drain_is_reset(start, monkeypatch, until):
    # More than the kernel holds: otherwise the client would be sent the end of it after all.
    monkeypatch.setattr(Site, "body", bytes(32 << 20))
    listening = await start(bind("127.0.0.1", 0))
    reader, writer = await asyncio.open_connection("127.0.0.1", listening.port, limit=1024)
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")
    (connection,) = listening.connections
    await until(lambda: connection._paused, "the client to be too slow")
    assert not await listening.close(0)
    # An orderly end would let it read what the kernel holds, and then the end.
    with pytest.raises(ConnectionResetError):
        await reader.read()
    writer.close()


async def test_sweep_goes_on_when_a_connection_fails_in_it(start, monkeypatch, until):
    monkeypatch.setattr(module, "SWEEP_SECONDS", 0.01)
    told = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: told.append(context["exception"]))
    listening = await start(bind("127.0.0.1", 0))
    clients = [connect(listening.port) for _ in range(2)]
    await until(lambda: len(listening.connections) == 2, "the connections")
    checked = []

    def check_timeouts(connection, now):
        checked.append(now)
        if connection is broken:
            raise ValueError("a defect")

    broken = next(iter(listening.connections))
    monkeypatch.setattr(type(broken), "check_timeouts", check_timeouts)
    await until(lambda: len(listening.connections) == 1, "the end of the one that failed")
    seen = len(checked)
    await until(lambda: len(checked) > seen + 2, "further sweeps")
    assert [type(each) for each in told] == [ValueError]
    for client in clients:
        client.close()
