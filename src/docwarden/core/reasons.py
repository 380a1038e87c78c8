"""Reasons more specific than the cause of a failure: a closed set.

Each row: stable code, the cause it belongs to, what it means. The findings of the integrity checks
have sets of their own, in `integrity.reasons`; an upstream's status is named by its number.
"""

from typing import Self

from docwarden.core.errors import Cause, Detail, Failure, ReasonCode, StatusReason


class FailureReason(ReasonCode):
    """Reasons to do with requests, connections and limits."""

    cause: Cause

    def __new__(cls, code: str, cause: Cause, meaning: str) -> Self:
        """Take one row of the table."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.cause = cause
        member.meaning = meaning
        return member

    TOO_MANY_EMPTY_LINES = (
        "too-many-empty-lines",
        Cause.MALFORMED,
        "The client kept sending empty lines where a request should begin.",
    )
    HTTP_VERSION = (
        "http-version",
        Cause.MALFORMED,
        "The request uses an HTTP version other than 1.0 and 1.1.",
    )
    HOST_HEADER = (
        "host-header",
        Cause.MALFORMED,
        "The Host field is missing, repeated or does not name a host.",
    )
    TOO_MANY_PIPELINED = (
        "too-many-pipelined",
        Cause.MALFORMED,
        "The client pipelined more requests than may wait on one connection.",
    )
    REQUEST_BODY_TOO_LARGE = (
        "request-body-too-large",
        Cause.MALFORMED,
        "The request's body, or its chunk framing, is larger than the gateway skips.",
    )

    CONNECT_TIMEOUT = (
        "connect-timeout",
        Cause.CONNECT,
        "The upstream accepted no connection within `DOCWARDEN_CONNECT_TIMEOUT`.",
    )
    TLS_FAILED = (
        "tls-failed",
        Cause.CONNECT,
        "The TLS handshake failed, or the upstream's certificate was refused.",
    )

    HEAD_TOO_LARGE = (
        "head-too-large",
        Cause.PROTOCOL,
        "The head of the upstream's answer, or its chunk framing, exceeds the limit.",
    )
    TRANSFER_CODING_UNKNOWN = (
        "transfer-coding-unknown",
        Cause.PROTOCOL,
        "The upstream's answer uses a transfer coding other than `chunked`.",
    )
    UPGRADE_NOT_ASKED_FOR = (
        "upgrade-not-asked-for",
        Cause.PROTOCOL,
        "The upstream switched protocols without being asked to.",
    )
    ENDLESS_INFORMATIONAL = (
        "endless-informational",
        Cause.PROTOCOL,
        "The upstream sent too many informational answers (1xx) before the final one.",
    )

    SINGLE_FLIGHT_TIMEOUT = (
        "single-flight-timeout",
        Cause.DEADLINE,
        "The fetch shared with other requests did not end before this request's deadline.",
    )
    VERIFICATION_TIMEOUT = (
        "verification-timeout",
        Cause.DEADLINE,
        "The document arrived, but was not verified before the deadline.",
    )

    POOL_EXHAUSTED = (
        "pool-exhausted",
        Cause.OVERLOADED,
        "All `DOCWARDEN_UPSTREAM_CONNECTIONS` connections to the upstream were in use.",
    )
    TOO_FEW_DESCRIPTORS = (
        "too-few-descriptors",
        Cause.OVERLOADED,
        "There was no free file descriptor for a connection to the upstream.",
    )
    TOO_FEW_PORTS = (
        "too-few-ports",
        Cause.OVERLOADED,
        "There was no free local port for a connection to the upstream.",
    )
    DEEP_CHECKS_FULL = (
        "deep-checks-full",
        Cause.OVERLOADED,
        "The queue for deep checks was too long to check the document before the deadline.",
    )
    TOO_MANY_EXPLANATIONS = (
        "too-many-explanations",
        Cause.OVERLOADED,
        "Explanations were requested faster than the operator listener allows.",
    )
    TOO_MANY_VIEWERS = (
        "too-many-viewers",
        Cause.OVERLOADED,
        "As many console pages are open as the gateway allows.",
    )

    OUT_OF_MEMORY = (
        "out-of-memory",
        Cause.MEMORY,
        "The operating system could not provide more memory.",
    )

    def failure(self, *, retry_after: float | None = None, detail: Detail | None = None) -> Failure:
        """Return the failure that has this reason, and the cause that it belongs to."""
        return Failure(self.cause, self, retry_after=retry_after, detail=detail)


def status_reason(status: int) -> StatusReason:
    """Return the reason for an upstream status that comes with no document."""
    return StatusReason(f"{Cause.STATUS}-{status:03d}")
