"""How requests of a connection are served, and what becomes of an answer when it ends."""

import asyncio
import math
import random
import time
import weakref
from typing import Any

import pytest

from docwarden.core import responses
from docwarden.core.document import Lease, Memory
from docwarden.server.client_connection import HALF_CLOSED_SECONDS, ClientConnection
from docwarden.server.connection_state import CHANGES, State
from docwarden.server.limits import ClientLimits
from docwarden.server.listener import Listener
from docwarden.server.request_parser import RequestReader

REQUEST = b"GET /7 HTTP/1.1\r\nHost: test\r\n\r\n"


class Transport(asyncio.Transport):
    """Notes what is written and how it ends."""

    def __init__(self):
        super().__init__({"peername": ("192.0.2.1", 4711)})
        self.written = b""
        self.unread = 0
        self.ended = ""
        self.half_closed = False
        self.reading = True
        self.protocol: Any = None

    def is_closing(self):
        return bool(self.ended)

    def writelines(self, pieces):
        assert not self.ended
        self.written += b"".join(pieces)
        if self.unread:
            self.protocol.pause_writing()

    def read_all(self):
        """Have the client read what it had left unread."""
        self.unread = 0
        self.protocol.resume_writing()

    def close(self):
        self.ended = self.ended or "closed"

    def abort(self):
        self.ended = "aborted"

    def write_eof(self):
        self.half_closed = True

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def get_write_buffer_size(self):
        return self.unread

    def _nothing(self, *_, **__):
        pass

    set_write_buffer_limits = _nothing


class Site:
    """Answers at once, and notes what ended."""

    def __init__(self):
        self.ends = []

    async def handle(self, request):  # noqa: ARG002 - the same for all
        return responses.page(b"document", b"text/plain")

    def refuse(self, request, failure):  # noqa: ARG002 - the same for all
        return responses.page(failure.cause.value.encode(), b"text/plain", status=408)

    def on_finished(self, request, response, sent):
        self.ends.append((request, response, sent))


class Seen:
    """A connection with what is behind and before it."""

    def __init__(self, site=None):
        limits = ClientLimits(
            connections=9, header_bytes=999, header_timeout=5.0, idle_timeout=5.0, send_timeout=5.0
        )
        self.site: Any = site or Site()
        self.connection = ClientConnection(Listener(self.site, limits, random=random.Random(1)))
        self.transport = Transport()
        self.transport.protocol = self.connection
        self.connection.connection_made(self.transport)

    async def ask(self, request=REQUEST):
        """Ask, and return when the answer was handed to the transport."""
        before = len(self.transport.written)
        self.connection.data_received(request)
        while len(self.transport.written) == before:
            await asyncio.sleep(0)


async def test_request_ends_when_the_kernel_has_its_answer():
    seen = Seen()
    seen.transport.unread = 100
    await seen.ask()
    assert seen.site.ends == []
    seen.transport.read_all()
    assert [sent for _, _, sent in seen.site.ends] == [8]


async def test_next_request_waits_until_the_answer_before_it_is_read():
    seen = Seen()
    seen.transport.unread = 100
    await seen.ask(REQUEST * 2)
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen.transport.written.count(b"document") == 1
    seen.transport.read_all()
    for _ in range(5):
        await asyncio.sleep(0)
    assert seen.transport.written.count(b"document") == 2


async def test_memory_is_held_until_the_kernel_has_the_answer():
    memory = Memory(100)
    lease = Lease(memory)
    lease.grow(8)
    seen = Seen(Leased(lease))
    seen.transport.unread = 100
    await seen.ask()
    assert memory.held == 8
    seen.transport.read_all()
    assert memory.held == 0


async def test_memory_is_given_back_when_the_reader_leaves(until):
    memory = Memory(100)
    lease = Lease(memory)
    lease.grow(8)
    seen = Seen(Leased(lease))
    seen.transport.unread = 100
    await seen.ask()
    seen.connection.connection_lost(None)
    await until(lambda: seen.site.ends, "the end")
    assert memory.held == 0
    assert [sent for _, _, sent in seen.site.ends] == [-1]


async def test_connection_whose_answer_is_read_is_closed_with_the_listener():
    seen = Seen()
    await seen.ask()
    seen.connection.close_if_idle()
    assert seen.transport.written.endswith(b"document")
    assert seen.transport.ended == "closed"


async def test_idle_connection_is_closed():
    seen = Seen()
    await seen.ask()
    seen.connection.check_timeouts(time.monotonic() + 4.0)
    assert seen.transport.ended == ""
    seen.connection.check_timeouts(time.monotonic() + 6.0)
    assert seen.transport.ended == "closed"


async def test_answer_may_be_read_slowly_but_not_stand_still():
    seen = Seen()
    seen.transport.unread = 40_000
    await seen.ask()
    now = time.monotonic()
    for second, unread in enumerate((30_000, 20_000, 10_000), start=1):
        seen.transport.unread = unread
        seen.connection.check_timeouts(now + 4.0 * second)
        assert seen.transport.ended == ""
    seen.connection.check_timeouts(now + 12.0 + 4.0)
    assert seen.transport.ended == ""
    seen.connection.check_timeouts(now + 12.0 + 6.0)
    assert seen.transport.ended == "aborted"


async def test_time_of_a_request_begins_when_the_answer_before_it_has_ended(monkeypatch):
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST * 2)
    await asyncio.sleep(0)
    later = time.monotonic() + 7.0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    started = []

    async def handle(request):
        started.append((request.started, request.wall))
        return responses.page(b"second", b"text/plain")

    ((request, _, _, _),) = seen.connection._reader.pending
    came, wall = request.started, request.wall
    seen.site.handle = handle
    seen.site.signal.set_result(b"first")
    while not started:
        await asyncio.sleep(0)
    assert started == [(later, pytest.approx(wall + later - came))]


async def test_late_head_is_timed_from_when_it_was_refused():
    seen = Seen()
    seen.connection.data_received(REQUEST[:10])
    now = time.monotonic() + 6.0
    seen.connection.check_timeouts(now)
    while not seen.site.ends:
        await asyncio.sleep(0)
    ((request, response, _),) = seen.site.ends
    assert (response.status, request.started) == (408, now)


class Body(bytearray):
    """A body of which one can tell whether it is still held."""


async def test_idle_connection_holds_no_answer(monkeypatch):
    seen = Seen()
    body = Body(b"document")
    held = weakref.ref(body)
    bodies = [body]
    del body

    async def handle(request):  # noqa: ARG001 - the same for all
        return responses.Response(200, b"", bodies.pop())

    monkeypatch.setattr(seen.site, "handle", handle)
    monkeypatch.setattr(seen.site, "on_finished", lambda *_: None)
    await seen.ask()
    assert seen.transport.written.endswith(b"document")
    assert held() is None


class Leased(Site):
    """Answers with a body that holds memory."""

    def __init__(self, lease):
        super().__init__()
        self.lease = lease

    async def handle(self, request):  # noqa: ARG002 - the same for all
        return responses.Response(200, b"", b"document", self.lease)


class Waiting(Site):
    """A site whose answer has to be waited for."""

    def __init__(self):
        super().__init__()
        self.signal = asyncio.get_running_loop().create_future()
        self.cleaned_up = []

    async def handle(self, request):  # noqa: ARG002 - the same for all
        try:
            answer = await self.signal
        finally:
            self.cleaned_up.append(True)
        return responses.page(answer, b"text/plain")


@pytest.mark.parametrize("turns", [0, 1], ids=["before-its-first-step", "while-it-waits"])
async def test_client_that_leaves_cancels_its_request(turns, until):
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST)
    for _ in range(turns):
        await asyncio.sleep(0)
    seen.connection.connection_lost(None)
    await until(lambda: seen.site.ends, "the end")
    assert seen.site.signal.cancelled()
    assert seen.site.cleaned_up == [True]
    ((_, response, sent),) = seen.site.ends
    assert (response, sent) == (None, -1)


async def test_cleaning_up_may_wait(until):
    seen = Seen(Waiting())
    waited = []

    async def handle(request):  # noqa: ARG001 - the same for all
        try:
            await seen.site.signal
        finally:
            await asyncio.sleep(0.001)
            waited.append(True)

    seen.site.handle = handle
    seen.connection.data_received(REQUEST)
    seen.connection.connection_lost(None)
    assert seen.site.ends == []
    await until(lambda: seen.site.ends, "the end")
    assert waited == [True]


class Broken(Site):
    """Fails where it is told to."""

    def __init__(self, *where):
        super().__init__()
        self.where = where

    async def handle(self, request):
        if "handle" in self.where:
            raise ValueError("a defect")
        return await super().handle(request)

    def refuse(self, request, failure):
        if "refuse" in self.where:
            raise ValueError("a defect")
        return super().refuse(request, failure)

    def on_finished(self, request, response, sent):
        super().on_finished(request, response, sent)
        if "on_finished" in self.where:
            raise ValueError("a defect")


@pytest.fixture
async def defects():
    """Return what is reported to the loop's exception handler."""
    reported = []
    asyncio.get_running_loop().set_exception_handler(lambda _, about: reported.append(about))
    return reported


async def test_defect_of_the_site_is_answered(defects):
    seen = Seen(Broken("handle"))
    await seen.ask()
    assert seen.transport.written.endswith(b"internal-error")
    assert [type(each["exception"]) for each in defects] == [ValueError]
    seen.site.where = ()
    await seen.ask()
    assert seen.transport.written.endswith(b"document")


async def test_defect_without_an_answer_ends_the_connection(defects, until):
    seen = Seen(Broken("handle", "refuse"))
    seen.connection.data_received(REQUEST)
    await until(lambda: seen.site.ends, "the end")
    assert [sent for _, _, sent in seen.site.ends] == [-1]
    assert seen.transport.ended == "aborted", "nobody waits for an answer that does not come"
    assert len(defects) == 2


async def test_defect_in_noting_the_end_leaves_the_connection_served(defects):
    seen = Seen(Broken("on_finished"))
    for _ in range(3):
        await seen.ask()
    assert len(seen.site.ends) == len(defects) == 3
    assert seen.transport.ended == ""


async def test_defect_in_reading_is_refused(defects, monkeypatch):
    seen = Seen()

    def feed(*_):
        raise ValueError("a defect")

    monkeypatch.setattr(RequestReader, "feed", feed)
    await seen.ask()
    assert seen.transport.written.endswith(b"malformed-request")
    assert len(defects) == 1


def test_change_that_the_table_does_not_have_is_a_defect():
    assert CHANGES[State.READING][State.CLOSED] is State.CLOSED
    with pytest.raises(KeyError, match="LINGERING"):
        CHANGES[State.READING][State.LINGERING]


async def test_pipelined_requests_are_answered_in_order():
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST * 3)
    await asyncio.sleep(0)
    assert seen.site.ends == []
    seen.site.signal.set_result(b"answer")
    while len(seen.site.ends) < 3:
        await asyncio.sleep(0)
    assert [sent for _, _, sent in seen.site.ends] == [6, 6, 6]


LAST = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def test_nothing_is_served_after_a_request_that_ends_the_connection():
    seen = Seen()
    await seen.ask(LAST + REQUEST)
    for _ in range(5):
        await asyncio.sleep(0)
    assert len(seen.site.ends) == 1


@pytest.mark.parametrize(
    ("before", "behind", "half_closed"),
    [(b"", b"", False), (b"", REQUEST, True), (b"", REQUEST[:9], True), (REQUEST, REQUEST, True)],
)
async def test_connection_is_closed_in_two_steps_where_the_client_may_still_be_sending(
    before, behind, half_closed
):
    seen = Seen()
    seen.connection._acceptor.closing = not before
    requests = before + LAST if before else REQUEST
    seen.connection.data_received(requests + behind)
    while len(seen.site.ends) < 1 + bool(before):
        await asyncio.sleep(0)
    assert seen.transport.half_closed is half_closed
    assert seen.transport.ended == ("" if half_closed else "closed")
    seen.connection.check_timeouts(time.monotonic() + 3.0)
    assert seen.transport.ended == ("aborted" if half_closed else "closed")


async def test_what_was_left_unread_is_thrown_away_behind_the_last_answer():
    seen = Seen(Waiting())
    seen.connection._acceptor.closing = True
    seen.connection.data_received(REQUEST * 2)
    assert not seen.transport.reading
    seen.site.signal.set_result(b"answer")
    while not seen.transport.half_closed:
        await asyncio.sleep(0)
    assert seen.transport.reading
    seen.connection.data_received(REQUEST)
    assert [sent for _, _, sent in seen.site.ends] == [6]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_refused_head_has_no_body(method):
    seen = Seen()
    await seen.ask(method + b" /7 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    head, _, body = seen.transport.written.partition(b"\r\n\r\n")
    assert b"Content-Length: 17\r\n" in head
    assert body == (b"malformed-request" if method == b"GET" else b"")


async def test_client_that_ends_its_side_is_still_answered():
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST)
    assert seen.connection.eof_received()
    await asyncio.sleep(0)
    seen.site.signal.set_result(b"answer")
    while not seen.site.ends:
        await asyncio.sleep(0)
    assert seen.transport.written.endswith(b"answer")
    assert seen.transport.ended == "closed"


async def test_client_that_ends_its_side_is_taken_for_gone_when_it_waits_long():
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST)
    seen.connection.eof_received()
    await asyncio.sleep(0)
    now = time.monotonic()
    seen.connection.check_timeouts(now + HALF_CLOSED_SECONDS / 2)
    assert seen.transport.ended == ""
    seen.connection.check_timeouts(now + HALF_CLOSED_SECONDS + 1)
    assert seen.transport.ended == "aborted"


@pytest.mark.parametrize("begun", [b"", REQUEST[:9]])
async def test_client_that_ends_its_side_without_a_request_is_let_go(begun):
    seen = Seen()
    if begun:
        seen.connection.data_received(begun)
    assert not seen.connection.eof_received()


async def test_long_read_lets_others_read():
    seen = Seen()
    seen.connection.data_received(b"GET /7 HTTP/1.1\r\nHost: test\r\nX: " + bytes(70_000))
    assert not seen.transport.reading
    while not seen.transport.reading:
        await asyncio.sleep(0)


async def test_pace_of_a_reader_tells_how_long_it_will_take():
    seen = Seen()
    seen.transport.unread = 40_000
    await seen.ask()
    now = time.monotonic()
    assert seen.connection.seconds_to_read(now) == 0.0, "too early to tell"
    assert seen.connection.seconds_to_read(now + 2.0) == math.inf
    seen.transport.unread = 30_000
    assert seen.connection.seconds_to_read(now + 2.0) == pytest.approx(6.0, abs=0.1)


@pytest.mark.parametrize("method", [b"CONNECT test:80", b"TRACE /7"])
async def test_methods_of_no_resource_never_reach_the_site(method):
    seen = Seen()
    seen.site.handle = None
    await seen.ask(method + b" HTTP/1.1\r\nHost: test\r\n\r\n")
    assert seen.transport.written.endswith(b"method-not-allowed")
