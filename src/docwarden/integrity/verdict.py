"""The result of verifying a document's bytes: findings, and the verdict that follows from them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Self

from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.reasons import ReasonSet

Data = bytes | bytearray
"""A document's bytes as received; not modified any more."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One failed check.

    Attributes:
        reason: Stable code out of the closed set `registry.REASONS`.
        check: The check that failed.
        tier: The check's tier, 0 to 4.
        detail: What was found, for people. Never contains the document's own text.
    """

    reason: ReasonSet
    check: CheckSet
    tier: int
    detail: str

    @classmethod
    def of(cls, reason: ReasonSet, detail: str) -> Self:
        """Make the finding of `reason`; check and tier follow from it."""
        return cls(reason, reason.check, reason.check.tier, detail)


class Verdict(NamedTuple):
    """The verdict on one sequence of bytes.

    Attributes:
        media_type: The type that the bytes have, or None when it is none of the allowed ones.
        findings: Every failed check, enforced or observed, in the order of the tiers.
        rejected: The first finding of an enforced check; None when the document is intact.
        etag: Strong entity tag, quotes included (RFC 9110 section 8.8.3): the unseeded XXH3-128 of
            the bytes in hex, which is the same in every process.
    """

    media_type: str | None
    findings: tuple[Finding, ...]
    rejected: Finding | None
    etag: bytes

    @property
    def intact(self) -> bool:
        """Whether the document may be delivered."""
        return self.rejected is None


def first_enforced(findings: Iterable[Finding], modes: Mapping[CheckSet, Mode]) -> Finding | None:
    """Return the first finding whose check is enforced by `modes`."""
    return next((f for f in findings if modes[f.check] is Mode.ENFORCE), None)
