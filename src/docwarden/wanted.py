"""What is to be fetched, and what fetching it came to."""

from typing import TYPE_CHECKING

from docwarden.errors import Failure
from docwarden.resilience.deadline import Deadline

if TYPE_CHECKING:
    from docwarden.tracing.spans import Trace


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
        trace: "Trace | None" = None,
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
