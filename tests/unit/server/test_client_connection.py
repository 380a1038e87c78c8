"""What becomes of an answer when its connection ends in the same moment."""

import asyncio
import random
import time

import pytest

from docwarden import responses
from docwarden.server.client_connection import ClientConnection
from docwarden.server.front import Front
from docwarden.server.limits import ClientLimits

REQUEST = b"GET /7 HTTP/1.1\r\nHost: test\r\n\r\n"


class Transport(asyncio.Transport):
    """Notes what is written and how it ends."""

    def __init__(self):
        super().__init__({"peername": ("192.0.2.1", 4711)})
        self.written = b""
        self.unread = 0
        self.ended = ""

    def is_closing(self):
        return bool(self.ended)

    def writelines(self, pieces):
        assert not self.ended
        self.written += b"".join(pieces)

    def close(self):
        self.ended = self.ended or "closed"

    def abort(self):
        self.ended = "aborted"

    def get_write_buffer_size(self):
        return self.unread

    def _nothing(self, *_, **__):
        pass

    set_write_buffer_limits = pause_reading = resume_reading = write_eof = _nothing


class Site:
    """Answers at once, and notes what ended."""

    def __init__(self):
        self.ends = []

    async def handle(self, request):  # noqa: ARG002 - the same for all
        return responses.page(b"document", b"text/plain")

    def refuse(self, request, failure):  # noqa: ARG002 - the same for all
        return responses.page(failure.cause.value.encode(), b"text/plain", status=408)

    def ended(self, request, response, sent):
        self.ends.append((request, response, sent))


class Seen:
    """A connection with what is behind and before it."""

    def __init__(self):
        limits = ClientLimits(
            connections=9, header_bytes=999, header_timeout=5.0, idle_timeout=5.0, send_timeout=5.0
        )
        self.site = Site()
        self.connection = ClientConnection(Front(self.site, limits, random=random.Random(1)))
        self.transport = Transport()
        self.connection.connection_made(self.transport)

    async def ask(self):
        """Ask, and return in the turn of the loop in which the answer was given."""
        self.connection.data_received(REQUEST)
        await asyncio.sleep(0)
        assert [sent for _, _, sent in self.site.ends] == [8]


async def test_answer_is_written_at_the_end_of_the_turn():
    seen = Seen()
    await seen.ask()
    assert seen.transport.written == b""
    await asyncio.sleep(0)
    assert seen.transport.written.endswith(b"\r\n\r\ndocument")


async def test_answer_given_in_the_turn_in_which_the_listener_closes_is_sent():
    seen = Seen()
    await seen.ask()
    seen.connection.close_if_idle()
    assert seen.transport.written.endswith(b"document")
    assert seen.transport.ended == "closed"


@pytest.mark.parametrize(("unread", "ended"), [(0, "closed"), (100, "aborted")])
async def test_idle_connection_is_closed_and_one_that_does_not_read_cut_off(unread, ended):
    seen = Seen()
    await seen.ask()
    await asyncio.sleep(0)
    seen.transport.unread = unread
    seen.connection.check_time(time.monotonic() + 4.0)
    assert seen.transport.ended == ""
    seen.connection.check_time(time.monotonic() + 6.0)
    assert seen.transport.ended == ended


async def test_late_head_is_timed_from_when_it_was_refused():
    seen = Seen()
    seen.connection.data_received(REQUEST[:10])
    now = time.monotonic() + 6.0
    seen.connection.check_time(now)
    await asyncio.sleep(0)
    ((request, response, _),) = seen.site.ends
    assert (response.status, request.started) == (408, now)


async def test_idle_connection_holds_no_answer():
    seen = Seen()
    await seen.ask()
    await asyncio.sleep(0)
    assert seen.connection.task is not None
    (frame,) = seen.connection.task.get_stack()
    assert "response" not in frame.f_locals
