"""What is to be fetched, and what fetching it came to."""

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


class Wanted:
    """One document to fetch, and what its attempts came to.

    Attributes:
        document_id: decimal digits.
        deadline: when the client's patience, as configured, ends.
        forward: header lines for the upstream.
        exemplar: trace id for exemplars, or empty.
        trace: takes the attempts' spans, None with tracing off.
        attempts: result and seconds of each attempt that ended.
        queue_seconds: waited for a place under the concurrency limit.
        upstream_seconds: spent in attempts before verification.
        verify_seconds: spent in verification.
        replaced: the failure that a last verified copy stands in for.
        shared: whether another request's fetch brought the document.
    """

    __slots__ = (
        "attempts", "deadline", "document_id", "exemplar", "forward", "queue_seconds", "replaced",
        "shared", "trace", "upstream_seconds", "verify_seconds",
    )  # fmt: skip

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
        self.attempts: list[tuple[str, float]] = []
        self.queue_seconds = 0.0
        self.upstream_seconds = 0.0
        self.verify_seconds = 0.0
        self.shared = False
        self.replaced: Failure | None = None
