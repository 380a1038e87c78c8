"""`docwarden explain --gateway`: asks the operator listener of a running gateway."""

import http.client
import json
import urllib.error
import urllib.request
from typing import Any, Final

from docwarden.core.errors import Cause

TIMEOUT: Final = 660.0
"""Seconds: the longest deadline of a gateway, ten minutes, plus one minute."""
_LONGEST: Final = 1024 * 1024
_ANSWER: Final = {"attempts", "client"}


class ExplainError(Exception):
    """The gateway sent no report; the message says why."""


def ask(gateway: str, document_id: str) -> dict[str, Any]:
    """Return the report on a document.

    Args:
        gateway: URL of its operator listener, without a path.
        document_id: decimal digits.

    Raises:
        ExplainError: the gateway cannot be reached, or refuses.
    """
    # The scheme was validated on input. No proxy: an operator listener is nearby.
    request = urllib.request.Request(f"{gateway}/explain/{document_id}", method="POST")  # noqa: S310
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            report = json.loads(answer.read(_LONGEST))
    except urllib.error.HTTPError as error:
        with error:
            raise ExplainError(_why(gateway, error)) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        why = getattr(error, "reason", error)
        raise ExplainError(f"no answer from {gateway}: {why}") from error
    if not isinstance(report, dict) or not report.keys() >= _ANSWER:
        raise ExplainError(f"{gateway} is not the operator listener of a gateway")
    return report


def _why(gateway: str, error: urllib.error.HTTPError) -> str:
    try:
        problem = json.loads(error.read(_LONGEST))
        reason = str(problem["reason"])
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError):
        return f"{gateway} is not the operator listener of a gateway: it answers {error.code}"
    if reason in {Cause.NO_SUCH_PAGE, Cause.METHOD}:
        return f"{gateway} does not explain: DOCWARDEN_EXPLAIN is false there"
    later = error.headers.get("Retry-After")
    again = f"; ask again in {later} s" if later else ""
    return f"{gateway} refuses: {error.code} {reason}{again}"
