"""How requests of a connection are served, and what becomes of an answer when it ends."""

import asyncio
import inspect
import random
import time
import weakref
from typing import Any

import pytest

from docwarden.core import responses
from docwarden.net.waiting import Signal, in_task
from docwarden.server.client_connection import ClientConnection
from docwarden.server.limits import ClientLimits
from docwarden.server.listener import Front

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

    def is_closing(self):
        return bool(self.ended)

    def writelines(self, pieces):
        assert not self.ended
        self.written += b"".join(pieces)

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
        self.connection = ClientConnection(Front(self.site, limits, random=random.Random(1)))
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    def ask(self):
        """Ask, and return in the turn of the loop in which the answer was given."""
        self.connection.data_received(REQUEST)
        assert [sent for _, _, sent in self.site.ends] == [8]


async def test_answer_is_written_at_the_end_of_the_turn():
    seen = Seen()
    seen.ask()
    assert seen.transport.written == b""
    await asyncio.sleep(0)
    assert seen.transport.written.endswith(b"\r\n\r\ndocument")


async def test_answer_given_in_the_turn_in_which_the_listener_closes_is_sent():
    seen = Seen()
    seen.ask()
    seen.connection.close_if_idle()
    assert seen.transport.written.endswith(b"document")
    assert seen.transport.ended == "closed"


@pytest.mark.parametrize(("unread", "ended"), [(0, "closed"), (100, "aborted")])
async def test_idle_connection_is_closed_and_one_that_does_not_read_cut_off(unread, ended):
    seen = Seen()
    seen.ask()
    await asyncio.sleep(0)
    seen.transport.unread = unread
    seen.connection.check_time(time.monotonic() + 4.0)
    assert seen.transport.ended == ""
    seen.connection.check_time(time.monotonic() + 6.0)
    assert seen.transport.ended == ended


async def test_end_of_the_last_answer_may_be_read_slowly_but_not_stand_still():
    seen = Seen()
    seen.connection.data_received(REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    assert seen.transport.ended == "closed"
    now = time.monotonic()
    for second, unread in enumerate((30_000, 20_000, 10_000), start=1):
        seen.transport.unread = unread
        seen.connection.check_time(now + 4.0 * second)
        assert seen.transport.ended == "closed"
    seen.connection.check_time(now + 12.0 + 4.0)
    assert seen.transport.ended == "closed"
    seen.connection.check_time(now + 12.0 + 6.0)
    assert seen.transport.ended == "aborted"


async def test_stall_of_an_earlier_answer_is_not_held_against_the_last():
    seen = Seen()
    seen.transport.unread = 30_000
    seen.connection.pause_writing()
    seen.connection.resume_writing()
    last = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    seen.connection.data_received(last)
    seen.connection.check_time(time.monotonic() + 6.0)
    assert seen.transport.ended == "closed"


async def test_time_of_a_request_begins_when_the_answer_before_it_has_ended(monkeypatch):
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST * 2)
    later = time.monotonic() + 7.0
    monkeypatch.setattr(time, "monotonic", lambda: later)
    started = []

    async def handle(request):
        started.append((request.started, request.wall))
        return responses.page(b"second", b"text/plain")

    ((request, _, _, _),) = seen.connection._reader.pending
    came, wall = request.started, request.wall
    seen.site.handle = handle
    seen.site.set(b"first")
    assert started == [(later, pytest.approx(wall + later - came))]


async def test_late_head_is_timed_from_when_it_was_refused():
    seen = Seen()
    seen.connection.data_received(REQUEST[:10])
    now = time.monotonic() + 6.0
    seen.connection.check_time(now)
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
    seen.connection.data_received(REQUEST)
    await asyncio.sleep(0)
    assert seen.transport.written.endswith(b"document")
    assert held() is None


class Waiting:
    """A site that waits as the public one does: for a signal first, and then for what comes."""

    def __init__(self, then=None):
        self.then = then
        self.signal: Signal[bytes] = Signal(loop=asyncio.get_running_loop())
        self.tasks = []
        self.cleaned_up = []
        self.ends = []

    async def handle(self, request):  # noqa: ARG002 - the same for all
        self.tasks.append(asyncio.current_task())
        try:
            answer = await self.signal
            if self.then is not None:
                await self.then()
                self.tasks.append(asyncio.current_task())
        finally:
            self.cleaned_up.append(True)
        return responses.page(answer, b"text/plain")

    def on_finished(self, request, response, sent):  # noqa: ARG002 - what of it matters here
        self.ends.append(None if response is None else sent)

    def set(self, answer):
        """Do what an upstream's connection does when it has the answer."""
        self.signal.set_result(answer)
        if self.signal.tell is not None:
            self.signal.tell()


async def outside(call, *given):
    """Call as the event loop calls a protocol: out of any task."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()
    loop.call_soon(lambda: done.set_result(call(*given)))
    await done


async def test_request_that_waits_for_a_signal_only_is_answered_at_once_and_without_a_task():
    seen = Seen(Waiting())
    await outside(seen.connection.data_received, REQUEST)
    seen.site.set(b"answer")
    assert seen.site.ends == [6]
    assert seen.site.tasks == [None]
    assert seen.connection.task is None


@pytest.mark.parametrize(
    "then", [in_task, lambda: asyncio.sleep(0.001), lambda: asyncio.sleep(0)],
    ids=["asked-for", "timer", "turn"],
)  # fmt: skip
async def test_request_that_waits_for_more_goes_on_in_a_task(then, until):
    seen = Seen(Waiting(then))
    await outside(seen.connection.data_received, REQUEST)
    seen.site.set(b"answer")
    assert seen.site.ends == []
    await until(lambda: seen.site.ends == [6], "the answer")
    first, second = seen.site.tasks
    assert first is None
    assert isinstance(second, asyncio.Task)


async def test_client_that_leaves_cancels_what_waits_for_a_signal():
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST)
    seen.connection.connection_lost(None)
    assert seen.site.signal.cancelled()
    assert seen.site.cleaned_up == [True]
    assert seen.site.ends == [None]


async def test_client_that_leaves_cancels_what_has_gone_on_in_a_task(until):
    seen = Seen(Waiting(lambda: asyncio.sleep(60)))
    seen.connection.data_received(REQUEST)
    seen.site.set(b"answer")
    await asyncio.sleep(0)
    assert seen.site.cleaned_up == []
    seen.connection.connection_lost(None)
    await until(lambda: seen.site.ends == [None], "the end")
    assert seen.site.cleaned_up == [True]


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
    await until(lambda: seen.site.ends == [None], "the end")
    assert waited == [True]


async def test_defect_ends_the_request():
    seen = Seen(Waiting())

    async def handle(request):  # noqa: ARG001 - the same for all
        raise ValueError("a defect")

    seen.site.handle = handle
    with pytest.raises(ValueError, match="a defect"):
        seen.connection.data_received(REQUEST)
    assert seen.site.ends == [None]
    assert seen.transport.ended == "aborted", "nobody waits for an answer that does not come"


async def test_pipelined_requests_are_answered_in_order_whether_they_wait_or_not():
    seen = Seen(Waiting())
    seen.connection.data_received(REQUEST * 3)
    assert seen.site.ends == []
    seen.site.set(b"answer")
    assert seen.site.ends == [6, 6, 6]


async def test_nothing_is_served_after_a_request_that_ends_the_connection():
    seen = Seen()
    last = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
    seen.connection.data_received(last + REQUEST)
    assert len(seen.site.ends) == 1


@pytest.mark.parametrize(
    ("before", "behind", "half_closed"),
    [(b"", b"", False), (b"", REQUEST, True), (b"", REQUEST[:9], True), (REQUEST, REQUEST, True)],
)
async def test_connection_is_closed_in_two_steps_where_the_client_may_still_be_sending(
    before, behind, half_closed
):
    seen = Seen()
    seen.connection._front.closing = not before
    last = REQUEST.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n") if before else REQUEST
    seen.connection.data_received(before + last + behind)
    assert seen.transport.half_closed is half_closed
    assert seen.transport.ended == ("" if half_closed else "closed")
    seen.connection.check_time(time.monotonic() + 3.0)
    assert seen.transport.ended == "aborted"


async def test_what_was_left_unread_is_thrown_away_behind_the_last_answer():
    seen = Seen(Waiting())
    seen.connection._front.closing = True
    seen.connection.data_received(REQUEST * 2)
    assert not seen.transport.reading
    seen.site.set(b"answer")
    assert seen.transport.half_closed
    assert seen.transport.reading
    seen.connection.data_received(REQUEST)
    assert seen.site.ends == [6]


@pytest.mark.parametrize("method", [b"GET", b"HEAD"])
async def test_refused_head_has_no_body(method):
    seen = Seen()
    seen.connection.data_received(method + b" /7 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
    await asyncio.sleep(0)
    head, _, body = seen.transport.written.partition(b"\r\n\r\n")
    assert b"Content-Length: 17\r\n" in head
    assert body == (b"malformed-request" if method == b"GET" else b"")


async def test_pipelined_requests_that_are_answered_at_once_do_not_pile_up_on_the_stack():
    seen = Seen()
    depths = []

    async def handle(request):  # noqa: ARG001 - the same for all
        depths.append(len(inspect.stack()))
        return responses.page(b"", b"text/plain")

    seen.site.handle = handle
    seen.connection.data_received(REQUEST * 50)
    assert len(depths) == 50
    assert len(set(depths)) == 1


async def test_client_that_leaves_before_the_task_has_begun_is_still_noted(until):
    seen = Seen(Waiting(in_task))
    await outside(seen.connection.data_received, REQUEST)
    seen.site.set(b"answer")
    assert seen.connection.task is not None
    seen.connection.connection_lost(None)
    await until(lambda: seen.site.ends == [None], "the end")
    assert seen.site.cleaned_up == [True]


async def test_large_answer_to_a_client_that_leaves_in_the_same_turn_gives_its_memory_back(until):
    seen = Seen()

    async def handle(request):  # noqa: ARG001 - the same for all
        return responses.page(bytes(1 << 20), b"text/plain")

    seen.site.handle = handle
    seen.connection.data_received(REQUEST)
    seen.connection.connection_lost(None)
    await until(lambda: seen.site.ends, "the end, at which the site releases the body's lease")
    assert [sent for _, _, sent in seen.site.ends] == [-1]
