"""Why a request can fail: a closed set of causes, and the consequences of each.

Every failure is a `Failure` with a `Cause`; some also have a more specific reason, a `ReasonCode`
or a `StatusReason`. The table `RULES` alone decides on its status, its problem type, whether it is
retried, whether it counts against the upstream's health, the level it is logged at and the outcome
it is counted under.
"""

import enum
from dataclasses import dataclass
from typing import Final, NewType


class Cause(enum.StrEnum):
    """What went wrong. The values are the stable default reason codes."""

    MALFORMED = "malformed-request"
    HEAD_TOO_LARGE = "request-head-too-large"
    HEAD_TIMEOUT = "request-head-timeout"
    INVALID_ID = "invalid-document-id"
    NO_SUCH_PAGE = "no-such-page"
    MISDIRECTED = "host-not-served"
    CROSS_SITE = "cross-site"
    METHOD = "method-not-allowed"
    PRECONDITION = "precondition-failed"
    RANGE = "range-not-satisfiable"
    NOT_FOUND = "upstream-not-found"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported-type"
    TOO_LARGE = "body-too-large"
    STATUS = "upstream-status"
    STATUS_FINAL = "upstream-status-final"
    CONNECT = "connect-failed"
    RESET = "connection-lost"
    PROTOCOL = "protocol-violation"
    ATTEMPT_TIMEOUT = "attempt-timeout"
    STALLED = "gateway-stalled"
    DEADLINE = "deadline-passed"
    OVERLOADED = "concurrency-limit"
    MEMORY = "memory-limit"
    CIRCUIT_OPEN = "circuit-open"
    DRAINING = "draining"
    CLIENT_CLOSED = "client-closed"
    INTERNAL = "internal-error"


class ReasonCode(enum.StrEnum):
    """Reasons more specific than a cause. A member is its stable kebab-case code, a `str`.

    `core.reasons` has those of requests, connections and limits, `integrity.reasons` those of
    documents.
    """

    meaning: str


StatusReason = NewType("StatusReason", str)
"""An upstream status that comes with no document; only `core.reasons.status_reason` makes one."""


class Detail(enum.StrEnum):
    """The cause behind a transport failure, for logs and spans."""

    NAME_NOT_FOUND = "name-not-found"
    NAME_LOOKUP_FAILED = "name-lookup-failed"
    REFUSED = "refused"
    RESET = "reset"
    UNREACHABLE = "unreachable"
    CERTIFICATE_EXPIRED = "certificate-expired"
    CERTIFICATE_NOT_YET_VALID = "certificate-not-yet-valid"
    CERTIFICATE_OTHER_NAME = "certificate-other-name"
    CERTIFICATE_UNKNOWN_ISSUER = "certificate-unknown-issuer"
    CERTIFICATE_REFUSED = "certificate-refused"
    TLS_REFUSED = "tls-refused"
    NO_ANSWER = "no-answer"
    ANSWER_INCOMPLETE = "answer-incomplete"
    OTHER = "other"


class Outcome(enum.StrEnum):
    """How a document request ended: the label of `docwarden_documents_total`."""

    DELIVERED = "delivered"
    DELIVERED_STALE = "delivered_stale"
    NOT_MODIFIED = "not_modified"
    NOT_FOUND = "not_found"
    CORRUPT = "corrupt"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    UPSTREAM_ERROR = "upstream_error"
    TIMEOUT = "timeout"
    OVERLOADED = "overloaded"
    CIRCUIT_OPEN = "circuit_open"
    CLIENT_CLOSED = "client_closed"


class Retry(enum.Enum):
    """Which retry budget another attempt draws on."""

    NEVER = enum.auto()
    TRANSPORT = enum.auto()
    CORRUPTION = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """The consequences of one cause.

    Attributes:
        status: HTTP status of the answer (RFC 9110 section 15).
        slug: last part of the problem type's URN.
        title: the problem's title, the same for every occurrence (RFC 9457 section 3.1.3).
        detail: the text for clients; nothing in it comes from the upstream.
        outcome: the metric label, None if no document was requested.
        retry: which budget another attempt draws on.
        trips: whether the attempt counts against the upstream's health.
        retry_after: whether the answer carries a jittered Retry-After.
        stale: whether the last verified copy may be served instead.
        level: log level of the request's event.
    """

    status: int
    slug: str
    title: str
    detail: str
    outcome: Outcome | None
    retry: Retry = Retry.NEVER
    trips: bool = False
    retry_after: bool = False
    stale: bool = False
    level: str = "warning"


def _upstream_error(detail: str, *, retry: Retry = Retry.TRANSPORT, trips: bool = True) -> Rule:
    return Rule(
        status=502,
        slug="upstream-error",
        title="The document's source failed",
        detail=detail,
        outcome=Outcome.UPSTREAM_ERROR,
        retry=retry,
        trips=trips,
        stale=True,
        level="error",
    )


def _overloaded(detail: str) -> Rule:
    return Rule(
        status=503,
        slug="overloaded",
        title="Too many requests at the moment",
        detail=detail,
        outcome=Outcome.OVERLOADED,
        retry_after=True,
        stale=True,
    )


def _too_late(detail: str, *, retry: Retry, trips: bool) -> Rule:
    return Rule(
        status=504,
        slug="deadline-exceeded",
        title="The document did not arrive in time",
        detail=detail,
        outcome=Outcome.TIMEOUT,
        retry=retry,
        trips=trips,
        stale=True,
        level="error",
    )


RULES: Final[dict[Cause, Rule]] = {
    Cause.MALFORMED: Rule(
        status=400,
        slug="malformed-request",
        title="Not a valid HTTP request",
        detail="The request violates HTTP/1.1, so it was not read any further.",
        outcome=None,
        level="info",
    ),
    Cause.HEAD_TOO_LARGE: Rule(
        status=431,
        slug="request-head-too-large",
        title="Request head too large",
        detail="The request line and header fields are larger than this gateway accepts.",
        outcome=None,
        level="info",
    ),
    Cause.HEAD_TIMEOUT: Rule(
        status=408,
        slug="request-head-timeout",
        title="Request head too slow",
        detail="The request line and header fields did not arrive in time.",
        outcome=None,
        level="info",
    ),
    Cause.INVALID_ID: Rule(
        status=404,
        slug="invalid-document-id",
        title="Not a document id",
        detail="A document id is 1 to 19 decimal digits without leading zeros.",
        outcome=None,
        level="info",
    ),
    Cause.NO_SUCH_PAGE: Rule(
        status=404,
        slug="no-such-page",
        title="No such page",
        detail="This listener has no such page; its index is at /.",
        outcome=None,
        level="info",
    ),
    Cause.MISDIRECTED: Rule(
        status=421,
        slug="misdirected-request",
        title="Misdirected request",
        detail="The Host field names another host; DOCWARDEN_ADMIN_HOSTS lists those allowed.",
        outcome=None,
        level="info",
    ),
    Cause.CROSS_SITE: Rule(
        status=403,
        slug="cross-site-request",
        title="Cross-site request",
        detail="A browser sent this request from a page of another site.",
        outcome=None,
        level="info",
    ),
    Cause.METHOD: Rule(
        status=405,
        slug="method-not-allowed",
        title="Method not allowed",
        detail="This method is not supported here; the Allow field lists those that are.",
        outcome=None,
        level="info",
    ),
    Cause.PRECONDITION: Rule(
        status=412,
        slug="precondition-failed",
        title="Precondition failed",
        detail="The document is not the one that If-Match names.",
        outcome=Outcome.DELIVERED,
        level="info",
    ),
    Cause.RANGE: Rule(
        status=416,
        slug="range-not-satisfiable",
        title="Range not satisfiable",
        detail="The requested range is outside the document.",
        outcome=Outcome.DELIVERED,
        level="info",
    ),
    Cause.NOT_FOUND: Rule(
        status=404,
        slug="document-not-found",
        title="No such document",
        detail="The document's source has no document with this id.",
        outcome=Outcome.NOT_FOUND,
        level="info",
    ),
    Cause.CORRUPT: Rule(
        status=502,
        slug="document-corrupt",
        title="The document is corrupt",
        detail="Every copy that the document's source sent was damaged, so none was delivered.",
        outcome=Outcome.CORRUPT,
        retry=Retry.CORRUPTION,
        stale=True,
        level="error",
    ),
    Cause.UNSUPPORTED: Rule(
        status=502,
        slug="document-type-unsupported",
        title="Not a document of a supported type",
        detail="The document's source did not send a PDF, PNG, JPEG, GIF, WebP or TIFF.",
        outcome=Outcome.UNSUPPORTED,
        retry=Retry.CORRUPTION,
        stale=True,
        level="error",
    ),
    Cause.TOO_LARGE: Rule(
        status=502,
        slug="document-too-large",
        title="The document is too large",
        detail="The document is larger than this gateway is configured to deliver.",
        outcome=Outcome.TOO_LARGE,
    ),
    Cause.STATUS: _upstream_error("The document's source answered with an error."),
    Cause.STATUS_FINAL: _upstream_error(
        "The document's source refused the request.", retry=Retry.NEVER, trips=False
    ),
    Cause.CONNECT: _upstream_error("The document's source could not be reached."),
    Cause.RESET: _upstream_error("The document's source closed the connection prematurely."),
    Cause.PROTOCOL: _upstream_error("The document's source did not send a valid HTTP response."),
    Cause.ATTEMPT_TIMEOUT: _too_late(
        "The document's source did not answer in time.", retry=Retry.TRANSPORT, trips=True
    ),
    Cause.STALLED: _too_late(
        "The gateway was stalled while it waited for the document's source.",
        retry=Retry.TRANSPORT,
        trips=False,
    ),
    Cause.DEADLINE: _too_late("The request's time ran out.", retry=Retry.NEVER, trips=False),
    Cause.OVERLOADED: _overloaded("The gateway is already serving as many requests as it can."),
    Cause.MEMORY: _overloaded("Documents in progress use all of the gateway's memory allowance."),
    Cause.CIRCUIT_OPEN: Rule(
        status=503,
        slug="upstream-circuit-open",
        title="The document's source is down",
        detail="The document's source failed repeatedly and is given time to recover.",
        outcome=Outcome.CIRCUIT_OPEN,
        retry_after=True,
        stale=True,
    ),
    Cause.DRAINING: Rule(
        status=503,
        slug="draining",
        title="This instance is shutting down",
        detail="Send the request again: another instance will answer.",
        outcome=Outcome.OVERLOADED,
        retry_after=True,
    ),
    # 499 follows nginx's log convention; there is nobody to read it.
    Cause.CLIENT_CLOSED: Rule(
        status=499,
        slug="client-closed",
        title="The client went away",
        detail="The client closed the connection before the answer was sent.",
        outcome=Outcome.CLIENT_CLOSED,
        level="info",
    ),
    Cause.INTERNAL: Rule(
        status=500,
        slug="internal-error",
        title="The gateway failed",
        detail="A defect in the gateway; its log holds the trace under this request id.",
        outcome=Outcome.UPSTREAM_ERROR,
        level="error",
    ),
}


class Failure(Exception):  # noqa: N818 - the design's word: documents fail, code raises Failure
    """A request or an attempt that ended without an intact document.

    Attributes:
        cause: the closed-set cause.
        reason: the cause, or a more specific reason.
        media_type: what the refused bytes are, where that is known.
        retry_after: seconds for the Retry-After field, where the raiser knows them.
        size: bytes of the document, where a range of it cannot be satisfied.
        detail: the cause behind a transport failure; for operators, not for clients.
    """

    def __init__(  # noqa: PLR0913 - the cause, and further facts
        self,
        cause: Cause,
        reason: ReasonCode | StatusReason | None = None,
        *,
        media_type: str | None = None,
        retry_after: float | None = None,
        size: int | None = None,
        detail: Detail | None = None,
    ) -> None:
        super().__init__(cause, reason)
        self.cause = cause
        self.reason: Cause | ReasonCode | StatusReason = reason or cause
        self.media_type = media_type
        self.retry_after = retry_after
        self.size = size
        self.detail = detail

    @property
    def rule(self) -> Rule:
        """The consequences of the cause."""
        return RULES[self.cause]
