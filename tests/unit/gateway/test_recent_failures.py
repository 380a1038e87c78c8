"""The rings of the last failures."""

from random import Random

from docwarden.core.deadline import Deadline
from docwarden.core.errors import Cause, Failure
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.core.request import Request
from docwarden.gateway.recent_failures import KEPT, KEPT_REFUSED, RecentFailures


def note(ring: RecentFailures, cause: Cause, number: int, **headers: str) -> None:
    fields = {name.encode(): value.encode() for name, value in headers.items()}
    request = Request(
        "GET", f"/{number}", fields, client="127.0.0.1", started=0.0, wall=number, random=Random(1)
    )
    request.result.fetch = Fetch(str(number), Deadline(1.0))
    request.result.fetched = FetchResult()
    request.result.fetched.add_attempt(cause.value, 0.1, 0.0)
    failure = Failure(cause)
    request.result.outcome = failure.rule.outcome
    ring.note(request, failure, status=failure.rule.status, seconds=0.25)


def test_newest_failure_comes_first_with_all_that_is_known_of_it():
    ring = RecentFailures()
    note(ring, Cause.CORRUPT, 1)
    note(ring, Cause.CONNECT, 2)
    newest, _ = ring.newest_first()
    assert (newest.at, newest.document_id, newest.status) == (2.25, "2", 502)
    assert (newest.outcome, newest.reason) == ("upstream_error", "connect-failed")
    assert newest.attempts == ("connect-failed",)


def test_no_more_than_the_last_ones_are_kept():
    ring = RecentFailures()
    for number in range(1000):
        note(ring, Cause.CORRUPT, number)
    assert [failed.document_id for failed in ring.newest_first()] == [
        str(number) for number in range(999, 999 - KEPT, -1)
    ]
    assert ring.total == 1000


def test_flood_of_refusals_does_not_push_out_why_they_were_refused():
    ring = RecentFailures()
    note(ring, Cause.CONNECT, 1)
    for number in range(2, 500):
        note(ring, Cause.CIRCUIT_OPEN, number)
    reasons = [failed.reason for failed in ring.newest_first()]
    assert reasons == ["circuit-open"] * KEPT_REFUSED + ["connect-failed"]


def test_request_id_of_a_client_is_kept_only_if_it_is_plain():
    ring = RecentFailures()
    note(ring, Cause.CORRUPT, 1, **{"x-request-id": "<script>"})
    note(ring, Cause.CORRUPT, 2, **{"x-request-id": "abc-1"})
    given, made = ring.newest_first()
    assert given.request_id == "abc-1"
    assert len(made.request_id) == 32
