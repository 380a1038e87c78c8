"""Reasons more specific than a cause."""

import orjson
import pytest

from docwarden.core.errors import Cause, Detail
from docwarden.core.reasons import FailureReason, status_reason

CONTRACT = {
    Cause.MALFORMED: {
        "too-many-empty-lines", "http-version", "host-header", "too-many-pipelined",
        "request-body-too-large",
    },
    Cause.CONNECT: {"connect-timeout", "tls-failed"},
    Cause.PROTOCOL: {
        "head-too-large", "transfer-coding-unknown", "upgrade-not-asked-for",
        "endless-informational",
    },
    Cause.DEADLINE: {"single-flight-timeout", "verification-timeout"},
    Cause.OVERLOADED: {
        "pool-exhausted", "too-few-descriptors", "too-few-ports", "deep-checks-full",
        "too-many-explanations", "too-many-viewers",
    },
    Cause.MEMORY: {"out-of-memory"},
}  # fmt: skip


def test_codes_and_their_causes_are_those_of_the_contract():
    told = {cause: {each for each in FailureReason if each.cause is cause} for cause in CONTRACT}
    assert told == CONTRACT
    assert sum(map(len, told.values())) == len(FailureReason)


@pytest.mark.parametrize("reason", FailureReason)
def test_reason_is_told_as_its_code(reason):
    assert orjson.loads(orjson.dumps({"reason": reason})) == {"reason": reason.value}
    assert f"{reason}" == "%s" % reason == str(reason) == reason.value  # noqa: UP031 - as logs do
    assert reason.meaning.endswith(".")


def test_failure_takes_its_cause_from_its_reason():
    failure = FailureReason.TLS_FAILED.failure(detail=Detail.TLS_REFUSED)
    assert (failure.cause, failure.reason) == (Cause.CONNECT, FailureReason.TLS_FAILED)
    assert (failure.detail, failure.retry_after) == (Detail.TLS_REFUSED, None)
    assert FailureReason.TOO_MANY_VIEWERS.failure(retry_after=5).retry_after == 5


@pytest.mark.parametrize(("status", "code"), [(503, "503"), (302, "302"), (0, "000")])
def test_reason_for_a_status_has_its_three_digits(status, code):
    assert status_reason(status) == f"upstream-status-{code}"
