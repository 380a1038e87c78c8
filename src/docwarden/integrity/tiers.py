"""Tiers 1 and 2 of one document: pure functions of its bytes.

Nothing here raises or loops on any bytes: every walk ends at the end of the data or at a bound of
its own, which the format's module declares.
"""

from typing import Final

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import Mode
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Format
from docwarden.integrity.sniff import explain_unknown, sniff
from docwarden.integrity.verdict import Data, Finding

_DEEP_TIER: Final = 3


def inspect_bytes(data: Data, policy: Policy) -> tuple[str | None, tuple[Finding, ...]]:
    """Check `data` with tiers 1 and 2.

    Returns:
        The media type that the bytes have, None for none of the allowed ones, and the failed
        checks. Nothing is checked after an enforced failure.
    """
    kind, start = sniff(data)
    if kind is None:
        return None, (explain_unknown(data),)
    findings: tuple[Finding, ...] = ()
    if start:
        findings = (Finding.of(Reason.LEADING_BYTES, f"{start} bytes before the header"),)
        if _stops(findings, policy):
            return kind.media_type, findings
    if policy.tier == 1:
        return kind.media_type, findings + _tail(data, kind)
    return kind.media_type, findings + _tier_two(data, kind, policy)


def _tail(data: Data, kind: Format) -> tuple[Finding, ...]:
    # Nearly always the mark is at the very end, and the search from there is short.
    if kind.end_mark is None or data.rfind(kind.end_mark) >= 0:
        return ()
    return (Finding.of(Reason.END_MISSING, "the closing mark is nowhere in the bytes"),)


def _tier_two(data: Data, kind: Format, policy: Policy) -> tuple[Finding, ...]:
    """Walk the document; a walk that succeeds has checked the closing mark."""
    try:
        end, findings = kind.walk(data)
    except BrokenError as broken:
        tail = _tail(data, kind)
        return tail if tail and _stops(tail, policy) else (*tail, broken.finding)
    if findings and kind.end_needs_decoder and policy.tier < _DEEP_TIER:
        findings = tuple(map(_unproven, findings))
    if end >= len(data):
        return findings
    after = Finding.of(Reason.TRAILING_BYTES, f"{len(data) - end} bytes after the end at {end}")
    return (*findings, after)


def _unproven(finding: Finding) -> Finding:
    if finding.reason != Reason.CLOSING_MARK_MISSING:
        return finding
    return Finding.of(Reason.END_MISSING, f"{finding.detail}, and no decoder looks at the rest")


def _stops(findings: tuple[Finding, ...], policy: Policy) -> bool:
    return any(policy.modes[finding.check] is Mode.ENFORCE for finding in findings)
