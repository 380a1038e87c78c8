"""Tiers 1 and 2 of one document: pure functions of its bytes.

Nothing here raises or loops on any bytes: every walk ends at the end of the data or at a bound of
its own, which stands in the format's module.
"""

from docwarden.integrity.broken import BrokenError
from docwarden.integrity.checks import Mode
from docwarden.integrity.policy import Policy
from docwarden.integrity.reasons import Reason
from docwarden.integrity.record import Format
from docwarden.integrity.sniff import explain_unknown, sniff
from docwarden.integrity.verdict import Data, Finding


def inspect_bytes(data: Data, policy: Policy) -> tuple[str | None, tuple[Finding, ...]]:
    """Look at `data` with tiers 1 and 2.

    Returns:
        The media type that the bytes have, None for none of the allowed ones, and the failed
        checks. What follows an enforced failure is not looked at.
    """
    kind = sniff(data)
    if kind is None:
        return None, (explain_unknown(data),)
    findings = _tier_one(data, kind)
    if policy.tier > 1 and not (findings and _stops(findings, policy)):
        findings += _tier_two(data, kind)
    return kind.media_type, findings


def _tier_one(data: Data, kind: Format) -> tuple[Finding, ...]:
    findings: tuple[Finding, ...] = ()
    if kind.leading and (start := kind.starts_at(data)) > 0:
        findings += (Finding.of(Reason.LEADING_BYTES, f"{start} bytes before the header"),)
    mark = kind.end_mark
    # Nearly always the mark is at the very end, and the search from there is short.
    if mark is not None and data.rfind(mark) < 0:
        findings += (Finding.of(Reason.END_MISSING, "the closing mark is nowhere in the bytes"),)
    return findings


def _tier_two(data: Data, kind: Format) -> tuple[Finding, ...]:
    try:
        end, findings = kind.walk(data)
    except BrokenError as broken:
        return (broken.finding,)
    if end >= len(data):
        return findings
    after = Finding.of(Reason.TRAILING_BYTES, f"{len(data) - end} bytes after the end at {end}")
    return (*findings, after)


def _stops(findings: tuple[Finding, ...], policy: Policy) -> bool:
    return any(policy.modes[finding.check] is Mode.ENFORCE for finding in findings)
