"""Requests out of bytes that come in any pieces."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from docwarden.core.errors import Cause
from docwarden.server.request_parser import (
    MAX_BODY_BYTES,
    MAX_EMPTY_BYTES,
    MAX_PIPELINED,
    MAX_REPEATED,
    RequestReader,
)

GET = b"GET /7?x=1 HTTP/1.1\r\nHost: test\r\nIf-Match: 1 \r\nif-match:\t2\r\nX-A: 3\r\n\r\n"
HEAD = b"HEAD http://test/8 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
LAST = b"GET /9 HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
POST = b"POST /7 HTTP/1.1\r\nHost: test\r\nContent-Length: 3\r\n\r\nabc"
CHUNKED = (
    b"POST /7 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
)
UPGRADE = b"GET /7 HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"


def reader(header_bytes=4096):
    return RequestReader("192.0.2.1", header_bytes, random.Random(1))


def read(*pieces, header_bytes=4096):
    """What is read: method, path, why refused, Connection line, and whether it goes on."""
    reading = reader(header_bytes)
    for at, piece in enumerate(pieces):
        if not reading.last:
            reading.feed(piece, float(at), 0.0)
    return [
        (request.method, request.path, failure and failure.reason, connection, keep)
        for request, failure, connection, keep in reading.pending
    ]


SEVEN = ("GET", "/7", None, b"", True)
EIGHT = ("HEAD", "/8", None, b"Connection: keep-alive\r\n", True)
NINE = ("GET", "/9", None, b"Connection: close\r\n", False)
SENT = ("POST", "/7", None, b"Connection: close\r\n", False)


@pytest.mark.parametrize(
    ("data", "requests"),
    [
        (GET, [SEVEN]),
        (GET + HEAD + LAST, [SEVEN, EIGHT, NINE]),
        (b"\r\n" + GET + b"\r\n\r\n" + GET, [SEVEN, SEVEN]),
        (POST, [SENT]),
        (GET + CHUNKED, [SEVEN, SENT]),
        (UPGRADE, [("GET", "/7", None, b"Connection: close\r\n", False)]),
    ],
    ids=["one", "three", "empty-lines", "body", "chunks", "upgrade"],
)
def test_requests_are_the_same_in_whatever_pieces_they_come(data, requests):
    assert read(data) == requests
    assert read(*(data[at : at + 1] for at in range(len(data)))) == requests
    for cut in range(1, len(data)):
        assert read(data[:cut], data[cut:]) == requests


def test_fields_that_anybody_reads_are_lower_case_stripped_and_joined():
    reading = reader()
    reading.feed(GET, 5.0, 6.0)
    ((request, _, _, _),) = reading.pending
    assert request.headers == {b"host": b"test", b"if-match": b"1, 2"}
    assert (request.started, request.wall, request.client) == (5.0, 6.0, "192.0.2.1")


REST = b"\r\nHost: test\r\nRange: bytes=0-1\r\n\r\n"
PLAIN = b"GET /7 HTTP/1.1" + REST
ALIKE = {
    "again": PLAIN,
    "other-path": b"GET /529852 HTTP/1.1" + REST,
    "page": b"GET /openapi.json HTTP/1.1" + REST,
    "query": b"GET /7?x=1 HTTP/1.1" + REST,
    "whole-url": b"GET http://test/7 HTTP/1.1" + REST,
    "escaped": b"GET /%37 HTTP/1.1" + REST,
    "other-bytes": b"GET /\xff\x00 HTTP/1.1" + REST,
    "two-spaces": b"GET  /7 HTTP/1.1" + REST,
    "other-method": b"HEAD /7 HTTP/1.1" + REST,
    "no-method": b"get /7 HTTP/1.1" + REST,
    "old-version": b"GET /7 HTTP/1.0" + REST,
    "no-version": b"GET /7" + REST,
    "lines-before": b"\r\n\r\n" + PLAIN,
    "field-before": b"GET /7 HTTP/1.1\r\nIf-Match: 1" + REST,
    "host-before": b"GET /7 HTTP/1.1\r\nHost: other" + REST,
    "bare-feed": b"GET /7 HTTP/1.1\nX: y" + REST,
    "old-without-host": b"GET /7 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "without-host": b"GET /7 HTTP/1.1\r\nConnection: keep-alive\r\n\r\n",
    "closes": b"GET /7 HTTP/1.1\r\nConnection: close" + REST,
    "asks-before": PLAIN + PLAIN,
    "other-before": GET + PLAIN,
    "other-after": PLAIN + GET,
    "as-a-body": POST[:-8] + b"%d\r\n\r\n" % len(PLAIN) + PLAIN,
    "upgrade": b"GET /7 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c" + REST,
    "long": b"GET /" + b"7" * 64 + b" HTTP/1.1" + REST,
    "too-long": b"GET /" + b"7" * 65 + b" HTTP/1.1" + REST,
    "fields-too-long": PLAIN[:-2] + b"X: " + b"y" * MAX_REPEATED + b"\r\n\r\n",
}  # fmt: skip


PIPELINED = [PLAIN + GET, GET + PLAIN + PLAIN, PLAIN + POST, POST + PLAIN]


def told(reading):
    """All that a reader tells of the requests that wait, and of itself."""
    requests = [
        (asked.method, asked.path, asked.headers, asked.started, failure and failure.reason, *rest)
        for asked, failure, *rest in reading.pending
    ]
    return requests, reading.last, reading.in_request


def read_in_turn(*pieces, header_bytes=4096):
    """What is read where each request is answered before more is read."""
    reading = reader(header_bytes)
    requests: list[tuple[object, ...]] = []
    for piece in pieces:
        if reading.last or not all(keep for *_, keep in requests):
            break
        reading.feed(piece, 0.0, 0.0)
        requests += told(reading)[0]
        reading.pending.clear()
    return requests, reading.last, reading.in_request


@pytest.mark.parametrize("second", ALIKE.values(), ids=ALIKE)
def test_request_is_read_alike_whatever_came_before_it(second):
    alone = read_in_turn(second)
    for first in ALIKE.values():
        before, last, _ = read_in_turn(first)
        if not last and all(keep for *_, keep in before):
            requests, *state = read_in_turn(first, second)
            assert (requests[len(before) :], *state) == alone, first


@pytest.mark.parametrize("cut", range(1, len(PLAIN)))
def test_request_that_comes_in_pieces_after_its_like_is_the_same(cut):
    assert read_in_turn(PLAIN, PLAIN[:cut], PLAIN[cut:], PLAIN) == read_in_turn(*[PLAIN] * 3)
    mixed = (PLAIN[:cut], PLAIN)
    assert read_in_turn(PLAIN, *mixed)[0][1:] == read_in_turn(*mixed)[0]


def test_body_is_none_the_more_a_request_for_looking_like_one():
    head = ALIKE["as-a-body"][: -len(PLAIN)]
    assert [method for method, *_ in read_in_turn(PLAIN, head, PLAIN)[0]] == ["GET", "POST"]


def test_nothing_is_taken_after_a_request_that_closes_even_if_it_is_repeated():
    reading = reader()
    for _ in range(2):
        reading.pending.clear()
        reading.feed(LAST, 0.0, 0.0)
    ((_, failure, _, _),) = reading.pending
    assert failure.cause is Cause.MALFORMED


PIECES = st.one_of(
    st.sampled_from([PLAIN, ALIKE["other-path"], *ALIKE.values()]),
    st.sampled_from([*ALIKE.values(), *PIPELINED]).flatmap(
        lambda data: st.integers(1, len(data)).flatmap(
            lambda cut: st.sampled_from([data[:cut], data[-cut:]])
        )
    ),
    st.binary(max_size=8),
)


@settings(deadline=None)
@given(st.lists(PIECES, max_size=8))
def test_what_is_remembered_changes_nothing_that_is_read(pieces):
    knowing, forgetful = reader(), reader()
    for at, piece in enumerate(pieces):
        if forgetful.last:
            break
        forgetful._repeated = b""
        for reading in (knowing, forgetful):
            reading.feed(piece, float(at), 0.0)
        assert told(knowing) == told(forgetful)
        if at % 2:
            knowing.pending.clear()
            forgetful.pending.clear()


def test_repeated_fields_do_not_lift_the_limits_of_a_head_and_of_requests_that_wait():
    longer = b"GET /77 HTTP/1.1" + REST
    refused, *_ = read_in_turn(PLAIN, longer, header_bytes=len(PLAIN))
    assert [reason for *_, reason, _, _ in refused] == [None, Cause.HEAD_TOO_LARGE.value]
    assert len(read(*[PLAIN] * (MAX_PIPELINED + 9))) == MAX_PIPELINED + 1


@pytest.mark.parametrize("before", [b"", b"\r\n", GET])
def test_fields_that_are_repeated_are_not_taken_apart_again(before, monkeypatch):
    reading = reader()
    reading.feed(before + PLAIN, 0.0, 0.0)
    reading.pending.clear()
    monkeypatch.setattr(reading, "_parser", None)
    reading.feed(ALIKE["other-path"], 5.0, 6.0)
    ((request, _, _, _),) = reading.pending
    headers = {b"host": b"test", b"range": b"bytes=0-1"}
    assert (request.path, request.headers) == ("/529852", headers)
    assert (request.started, request.wall) == (5.0, 6.0)


def test_empty_lines_are_counted_for_each_request_that_is_repeated():
    requests, last, _ = read_in_turn(PLAIN, *[b"\r\n", PLAIN] * MAX_EMPTY_BYTES)
    assert len(requests) == MAX_EMPTY_BYTES + 1
    assert not last


def test_an_idle_connection_remembers_little():
    reading = reader()
    reading.feed(ALIKE["fields-too-long"], 0.0, 0.0)
    assert not reading._repeated


@pytest.mark.parametrize("after", [GET, POST, b"junk", b"\x00"])
@pytest.mark.parametrize("last", [POST, CHUNKED, UPGRADE])
def test_nothing_is_read_after_a_request_whose_end_only_the_parser_knows(last, after):
    assert len(read(last + after)) == 1
    assert len(read(last, after)) == 1


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        (b"GET /7 HTTP/1.1\r\n\r\n", "host-header"),
        (b"GET /7 HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "host-header"),
        (b"GET /7 HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", "host-header"),
        (b"GET /7 HTTP/2.0\r\nHost: a\r\n\r\n", "http-version"),
        (b"GET /7 HTTP/1.1\nHost: a\n\n", "malformed-request"),
        (b"GET /7 HTTP/1.1\r\nHost : a\r\n\r\n", "malformed-request"),
        (POST[:-3] + b"a" * 3 + b"b" * 9, None),
        (b"POST /7 HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n"
         + b"x" * (MAX_BODY_BYTES + 1), "request-body-too-large"),
        (GET * (MAX_PIPELINED + 1), "too-many-pipelined"),
    ],
)  # fmt: skip
def test_what_breaks_the_rules_is_the_last(head, reason):
    requests = read(head + GET)
    assert requests[-1][2] == reason
    assert requests[-1][3:] == (b"Connection: close\r\n", False)
    assert all(refused is None for _, _, refused, _, _ in requests[:-1])


@pytest.mark.parametrize("pieces", [1, 7, 5000])
def test_a_head_beyond_the_limit_is_refused_before_it_has_ended(pieces):
    data = b"GET /7 HTTP/1.1\r\nHost: test\r\nX: " + b"a" * 5000
    size = len(data) // pieces
    requests = read(*(data[at : at + size] for at in range(0, len(data), size)))
    assert [refused for _, _, refused, _, _ in requests] == [Cause.HEAD_TOO_LARGE.value]
    assert read(GET, header_bytes=len(GET)) == [SEVEN]
    assert read(GET, header_bytes=len(GET) - 1)[0][2] == Cause.HEAD_TOO_LARGE.value


def test_head_is_timed_from_its_first_byte():
    reading = reader()
    reading.feed(GET + GET[:5], 3.0, 0.0)
    reading.feed(GET[5:9], 4.0, 0.0)
    assert (reading.in_request, reading.began) == (True, 3.0)
    reading.feed(GET[9:], 5.0, 0.0)
    assert not reading.in_request


@pytest.mark.parametrize("method", ["BREW", "get", "PROPFIND", "M-SEARCH", "x" * 32])
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_any_token_is_a_method_in_whatever_pieces_it_comes(method, size):
    data = f"{method} /7 HTTP/1.1\r\nHost: test\r\n\r\n".encode() + GET
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    assert read(*pieces) == [(method, "/7", None, b"", True), SEVEN]


@pytest.mark.parametrize("data", [b"x" * 33 + b" /7", b"G\x00T", b"G(T /", b" GET /", b"\x16\x03"])
def test_what_is_no_method_is_refused_at_once(data):
    ((_, _, reason, _, _),) = read(data)
    assert reason == Cause.MALFORMED.value


def test_empty_lines_have_a_limit_that_begins_anew_with_each_request():
    lines = b"\r\n" * 32
    assert read(lines + GET, lines + GET) == [SEVEN, SEVEN]
    ((_, _, reason, _, _),) = read(lines, b"\n")
    assert reason == "too-many-empty-lines"


def test_framing_of_a_body_has_a_limit():
    head = b"POST /7 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"1;" + b"x" * 1000 + b"\r\na\r\n"
    refused = read(head, *[chunk] * 100)
    assert [reason for _, _, reason, _, _ in refused] == ["request-body-too-large"]
    assert read(head, *[chunk] * 10, b"0\r\n\r\n") == [SENT]


@pytest.mark.parametrize("behind", [UPGRADE, b"CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", b"\0"])
@pytest.mark.parametrize("body", [POST, CHUNKED])
def test_what_follows_a_body_is_not_read(body, behind):
    assert read(body + behind) == [SENT]


def test_time_of_a_body_begins_with_its_head():
    reading = reader()
    reading.feed(POST[:-1], 7.0, 0.0)
    assert reading.in_request
    assert reading.began == 7.0
