"""An explanation as a JSON object. Its keys are part of docwarden's contract."""

from typing import Any, Final

from docwarden.explaining.explanation import Attempted, Explanation

OK: Final = 200


def report(explanation: Explanation) -> dict[str, Any]:
    """Return an explanation as an object, without the body."""
    failure = explanation.failure
    return {
        "document_id": explanation.document_id,
        "attempts": [attempt_report(each) for each in explanation.attempts],
        "client": {
            "status": OK if failure is None else failure.rule.status,
            "media_type": explanation.media_type,
            "problem": None if failure is None else failure.rule.slug,
            "reason": None if failure is None else failure.reason,
        },
    }


def attempt_report(attempt: Attempted) -> dict[str, Any]:
    """Return one attempt as an object."""
    failure = attempt.failure
    return {
        "result": attempt.result,
        "reason": None if failure is None else failure.reason,
        "detail": None if failure is None else failure.detail,
        "status": attempt.status,
        "bytes": attempt.size,
        "media_type": attempt.media_type,
        "findings": [
            {
                "reason": str(finding.reason),
                "check": str(finding.check),
                "tier": finding.tier,
                "mode": str(mode),
                "detail": finding.detail,
            }
            for finding, mode in attempt.findings
        ],
        "recalled": attempt.recalled,
        "upstream_ms": _ms(attempt.upstream_seconds),
        "verify_ms": _ms(attempt.verify_seconds),
    }


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
