"""The two ways in which the event of a request is written come to the same."""

import itertools
import json
import os
import random

import pytest

from docwarden.core.deadline import Deadline
from docwarden.core.errors import Cause, Failure, Outcome
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.core.request import Request, address_of
from docwarden.gateway import request_log
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.gateway.request_log import RequestLog
from docwarden.telemetry.logs import open_log
from docwarden.telemetry.resource import Resource

# Its marks have a meaning in a format of bytes, and in JSON.
SOURCE = Resource(service='100 %b "x"', instance="gateway-%d", namespace="", environment="")


def delivered(**headers):
    """A request whose document was delivered at the first attempt."""
    given = {name.replace("_", "-").encode(): value for name, value in headers.items()}
    request = Request(
        "GET",
        "/7",
        given,
        client="2001:db8::1",
        started=5.0,
        wall=1.5e9,
        random=random.Random(1),
    )
    result = request.result
    result.route = "/{id}"
    result.outcome = Outcome.DELIVERED
    result.media_type = "image/png"
    result.fetch = Fetch("9223372036854775807", Deadline(15.0))
    result.fetched = FetchResult()
    result.fetched.add_attempt("intact", 0.0019790, 0.0000206)
    return request


@pytest.fixture
def written(tmp_path):
    """Writes the event of a request and returns the line."""
    file = tmp_path / "log"

    def write(*requests, **given):
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        log = open_log(format_name="json", level="info", descriptor=descriptor, resource=SOURCE)
        own = RequestLog(
            log,
            success_share=1.0,
            recent=RecentFailures(),
            random=random.Random(1),
            headers=("x-tenant",),
        )
        for request in requests:
            own.on_finished(
                request, **({"status": 200, "sent": 47_647, "seconds": 0.0123456} | given)
            )
        log.close()
        os.close(descriptor)
        return file.read_text("ascii")

    return write


@pytest.mark.parametrize("given", [{}, {"status": 206, "sent": 0}, {"sent": -1, "seconds": 12.0}])
@pytest.mark.parametrize("attempts", [1, 2, 3])
def test_plain_line_is_the_one_that_a_dictionary_of_fields_gives(
    given, attempts, written, monkeypatch
):
    request = delivered(x_request_id=b"a.B-1_2")
    request.result.fetched.attempts[:0] = [("corrupt", 0.01 * n) for n in range(1, attempts)]
    plain = written(request, **given)
    monkeypatch.setattr(request_log, "_is_plain", lambda _: False)
    built = written(request, **given)
    assert list(json.loads(plain).items()) == list(json.loads(built).items())


def _failed(request):
    request.result.failure = Failure(Cause.CLIENT_CLOSED)


def _traced(request):
    request.trace_id = "0af7651916cd43dd8448eb211c80319c"


def _tried_twice(request):
    request.result.fetched.attempts.append(("intact", 0.001))


def _shared(request):
    request.result.fetched.shared = True


def _queued(request):
    request.result.fetched.queue_seconds = 0.01


def _stale(request):
    request.result.outcome = Outcome.DELIVERED_STALE
    request.result.fetched.replaced = Failure(Cause.CORRUPT)


def _by_head(request):
    request.method = request.method_label = "HEAD"


def _behind_proxy(request):
    request.client = "192.0.2.7"


def _named(request):
    request.headers |= {b"user-agent": b'"%s"\xff', b"x-tenant": b"acme"}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (_behind_proxy, "network.peer.address"),
        (_named, "user_agent.original"),
        (_named, "http.request.header.x-tenant"),
        (_failed, "error.type"),
        (_traced, "trace_id"),
        (_queued, "queue_ms"),
        (_shared, "shared"),
        (_stale, "replaced_reason"),
    ],
)
def test_what_else_there_is_to_tell_is_told(change, field, written):
    request = delivered()
    assert field not in json.loads(written(request))
    change(request)
    assert field in json.loads(written(request))


CHANGES = (
    _failed, _traced, _tried_twice, _shared, _queued, _stale, _by_head, _behind_proxy, _named,
)  # fmt: skip


@pytest.mark.parametrize("chosen", [*itertools.product((False, True), repeat=len(CHANGES))])
def test_both_ways_come_to_the_same_for_every_combination(chosen, written, monkeypatch):
    request = delivered()
    for change, applies in zip(CHANGES, chosen, strict=True):
        if applies:
            change(request)
    as_it_is = written(request)
    monkeypatch.setattr(request_log, "_is_plain", lambda _: False)
    assert list(json.loads(as_it_is).items()) == list(json.loads(written(request)).items())


def test_lines_that_share_a_format_tell_their_own_requests(written, monkeypatch):
    requests = [delivered() for _ in range(6)]
    for number, request in enumerate(requests):
        request.request_id = str(number)
        request.result.fetch = Fetch(str(number), Deadline(15.0))
        request.result.fetched = FetchResult()
        request.result.fetched.add_attempt("intact", number / 1e3, number / 1e5)
    _named(requests[3])
    _by_head(requests[4])
    _tried_twice(requests[5])
    lines = written(*requests).splitlines()
    assert [json.loads(line)["document_id"] for line in lines] == [*"012345"]
    monkeypatch.setattr(request_log, "_is_plain", lambda _: False)
    built = written(*requests).splitlines()
    assert [json.loads(line) for line in lines] == [json.loads(line) for line in built]


def test_clients_cannot_fill_the_memory_with_formats(tmp_path):
    descriptor = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT)
    log = open_log(format_name="json", level="info", descriptor=descriptor, resource=SOURCE)
    own = RequestLog(log, success_share=1.0, recent=RecentFailures(), random=random.Random(1))
    known = own._plain_lines._formats
    for number in range(2000):
        own.on_finished(delivered(user_agent=b"agent %d" % number), 200, 1, 0.01)
    assert 0 < len(known) <= 512
    known.clear()
    own.on_finished(delivered(user_agent=b"a" * 4000), 200, 1, 0.01)
    assert not known, "and none is kept for a long one"
    log.close()
    os.close(descriptor)


@pytest.mark.parametrize(
    ("share", "lines"), [(0.0, range(1)), (0.25, range(200, 300)), (1.0, range(1000, 1001))]
)
def test_share_of_the_successes_is_written_and_every_failure(share, lines, tmp_path):
    file = tmp_path / "log"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    log = open_log(format_name="json", level="info", descriptor=descriptor, resource=SOURCE)
    recent = RecentFailures()
    own = RequestLog(log, success_share=share, recent=recent, random=random.Random(1))
    for _ in range(1000):
        own.on_finished(delivered(), 200, 1, 0.01)
    failed = delivered()
    _failed(failed)
    own.on_finished(failed, 499, 1, 0.01)
    log.close()
    os.close(descriptor)
    assert len(file.read_text("ascii").splitlines()) - 1 in lines


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ((), "200 /9223372036854775807 image/png 1x 12 ms"),
        ((_by_head, _tried_twice), "200 HEAD /9223372036854775807 image/png 2x 12 ms"),
        ((_stale,), "200 /9223372036854775807 delivered_stale image/png corrupt 1x 12 ms"),
        ((_failed,), "200 /9223372036854775807 client_closed client-closed 1x 12 ms"),
    ],
)
def test_message_says_in_one_line_what_happened(changes, message, written):
    request = delivered()
    for change in changes:
        change(request)
    assert json.loads(written(request))["message"] == message


def test_line_says_whose_it_is(written):
    line = json.loads(written(delivered()))
    assert line["service.name"] == SOURCE.service
    assert line["service.instance.id"] == SOURCE.instance


def _unmatched(path):
    request = delivered()
    request.path = path
    result = request.result
    result.route, result.outcome, result.fetch, result.fetched = "unmatched", None, None, None
    result.media_type = ""
    result.failure = Failure(Cause.INVALID_ID)
    return request


def test_path_of_what_is_not_there_is_told(written):
    line = json.loads(written(_unmatched('/wp-login.php"\r'), status=404))
    assert line["url.path"] == "/wp-login.php%22%0D"
    assert line["message"] == "404 /wp-login.php%22%0D invalid-document-id 12 ms"


def test_path_that_id_or_route_tell_is_not_told_again(written):
    page = delivered()
    page.path = page.result.route = "/healthz"
    page.result.fetch = page.result.fetched = page.result.outcome = None
    unread = _unmatched("*")
    for request in (delivered(), page, unread):
        assert "url.path" not in json.loads(written(request))


def test_each_attempt_is_told(written):
    request = delivered()
    _tried_twice(request)
    assert len(json.loads(written(request))["attempts"]) == 2


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        (("192.0.2.1", 4711), "192.0.2.1"),
        (('fe80::1%"x', 4711, 0, 3), "fe80::1"),
        ("/run/socket", "unix"),
        (None, "unix"),
    ],
)
def test_address_of_a_client_needs_no_escapes(peer, address):
    assert address_of(peer) == address
