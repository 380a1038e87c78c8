"""The one table from cause to answer."""

from docwarden.core.errors import RULES, Cause, Failure, Outcome, Retry
from docwarden.integrity.reasons import Reason

CONTRACT = {
    404: {"invalid-document-id", "document-not-found"},
    405: {"method-not-allowed"},
    412: {"precondition-failed"},
    416: {"range-not-satisfiable"},
    502: {
        "document-corrupt", "document-type-unsupported", "document-too-large", "upstream-error",
    },
    503: {"overloaded", "upstream-circuit-open", "draining"},
    504: {"deadline-exceeded"},
}  # fmt: skip


def test_every_cause_has_a_rule():
    assert set(RULES) == set(Cause)


def test_statuses_and_slugs_are_those_of_the_contract():
    for status, slugs in CONTRACT.items():
        present = {rule.slug for rule in RULES.values() if rule.status == status}
        assert slugs <= present


def test_corruption_never_trips_the_breaker():
    for cause in (Cause.CORRUPT, Cause.UNSUPPORTED, Cause.NOT_FOUND, Cause.TOO_LARGE):
        assert not RULES[cause].trips


def test_only_retryable_transport_failures_trip_the_breaker():
    tripping = {cause for cause, rule in RULES.items() if rule.trips}
    retried = {cause for cause, rule in RULES.items() if rule.retry is Retry.TRANSPORT}
    assert tripping == retried - {Cause.STALLED}, "that one is ours"


def test_every_503_tells_when_to_come_back():
    for rule in RULES.values():
        assert rule.retry_after == (rule.status == 503)


def test_no_client_fault_is_counted_against_the_service():
    for rule in RULES.values():
        if rule.outcome in (None, Outcome.NOT_FOUND, Outcome.CLIENT_CLOSED, Outcome.DELIVERED):
            assert rule.status < 500


def test_failure_has_its_causes_code_unless_a_finer_one_is_given():
    assert Failure(Cause.RESET).reason == "connection-lost"
    assert Failure(Cause.CORRUPT, Reason.EMPTY_BODY).reason is Reason.EMPTY_BODY
