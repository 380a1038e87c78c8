"""Writes of one turn of the loop are made together, and one that fails costs no other."""

import asyncio
from functools import partial

import pytest

from docwarden.net.write_batch import Outbox


class Transport(asyncio.Transport):
    """Notes what happens in a list that several share."""

    def __init__(self, name="", seen=None, error=None):
        super().__init__()
        self.name = name
        self.seen = [] if seen is None else seen
        self.error = error
        self.closing = False

    def is_closing(self):
        return self.closing

    def writelines(self, pieces):
        if self.error is not None:
            raise self.error
        self.seen.append((self.name, b"".join(pieces)))

    def abort(self):
        self.closing = True


@pytest.fixture
async def told():
    """What the event loop's handler of exceptions is told."""
    errors = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _, context: errors.append(context["exception"])
    )
    return errors


async def test_writes_of_one_turn_keep_their_order_and_can_be_hurried():
    outbox = Outbox(asyncio.get_running_loop())
    first, second = Transport(), Transport()
    outbox.put(first, (b"a", b"b"))
    outbox.put(second, (b"c",))
    outbox.put(first, (b"d",))
    outbox.flush()
    assert (first.seen, second.seen) == ([("", b"ab"), ("", b"d")], [("", b"c")])
    await asyncio.sleep(0)
    assert len(first.seen) == 2, "nothing is written twice"


async def test_all_are_written_before_the_first_is_called_back():
    outbox = Outbox(asyncio.get_running_loop())
    seen: list[object] = []
    for name in "ab":
        outbox.put(Transport(name, seen), (b"x",), partial(seen.append, f"{name} written"))
    await asyncio.sleep(0)
    assert seen == [("a", b"x"), ("b", b"x"), "a written", "b written"]


async def test_writing_begun_by_a_callback_is_of_the_next_turn():
    outbox = Outbox(asyncio.get_running_loop())
    seen: list[object] = []
    transport = Transport("a", seen)
    outbox.put(transport, (b"x",), lambda: outbox.put(transport, (b"y",)))
    outbox.flush()
    assert seen == [("a", b"x")]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert seen == [("a", b"x"), ("a", b"y")]


async def test_transport_that_closes_meanwhile_gets_nothing_and_is_not_called_back():
    outbox = Outbox(asyncio.get_running_loop())
    seen: list[object] = []
    closed = Transport("closed", seen)
    outbox.put(closed, (b"x",), lambda: seen.append("written"))
    outbox.put(Transport("open", seen), (b"y",))
    closed.abort()
    outbox.flush()
    assert seen == [("open", b"y")]


async def test_answer_whose_write_finds_the_peer_gone_was_not_taken():
    class Gone(Transport):
        def writelines(self, pieces):
            super().writelines(pieces)
            self.abort()

    outbox = Outbox(asyncio.get_running_loop())
    seen: list[object] = []
    outbox.put(Gone("gone", seen), (b"x",), lambda: seen.append("written"))
    outbox.flush()
    assert seen == [("gone", b"x")]


async def test_write_that_fails_costs_its_own_connection_only(told):
    outbox = Outbox(asyncio.get_running_loop())
    seen: list[object] = []
    broken = Transport("broken", seen, OSError("no"))
    outbox.put(broken, (b"x",), lambda: seen.append("broken written"))
    outbox.put(Transport("whole", seen), (b"y",), lambda: seen.append("whole written"))
    outbox.flush()
    assert seen == [("whole", b"y"), "whole written"]
    assert broken.closing
    assert [str(error) for error in told] == ["no"]


async def test_callback_that_fails_costs_its_own_connection_only(told):
    outbox = Outbox(asyncio.get_running_loop())
    seen: list[object] = []
    first = Transport("first", seen)
    outbox.put(first, (b"x",), lambda: 1 / 0)
    outbox.put(Transport("second", seen), (b"y",), lambda: seen.append("written"))
    outbox.flush()
    assert seen == [("first", b"x"), ("second", b"y"), "written"]
    assert first.closing
    assert [type(error) for error in told] == [ZeroDivisionError]
