"""The explanation of a document: each attempt, and what a client would get."""

from dataclasses import dataclass, field

from docwarden.core.errors import Failure
from docwarden.integrity.checks import Mode
from docwarden.integrity.verdict import Finding
from docwarden.telemetry.catalog import INTACT


@dataclass(frozen=True, slots=True)
class Attempted:
    """The result of one attempt.

    Attributes:
        number: Counted from 1.
        status: Of the upstream's answer; None without a complete answer.
        size: Bytes of its body; None if none was read.
        media_type: What the bytes are; None if that is unknown or was not checked.
        findings: Every failed check with its mode, including the one that rejects.
        failure: Why the attempt failed; None if it did not.
        recalled: Whether the verdict was cached, from equal bytes before.
        upstream_seconds: Until the answer was complete.
        verify_seconds: From then until the verdict.
    """

    number: int
    status: int | None
    size: int | None
    media_type: str | None
    findings: tuple[tuple[Finding, Mode], ...]
    failure: Failure | None
    recalled: bool
    upstream_seconds: float
    verify_seconds: float

    @property
    def result(self) -> str:
        """The label in the metric of attempts."""
        return INTACT if self.failure is None else self.failure.cause.value


@dataclass(slots=True)
class Explanation:
    """What happened to a document, and what a client would get.

    Attributes:
        document_id: Decimal digits.
        attempts: In their order.
        media_type: Of the document, if it would be delivered.
        failure: Why it would not.
        body: The last body received, whether of a document or not.
    """

    document_id: str
    attempts: list[Attempted] = field(default_factory=list)
    media_type: str | None = None
    failure: Failure | None = None
    body: bytes | bytearray | None = None
