"""A fetch of a document, and its result."""

from typing import Protocol

from docwarden.core.deadline import Deadline
from docwarden.core.errors import Failure


class AttemptSpan(Protocol):
    """The span of one attempt.

    Attributes:
        header: the traceparent line that makes the upstream's spans its children.
        status: of the upstream's answer, 0 while there is none.
        failure: why the attempt failed, if it did.
    """

    header: bytes
    status: int
    failure: Failure | None

    def end(
        self, started: float, received: float, ended: float, *, recalled: bool | None, intact: bool
    ) -> None:
        """Record the attempt.

        Args:
            started: monotonic second.
            received: when the answer was there and verification began.
            ended: when it had ended.
            recalled: whether the verdict was remembered; None without verification.
            intact: whether it returned an intact document.
        """
        ...


class AttemptSpans(Protocol):
    """Creates the spans of a fetch's attempts."""

    def attempt(self, document_id: str) -> AttemptSpan:
        """Begin an attempt."""
        ...


class Fetch:
    """One document to fetch.

    Attributes:
        document_id: decimal digits.
        deadline: when the request must have been answered.
        forward: header lines to send to the upstream.
        exemplar: trace id for exemplars, or empty.
        trace: creates the attempts' spans; None with tracing off.
    """

    __slots__ = ("deadline", "document_id", "exemplar", "forward", "trace")

    def __init__(
        self,
        document_id: str,
        deadline: Deadline,
        forward: bytes = b"",
        exemplar: str = "",
        trace: AttemptSpans | None = None,
    ) -> None:
        self.document_id = document_id
        self.deadline = deadline
        self.forward = forward
        self.exemplar = exemplar
        self.trace = trace


class FetchResult:
    """The result of a fetch so far, even of one that fails; written by `fetching`.

    Attributes:
        attempts: result and seconds of each attempt that ended.
        queue_seconds: waited for a place under the concurrency limit.
        upstream_seconds: spent in attempts before verification.
        verify_seconds: spent in verification.
        replaced: the failure that the last verified copy was served for.
        shared: whether the document is from another request's fetch.
        within_limit: whether it holds a place under the concurrency limit.
    """

    __slots__ = (
        "attempts", "queue_seconds", "replaced", "shared", "upstream_seconds", "verify_seconds",
        "within_limit",
    )  # fmt: skip

    def __init__(self) -> None:
        self.attempts: list[tuple[str, float]] = []
        self.queue_seconds = 0.0
        self.upstream_seconds = 0.0
        self.verify_seconds = 0.0
        self.shared = False
        self.within_limit = False
        self.replaced: Failure | None = None

    def add_attempt(self, result: str, upstream_seconds: float, verify_seconds: float) -> None:
        """Add an attempt that has ended."""
        self.attempts.append((result, upstream_seconds + verify_seconds))
        self.upstream_seconds += upstream_seconds
        self.verify_seconds += verify_seconds
