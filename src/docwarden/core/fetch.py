"""What is to be fetched, and what came of it."""

from typing import Protocol

from docwarden.core.deadline import Deadline
from docwarden.core.errors import Failure


class AttemptSpan(Protocol):
    """Takes what becomes of one attempt.

    Attributes:
        header: the line that makes the upstream's spans this attempt's children.
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
            ended: when it had ended, whichever way.
            recalled: whether the verdict was remembered; None when there was no verification.
            intact: whether it brought an intact document.
        """
        ...


class AttemptSpans(Protocol):
    """Takes the spans of a fetch's attempts."""

    def attempt(self, document_id: str) -> AttemptSpan:
        """Begin an attempt."""
        ...


class Fetch:
    """One document to fetch.

    Attributes:
        document_id: decimal digits.
        deadline: when the client's patience, as configured, ends.
        forward: header lines for the upstream.
        exemplar: trace id for exemplars, or empty.
        trace: takes the attempts' spans, None with tracing off.
    """

    __slots__ = ("deadline", "document_id", "exemplar", "forward", "trace")

    def __init__(
        self,
        document_id: str,
        deadline: Deadline,
        *,
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
    """What came of a fetch so far; `fetching` writes it, also where the fetch fails in the end.

    Attributes:
        attempts: result and seconds of each attempt that ended.
        queue_seconds: waited for a place under the concurrency limit.
        upstream_seconds: spent in attempts before verification.
        verify_seconds: spent in verification.
        replaced: the failure that a last verified copy stands in for.
        shared: whether another request's fetch brought the document.
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
        """Note an attempt that has ended."""
        self.attempts.append((result, upstream_seconds + verify_seconds))
        self.upstream_seconds += upstream_seconds
        self.verify_seconds += verify_seconds
