"""The public pages: documents by id, health, the description of the interface, an index."""

import asyncio
import math
import re
import traceback
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING, Any, Final

import orjson

from docwarden.core import conditional, responses
from docwarden.core.client_address import TrustedProxies
from docwarden.core.deadline import Deadline
from docwarden.core.document import Document, release
from docwarden.core.errors import Cause, Failure, Outcome
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.core.request import Request
from docwarden.core.responses import Response
from docwarden.fetching.pipeline import Fetching
from docwarden.gateway.openapi import DESCRIPTION, INDEX
from docwarden.gateway.recent_successes import RecentSuccesses
from docwarden.gateway.request_log import RequestLog
from docwarden.telemetry.health import Health, Phase
from docwarden.telemetry.logs import Log
from docwarden.telemetry.metrics import Metrics

if TYPE_CHECKING:
    from docwarden.tracing.tracer import Tracing

# Decimal digits without leading zeros, 1 to 19 of them: what fits a signed 64-bit integer.
DOCUMENT_PATH: Final = re.compile(r"/(0|[1-9][0-9]{0,18})")
_READ_METHODS: Final = ("GET", "HEAD")
# SHA-2 of a larger body would hold up the event loop for milliseconds.
_DIGEST_IN_PLACE: Final = 256 * 1024
# Body and media type by path; that of /healthz is built for each request.
_PAGES: Final = {
    "/": (INDEX, b"text/html; charset=utf-8"),
    "/healthz": (b"", b""),
    "/openapi.json": (DESCRIPTION, b"application/json"),
}
# Polled every few seconds by each load balancer: its spans would bury all others.
_UNTRACED: Final = frozenset(("/healthz",))
# Members that each request needs: looking one up runs Enum's `__getattr__` up to Python 3.11.
_CLOSING: Final = Phase.CLOSING
_DELIVERED: Final = Outcome.DELIVERED
_STALE: Final = Outcome.DELIVERED_STALE
_CLIENT_GONE: Final = Failure(Cause.CLIENT_CLOSED)


class PublicSite:
    """Answers clients; implements `core.request.Handler`."""

    def __init__(  # noqa: PLR0913 - the parts that it joins
        self,
        *,
        fetching: Fetching,
        health: Health,
        metrics: Metrics,
        request_log: RequestLog,
        successes: RecentSuccesses,
        log: Log,
        request_timeout: float,
        clock: Callable[[], float],
        random: Random,
        tracing: "Tracing | None" = None,
        proxies: TrustedProxies | None = None,
    ) -> None:
        self._fetching = fetching
        self._health = health
        self._metrics = metrics
        self._request_log = request_log
        self._successes = successes
        self._log = log
        self._request_timeout = request_timeout
        self._clock = clock
        self._random = random
        self._tracing = tracing
        self._proxies = proxies

    async def handle(self, request: Request) -> Response:
        """Answer one request."""
        self._health.in_flight[request] = request.started
        try:
            if self._tracing is not None and request.path not in _UNTRACED:
                self._tracing.begin(request)
            document_id = self._document_id(request)
            if document_id is None:
                response = self._page(request.path)
            else:
                fetch, fetched = self._begin_fetch(request, document_id)
                document = await self._fetching.fetch(fetch, fetched)
                response = self._delivery(request, fetched, document)
                if b"want-repr-digest" in request.headers:
                    await self._add_digest(request, document, response)
        except Failure as failure:
            # Its frames may refer to a document and to the request, which refers to it.
            failure.__traceback__ = None
            response = self.refuse(request, failure)
        except Exception as error:  # noqa: BLE001 - the boundary: goes to client, log and metrics
            self._report_defect(request, error)
            response = self.refuse(request, Failure(Cause.INTERNAL))
        finally:
            del self._health.in_flight[request]
        return response if request.method != "HEAD" else responses.without_body(response)

    def refuse(self, request: Request, failure: Failure) -> Response:
        """Return the problem for `failure`, and record it in the request."""
        rule = failure.rule
        request.result.failure = failure
        request.result.outcome = rule.outcome
        retry_after = None
        if rule.retry_after:
            min_delay = max(1, math.ceil(failure.retry_after or 0))
            # Up to half as long again, so that clients do not all come back at once.
            retry_after = min_delay + self._random.randrange(max(2, min_delay // 2) + 1)
        extra = b""
        if failure.cause is Cause.METHOD:
            extra = b"Allow: GET, HEAD\r\n"
        elif failure.size is not None:
            extra = b"Content-Range: bytes */%d\r\n" % failure.size
        return responses.problem(
            failure,
            instance=request.instance,
            request_id=request.request_id,
            attempts=request.result.attempts,
            retry_after=retry_after,
            extra=extra,
            as_html=conditional.prefers_html(request.headers.get(b"accept", b"")),
        )

    def on_finished(self, request: Request, response: Response | None, sent: int) -> None:
        """Count and log the request."""
        if self._proxies is not None:
            request.client = self._proxies.client_of(request)
        result = request.result
        status = _CLIENT_GONE.rule.status if response is None else response.status
        if response is None or sent < 0:
            result.failure = _CLIENT_GONE
            result.outcome = _CLIENT_GONE.rule.outcome if result.fetch else None
        seconds = self._clock() - request.started
        metrics = self._metrics
        metrics.requests[result.route, request.method_label, status].observe(
            seconds, request.exemplar
        )
        if result.outcome is not None:
            metrics.documents[result.outcome] += 1
        self._request_log.on_finished(request, status, sent, seconds)
        if self._successes.watched:
            self._successes.note(request, status=status, seconds=seconds)
        if request.trace is not None:
            request.trace.end(request, 0 if response is None else status, seconds)

    def _document_id(self, request: Request) -> str | None:
        """Return the id of the document requested, None for a page, and record the route.

        Raises:
            Failure: there is nothing at that path, or not for that method.
        """
        path = request.path
        match = DOCUMENT_PATH.fullmatch(path)
        if match is None and path not in _PAGES:
            raise Failure(Cause.INVALID_ID)
        request.result.route = "/{id}" if match else path
        if request.method not in _READ_METHODS:
            raise Failure(Cause.METHOD)
        return match[1] if match else None

    def _page(self, path: str) -> Response:
        if path == "/healthz":
            return self._healthz()
        body, media_type = _PAGES[path]
        return responses.page(body, media_type)

    def _healthz(self) -> Response:
        phase = self._health.phase
        well = phase is Phase.READY and self._health.alive
        body = orjson.dumps({"status": "ok" if well else phase})
        return responses.page(body, b"application/json", status=200 if well else 503)

    def _begin_fetch(self, request: Request, document_id: str) -> tuple[Fetch, FetchResult]:
        if self._health.phase is _CLOSING:
            raise Failure(Cause.DRAINING)
        deadline = Deadline(request.started + self._request_timeout)
        # By position: names would cost each fetch a dictionary.
        fetch = Fetch(document_id, deadline, request.forward, request.exemplar, request.trace)
        fetched = FetchResult()
        request.result.fetch = fetch
        request.result.fetched = fetched
        return fetch, fetched

    def _delivery(self, request: Request, fetched: FetchResult, document: Document) -> Response:
        """Return the answer that delivers `document` or a range of it, or says 304.

        The answer takes over the document's lease; on failure it is released.
        """
        result = request.result
        result.media_type = document.media_type
        result.outcome = _DELIVERED if document.age is None else _STALE
        headers = request.headers
        try:
            if b"if-match" in headers:
                _require_match(headers[b"if-match"], document)
            if b"if-none-match" in headers and conditional.matches(
                headers[b"if-none-match"], document.etag
            ):
                if document.age is None:
                    result.outcome = Outcome.NOT_MODIFIED
                return responses.not_modified(document, fetched, request.id_line)
            span = _span(request, document) if b"range" in headers else None
            fetch: Any = result.fetch  # is set: cast() would be one more call for each answer
            return responses.document(document, fetch.document_id, fetched, request.id_line, span)
        except BaseException:
            release(document)
            raise

    async def _add_digest(self, request: Request, document: Document, response: Response) -> None:
        """Add the digest that the client asks for, if it is supported."""
        try:
            algorithm = conditional.requested_digest(request.headers[b"want-repr-digest"])
            if algorithm is None or response.status == 304:
                return
            response.fields += await _digest_line(document, algorithm)
        except BaseException:
            # Cancelled, for instance: the answer, which owns the lease, is never sent.
            responses.drop(response)
            raise

    def _report_defect(self, request: Request, error: Exception) -> None:
        self._log.event(
            "error",
            "defect",
            f"a request could not be answered: {type(error).__name__}",
            request_id=request.request_id,
            **{
                "exception.type": type(error).__name__,
                "exception.stacktrace": "".join(traceback.format_exception(error)),
            },
        )


def _require_match(value: bytes, document: Document) -> None:
    """Raise a `Failure` unless an If-Match value names the document."""
    if not conditional.if_match_allows(value, document.etag):
        raise Failure(Cause.PRECONDITION)


def _span(request: Request, document: Document) -> conditional.Span | None:
    """Return the range that the client asks for, None for the whole document.

    Raises:
        Failure: it lies outside the document.
    """
    value = request.headers[b"range"]
    if request.method != "GET":
        return None
    if not conditional.range_applies(request.headers.get(b"if-range"), document.etag):
        return None
    span = conditional.parse_range(value, len(document.body))
    if isinstance(span, conditional.Unsatisfiable):
        raise Failure(Cause.RANGE, size=span.size)
    return span


async def _digest_line(document: Document, algorithm: str) -> bytes:
    if len(document.body) <= _DIGEST_IN_PLACE:
        return responses.repr_digest(document, algorithm)
    return await asyncio.to_thread(responses.repr_digest, document, algorithm)
