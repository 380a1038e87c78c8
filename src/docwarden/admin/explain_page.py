"""`POST /explain/ID`: explains one document as JSON, without sending it.

It causes requests to the upstream, so pages of other sites must not be able to trigger it in a
browser: it takes a POST, which browsers send with the `Origin` of the page (Fetch standard, section
3.2).
"""

import time
from typing import Final

import orjson

from docwarden.admin import pages
from docwarden.core import responses
from docwarden.core.errors import Cause, Failure
from docwarden.core.reasons import FailureReason
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.explaining.explanation import Explanation
from docwarden.explaining.fetch import Running, explain
from docwarden.explaining.report import report
from docwarden.explaining.token_bucket import TokenBucket
from docwarden.gateway.public_site import DOCUMENT_PATH
from docwarden.integrity.deep.process import WorkerFailedError
from docwarden.settings.settings import Settings
from docwarden.telemetry.logs import Log

PATH: Final = "/explain/"
EVENT: Final = "document.explained"
BURST: Final = 5
SECONDS: Final = 5.0
"""So many requests at once, and one more every so many seconds: each costs several attempts."""
_ALLOWED_FETCH_SITES: Final = (b"same-origin", b"none")


class ExplainPage:
    """Explains documents; a part of the operator's site.

    Args:
        settings: the gateway's.
        log: gets an event for each request, including refused ones.
        running: of the gateway that has this listener; None in a supervisor.
    """

    def __init__(self, settings: Settings, log: Log, running: Running | None = None) -> None:
        self._settings = settings
        self._log = log
        self._running = running
        self._bucket = TokenBucket(burst=BURST, seconds=SECONDS)

    def answers(self, path: str) -> bool:
        """Whether a path belongs to this page."""
        return self._settings.explain and path.startswith(PATH)

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        document_id = request.path.removeprefix(PATH)
        try:
            self._admit(request, document_id)
            explanation = await self._explain(document_id)
        except Failure as failure:
            self._note(request, failure.reason)
            refusal = pages.refusal(request, failure, allow=b"POST")
            return responses.without_body(refusal) if request.method == "HEAD" else refusal
        self._note(request, _outcome(explanation), attempts=len(explanation.attempts))
        return responses.page(orjson.dumps(report(explanation)), pages.JSON)

    def _admit(self, request: Request, document_id: str) -> None:
        """Admit a request.

        Raises:
            Failure: it is invalid, comes from another site, or exceeds the rate limit.
        """
        if request.method != "POST":
            raise Failure(Cause.METHOD)
        if not _is_same_origin(request):
            raise Failure(Cause.CROSS_SITE)
        if DOCUMENT_PATH.fullmatch(f"/{document_id}") is None:
            raise Failure(Cause.INVALID_ID)
        wait = self._bucket.take(time.monotonic())
        if wait:
            raise FailureReason.TOO_MANY_EXPLANATIONS.failure(retry_after=wait)

    async def _explain(self, document_id: str) -> Explanation:
        try:
            return await explain(self._settings, document_id, running=self._running)
        except WorkerFailedError as error:
            words = "a document could not be explained: the deep checks did not start"
            self._log.event("error", "defect", words, **{"exception.type": type(error).__name__})
            raise Failure(Cause.INTERNAL) from error

    def _note(self, request: Request, outcome: str, *, attempts: int = 0) -> None:
        fields = {
            "request_id": request.request_id,
            "document_id": _document_id(request),
            "client.address": request.client,
            "outcome": outcome,
            "attempts": attempts,
            "duration_s": round(time.monotonic() - request.started, 3),
        }
        asked = fields["document_id"] or "something that is not a document"
        self._log.event("info", EVENT, f"an operator asked about {asked}: {outcome}", **fields)


def _document_id(request: Request) -> str:
    """Return the id in the path, empty if it is not valid."""
    asked = request.path.removeprefix(PATH)
    return asked if DOCUMENT_PATH.fullmatch(f"/{asked}") else ""


def _outcome(explanation: Explanation) -> str:
    """Return what a client would get: `delivered`, or the reason why not."""
    return "delivered" if explanation.failure is None else explanation.failure.reason


def _is_same_origin(request: Request) -> bool:
    """Whether a request comes from a page of this listener, or from no page at all."""
    headers = request.headers
    if headers.get(b"sec-fetch-site", b"none") not in _ALLOWED_FETCH_SITES:
        return False
    origin = headers.get(b"origin")
    return origin is None or origin.partition(b"://")[2] == headers.get(b"host")
