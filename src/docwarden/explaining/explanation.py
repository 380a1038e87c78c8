"""What is told of a document: each attempt, and what a client would get."""

from dataclasses import dataclass, field

from docwarden.core.errors import Failure
from docwarden.integrity.checks import Mode
from docwarden.integrity.verdict import Finding
from docwarden.telemetry.catalog import INTACT


@dataclass(frozen=True, slots=True)
class Attempted:
    """What one attempt brought.

    Attributes:
        number: Counted from 1.
        status: Of the upstream's answer; None where none was read to its end.
        size: Bytes of its body; None where none was read.
        media_type: What the bytes are; None where that is unknown or was not looked at.
        findings: Every failed check with its mode, the one that refuses included.
        failure: Why the attempt brought no document; None where it did.
        recalled: Whether equal bytes came before, so that their verdict was known.
        upstream_seconds: Until the answer was there.
        verify_seconds: Until the verdict was.
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
        """As the metric of attempts has it."""
        return INTACT if self.failure is None else self.failure.cause.value


@dataclass(slots=True)
class Explanation:
    """What came of a document, and what a client would get.

    Attributes:
        document_id: Decimal digits.
        attempts: In their order.
        media_type: Of the document, where it would be delivered.
        failure: Why it would not.
        body: The last body that came, of a document or not.
    """

    document_id: str
    attempts: list[Attempted] = field(default_factory=list)
    media_type: str | None = None
    failure: Failure | None = None
    body: bytes | bytearray | None = None
