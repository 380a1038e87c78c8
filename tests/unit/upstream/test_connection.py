"""How an answer's bytes get to their place, read by read, without a socket."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docwarden.core.document import Lease, Memory
from docwarden.core.errors import Cause, Failure
from docwarden.net.write_batch import Outbox
from docwarden.upstream.connection import Connection, StaleConnectionError
from docwarden.upstream.read_buffer import SIZE, Arrivals
from docwarden.upstream.response_head import MAX_REMEMBERED_BYTES, MAX_REMEMBERED_HEADS, PlainHeads
from docwarden.upstream.response_parser import AnswerReader


class Transport(asyncio.Transport):
    """Notes what is written, and whether it is read from."""

    def __init__(self):
        super().__init__()
        self.written = []
        self.reading = True
        self.aborted = False

    def is_closing(self):
        return self.aborted

    def write(self, data):
        self.written.append(data)

    def writelines(self, pieces):
        self.written.append(b"".join(pieces))

    def pause_reading(self):
        self.reading = False

    def resume_reading(self):
        self.reading = True

    def abort(self):
        self.aborted = True


class Exchange:
    """A request under way; `arrive` reads as libuv does."""

    def __init__(self, memory, plain=None):
        self.lease = Lease(memory)
        self.ends = 0
        self.transport = Transport()
        loop = asyncio.get_running_loop()
        reader = AnswerReader(64 << 20, Arrivals(), plain or PlainHeads())
        self.outbox = Outbox(loop)
        self.connection = Connection(reader, loop, self.outbox, self.ended, len)
        self.connection.connection_made(self.transport)
        self.largest_read = 0
        self.ask()

    def ask(self, *, sent=True):
        self.answer = self.connection.send(b"GET / HTTP/1.1\r\n\r\n", self.lease, 0.0, 1.0)
        if sent:
            self.outbox.flush()

    def ended(self, connection):
        assert connection is self.connection
        self.ends += 1

    def arrive(self, data):
        left = memoryview(data)
        while left:
            room = self.connection.get_buffer(-1)
            count = min(len(left), len(room))
            assert count, "an empty buffer ends a connection"
            self.largest_read = max(self.largest_read, count)
            room[:count] = left[:count]
            left = left[count:]
            self.connection.buffer_updated(count)


class Forgetful(PlainHeads):
    """Knows no head."""

    def remember(self, head, declared):
        pass


def head(length):
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % length


@pytest.fixture
async def exchange():
    return Exchange(Memory(64 << 20))


@pytest.mark.parametrize("length", [1, 100, SIZE, SIZE + 1, 2 * SIZE, 5 * SIZE + 7])
@pytest.mark.parametrize("piece", [1 << 16, SIZE, 1 << 22])
async def test_body_of_any_length_in_any_pieces_is_whole(length, piece, exchange):
    body = bytes(range(256)) * (length // 256 + 1)
    body = body[:length]
    data = head(length) + body
    for start in range(0, len(data), piece):
        exchange.arrive(data[start : start + piece])
    assert await exchange.answer == (200, body, len(body))
    assert exchange.lease.size == length
    assert exchange.connection.reusable


ODD = {
    "plain": (b"HTTP/1.1 200 OK\r\ncontent-LENGTH:\t3 \r\nX: y\r\n\r\nabc", b"abc"),
    "empty-lines": (b"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    "informational": (
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nContent-Length: 9\r\n\r\n"
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"), b"abc",
    ),
    "head-in-body": (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\na\r\n\r\nbc", b"a\r\n\r\nbc"),
    "empty": (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", b""),
    "chunks": (
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Encoding: identity\r\n\r\n"
        b"1\r\na\r\n2;x=y\r\nbc\r\n0\r\nA: b\r\n\r\n"), b"abc",
    ),
}  # fmt: skip


@pytest.mark.parametrize("known", [False, True], ids=["new", "known"])
@pytest.mark.parametrize("name", ODD)
async def test_answer_is_the_same_in_whatever_pieces_it_comes(name, known):
    data, body = ODD[name]
    plain = PlainHeads()
    if known:
        Exchange(Memory(1 << 20), plain).arrive(data)
    ways = [(data[:cut], data[cut:]) for cut in range(1, len(data))]
    for pieces in [(data,), tuple(data[at : at + 1] for at in range(len(data))), *ways]:
        exchange = Exchange(Memory(1 << 20), plain if known else None)
        for piece in pieces:
            exchange.arrive(piece)
        assert await exchange.answer == (200, body, len(body))
        assert exchange.connection.reusable
        assert exchange.ends == 1
        assert exchange.lease.size == len(body)


async def test_connection_takes_one_answer_after_the_other():
    exchange = Exchange(Memory(1 << 20))
    for data, body in (odd for pair in itertools.product(ODD.values(), repeat=2) for odd in pair):
        exchange.arrive(data)
        assert await exchange.answer == (200, body, len(body))
        exchange.ask()


async def test_head_that_was_judged_is_not_judged_again(monkeypatch):
    plain = PlainHeads()
    for _ in range(2):
        exchange = Exchange(Memory(1 << 20), plain)
        exchange.arrive(head(3) + b"abc")
        assert await exchange.answer == (200, b"abc", 3)
        assert exchange.connection.reusable
    exchange = Exchange(Memory(1 << 20), plain)
    monkeypatch.setattr(exchange.connection._reader, "_parser", None)
    exchange.arrive(head(3) + b"def")
    assert await exchange.answer == (200, b"def", 3)


async def test_defect_of_the_digest_costs_its_own_request(exchange):
    exchange.connection._digest = lambda _: 1 // 0
    exchange.arrive(head(3) + b"abc")
    with pytest.raises(ZeroDivisionError):
        await exchange.answer
    assert exchange.ends == 1


async def test_end_of_a_head_is_none_the_more_a_head_for_looking_like_one(exchange):
    exchange.arrive(head(3) + b"abc")
    exchange.ask()
    exchange.arrive(b"HTTP/1.1 404 No\r\nX: ")
    exchange.arrive(head(3) + b"abc")
    assert await exchange.answer == (404, b"abc", 3)


async def test_known_head_hides_nothing_of_what_follows_it(exchange):
    data = head(3) + b"abc"
    exchange.arrive(data)
    exchange.ask()
    exchange.arrive(data + b"junk")
    with pytest.raises(Failure, match="bytes-after-body"):
        await exchange.answer


async def test_body_behind_a_known_head_waits_for_memory_too():
    plain, memory = PlainHeads(), Memory(64 << 20)
    Exchange(memory, plain).arrive(head(3) + b"abc")
    other = Lease(memory)
    assert other.grow(memory.max - memory.held)
    exchange = Exchange(memory, plain)
    exchange.arrive(head(3) + b"abc")
    assert not exchange.answer.done()
    other.release()
    assert await exchange.answer == (200, b"abc", 3)


ANSWERS = st.sampled_from(
    [
        head(3) + b"abc",
        head(7) + b"abcdefg",
        head(3) + b"\r\n\r",
        *(data for data, _ in ODD.values()),
    ]
)


@given(
    st.lists(ANSWERS | st.tuples(ANSWERS, ANSWERS).map(b"".join), min_size=1, max_size=5),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
async def test_what_is_remembered_changes_nothing_of_an_answer(answers, sizes):
    plain = PlainHeads()
    knowing, forgetful = Exchange(Memory(1 << 20), plain), Exchange(Memory(1 << 20), Forgetful())
    for data in answers:
        ends = []
        for exchange in (knowing, forgetful):
            left, widths = data, itertools.cycle(sizes)
            while left and not exchange.answer.done():
                piece, left = left[: (width := next(widths))], left[width:]
                exchange.arrive(piece)
            assert exchange.answer.done()
            end = exchange.answer.exception() or exchange.answer.result()
            ends.append((repr(end), exchange.connection.reusable, exchange.ends))
        assert ends[0] == ends[1]
        if not knowing.connection.reusable:
            return
        knowing.ask()
        forgetful.ask()


async def test_known_head_behind_an_informational_answer_that_closes_is_not_read():
    closing = b"HTTP/1.1 103 Hints\r\nConnection: close\r\n\r\n" + head(3) + b"abc"
    ends = []
    for plain in (PlainHeads(), Forgetful()):
        Exchange(Memory(1 << 20), plain).arrive(head(3) + b"abc")
        exchange = Exchange(Memory(1 << 20), plain)
        exchange.arrive(closing)
        await asyncio.wait([exchange.answer])
        ends.append(repr(exchange.answer.exception()))
    assert ends == 2 * [repr(Failure(Cause.PROTOCOL))]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 503 No\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        head(3)[:-2] + b"X: " + b"y" * MAX_REMEMBERED_BYTES + b"\r\n\r\nabc",
    ],
    ids=["closes", "old", "error", "empty", "chunks", "too-large", "long"],
)  # fmt: skip
async def test_only_short_heads_of_bodies_on_kept_connections_are_remembered(data):
    plain = PlainHeads()
    ends = []
    for _ in range(2):
        exchange = Exchange(Memory(64 << 20), plain)
        exchange.arrive(data)
        await asyncio.wait([exchange.answer])
        ends.append((repr(exchange.answer), exchange.connection.reusable))
    assert ends[0] == ends[1]
    assert not plain.lengths


def test_heads_that_are_remembered_are_few():
    plain = PlainHeads()
    for length in range(1000):
        plain.remember(head(length), length)
        assert plain.lengths[head(length)] == length
        assert len(plain.lengths) <= MAX_REMEMBERED_HEADS


CODED = b"HTTP/1.1 %d X\r\nContent-Length: 3\r\n%b\r\nabc"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"Content-Encoding: gzip\r\n", "content-coded"),
        (b"CONTENT-ENCODING: identity\r\nContent-Encoding:br\r\n", "content-coded"),
        (b"X: y\r\n" * 200, "head-too-large"),
        (b"X: y\r\n" * 127, None),
        (b"Accept-Encoding: gzip\r\nX-Content-Encoding: gzip\r\n", None),
    ],
)
async def test_documents_are_taken_as_they_are_or_not_at_all(line, reason):
    exchange = Exchange(Memory(1 << 20))
    exchange.arrive(CODED % (200, line))
    if reason is None:
        assert await exchange.answer == (200, b"abc", 3)
    else:
        with pytest.raises(Failure, match=reason):
            await exchange.answer


async def test_empty_lines_do_not_hide_a_head():
    exchange = Exchange(Memory(1 << 20))
    exchange.arrive(ODD["chunks"][0])
    assert await exchange.answer == (200, b"abc", 3)
    exchange.ask()
    exchange.arrive(b"\r\n\r\n" + CODED % (200, b"Content-Encoding: gzip\r\n"))
    with pytest.raises(Failure, match="content-coded"):
        await exchange.answer


async def test_how_an_error_page_is_coded_does_not_matter():
    exchange = Exchange(Memory(1 << 20))
    exchange.arrive(CODED % (503, b"Content-Encoding: gzip\r\n"))
    assert await exchange.answer == (503, b"abc", 3)
    assert exchange.connection.reusable


@pytest.mark.parametrize("status", [404, 503])
async def test_error_page_that_is_not_worth_reading_costs_its_connection(status):
    for framing in (b"Content-Length: 99999999", b"Transfer-Encoding: chunked"):
        exchange = Exchange(Memory(1 << 20))
        exchange.arrive(b"HTTP/1.1 %d X\r\n%b\r\n\r\nabc" % (status, framing))
        assert await exchange.answer == (status, b"", 0)
        assert not exchange.connection.reusable


@pytest.mark.parametrize("after", [b"junk", b"HTTP/1.1 200 OK\r\n"])
@pytest.mark.parametrize("name", ["empty", "chunks"])
async def test_what_follows_a_body_that_the_parser_reads_is_seen(name, after):
    exchange = Exchange(Memory(1 << 20))
    exchange.arrive(ODD[name][0] + after)
    with pytest.raises(Failure, match="bytes-after-body"):
        await exchange.answer


async def test_answer_that_nobody_waits_for_closes_its_connection():
    exchange = Exchange(Memory(1 << 20))
    exchange.answer.cancel()
    exchange.connection.abandon(exchange.answer)
    assert exchange.transport.aborted
    assert exchange.ends == 1


async def test_answer_given_up_too_late_leaves_the_next_exchange_alone():
    exchange = Exchange(Memory(1 << 20))
    exchange.arrive(ODD["plain"][0])
    late = exchange.answer
    exchange.ask()
    exchange.connection.abandon(late)
    assert not exchange.transport.aborted


async def test_large_body_is_read_to_its_place_but_for_its_end(exchange):
    length = 8 * SIZE
    exchange.arrive(head(length))
    exchange.arrive(bytes(length))
    assert exchange.largest_read > SIZE
    _, body, _ = await exchange.answer
    assert len(body) == length


@pytest.mark.parametrize("length", [100, 3 * SIZE, 8 * SIZE])
async def test_bytes_after_the_body_are_seen(length, exchange):
    exchange.arrive(head(length) + bytes(length) + b"junk")
    with pytest.raises(Failure, match="bytes-after-body"):
        await exchange.answer
    assert exchange.transport.aborted


async def test_body_that_waits_for_memory_takes_none(exchange):
    other = Lease(exchange.lease._memory)
    assert other.grow(60 << 20)
    length = 10 << 20
    body = bytes(range(250)) * (length // 250 + 1)
    early = 50_000
    exchange.arrive(head(length) + body[:early])
    assert not exchange.transport.reading
    assert exchange.connection._reader._filled is None
    assert exchange.lease.size == 0
    other.release()
    assert exchange.transport.reading
    assert exchange.lease.size == length
    exchange.arrive(body[early:length])
    assert await exchange.answer == (200, body[:length], length)


async def test_whole_body_that_waits_for_memory_is_handed_over_with_it(exchange):
    other = Lease(exchange.lease._memory)
    assert other.grow(64 << 20)
    exchange.arrive(head(3) + b"abc")
    assert not exchange.answer.done()
    assert not exchange.transport.reading
    other.release()
    assert await exchange.answer == (200, b"abc", 3)
    assert exchange.lease.size == 3
    assert exchange.connection.reusable
    exchange.ask()
    assert exchange.transport.reading, "the next answer is read"


@pytest.mark.parametrize("how", ["time_out", "connection_lost"])
async def test_end_while_memory_lacks_is_no_fault_of_the_upstream(how, exchange):
    other = Lease(exchange.lease._memory)
    assert other.grow(64 << 20)
    exchange.arrive(head(3) + b"abc")
    if how == "time_out":
        exchange.connection.time_out()
    else:
        exchange.connection.connection_lost(None)
    with pytest.raises(Failure, match="memory-limit"):
        await exchange.answer


async def test_memory_that_comes_too_late_ends_nothing_twice(exchange):
    other = Lease(exchange.lease._memory)
    assert other.grow(64 << 20)
    exchange.arrive(head(3) + b"abc")
    exchange.connection.time_out()
    other.release()
    assert exchange.ends == 1
    with pytest.raises(Failure):
        await exchange.answer


async def test_request_on_a_connection_that_was_closed_is_not_written():
    exchange = Exchange(Memory(1))
    exchange.connection.abort()
    exchange.ask()
    assert exchange.transport.written == [b"GET / HTTP/1.1\r\n\r\n"], "only the first"
    with pytest.raises(Failure, match="connection-lost"):
        await exchange.answer


async def test_bytes_that_nobody_asked_for_close_the_connection(exchange):
    exchange.arrive(head(3) + b"abc")
    assert await exchange.answer == (200, b"abc", 3)
    assert not exchange.transport.aborted
    exchange.arrive(b"HTTP/1.1 200 OK\r\n")
    assert exchange.transport.aborted
    assert exchange.connection.closed


@pytest.mark.parametrize(("used", "error"), [(True, StaleConnectionError), (False, Failure)])
async def test_bytes_that_come_before_the_request_is_sent_are_no_answer_to_it(
    used, error, exchange
):
    exchange.arrive(head(3) + b"abc")
    await exchange.answer
    exchange.connection.used = used
    exchange.ask(sent=False)
    exchange.arrive(head(3) + b"xyz")
    with pytest.raises(error):
        await exchange.answer
    exchange.outbox.flush()
    assert exchange.transport.aborted
    assert exchange.transport.written == [b"GET / HTTP/1.1\r\n\r\n"], "only the first"


async def test_kept_connection_that_closes_before_it_answers_is_stale(exchange):
    exchange.arrive(head(3) + b"abc")
    await exchange.answer
    exchange.ask()
    exchange.connection.connection_lost(None)
    with pytest.raises(StaleConnectionError):
        await exchange.answer


async def test_new_connection_that_closes_before_it_answers_is_reset(exchange):
    exchange.connection.connection_lost(None)
    with pytest.raises(Failure, match="connection-lost"):
        await exchange.answer
