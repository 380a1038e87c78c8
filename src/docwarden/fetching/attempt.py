"""One attempt: an exchange with the upstream, then proof that what came is an intact document."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from docwarden.core.document import Document, Lease, Memory
from docwarden.core.errors import Cause, Failure
from docwarden.core.fetch import AttemptSpan, Fetch, FetchResult
from docwarden.core.reasons import FailureReason, status_reason
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.integrity.deep.schedule import DeepChecksFullError
from docwarden.integrity.reasons import Reason
from docwarden.integrity.registry import FORMATS
from docwarden.integrity.verdict import Finding, Verdict
from docwarden.integrity.verifier import Verifier
from docwarden.net.write_batch import Bytes
from docwarden.telemetry.catalog import INTACT
from docwarden.telemetry.metrics import Metrics
from docwarden.upstream.pool import Pool
from docwarden.upstream.response_parser import DOCUMENT_STATUSES

_UNKNOWN: Final = "unknown"
# The result of a cancelled attempt: its client left, or another attempt won.
_ABANDONED: Final = Cause.CLIENT_CLOSED.value
# RFC 9110 sections 15.5.9 and 15.6, RFC 6585 section 4: the same request may succeed later.
_AGAIN: Final = frozenset((408, 425, 429))
# Damage that hides which supported type a document was of.
_DAMAGED: Final = frozenset((Reason.SIGNATURE_DAMAGED, Reason.ZEROS_INSTEAD))
_EXTENSIONS: Final = {each.media_type: each.extension.encode("ascii") for each in FORMATS}
_TIER_0: Final = frozenset(reason for reason in Reason if reason.check.tier == 0)


class Attempts:
    """Makes attempts, and counts each under its result."""

    def __init__(  # noqa: PLR0913 - the parts that an attempt joins
        self,
        *,
        pool: Pool,
        verifier: Verifier,
        limiter: AdaptiveLimiter,
        memory: Memory,
        metrics: Metrics,
        clock: Callable[[], float],
        forward_deadline: bool,
    ) -> None:
        self._pool = pool
        self._verifier = verifier
        self._limiter = limiter
        self._memory = memory
        self._metrics = metrics
        self._clock = clock
        self._forward_deadline = forward_deadline

    async def make(
        self,
        fetch: Fetch,
        fetched: FetchResult,
        started: float,
        timeout: float,
        fresh: bool = False,  # noqa: FBT001, FBT002 - names would cost each request a dictionary
    ) -> Document:
        """Fetch and verify the document within `timeout` seconds of `started`.

        The caller must release the document's lease.

        Raises:
            Failure: with the cause; memory is released.
        """
        lease = Lease(self._memory)
        span = None if fetch.trace is None else fetch.trace.attempt(fetch.document_id)
        result = _ABANDONED
        received = 0.0
        # Whether the verdict was remembered; None until there is a body to verify.
        recalled: bool | None = None
        try:
            fields = fetch.forward if span is None else fetch.forward + span.header
            told = timeout if self._forward_deadline else None
            request = self._pool.origin.request(fetch.document_id, fields, told)
            status, body, key = await self._pool.exchange(request, lease, started, timeout, fresh)
            received = self._clock()
            if span is not None:
                span.status = status
            if status not in DOCUMENT_STATUSES or not body:
                raise _unusable(status)
            known = self._verifier.recall(key)
            recalled = known is not None
            self._metrics.verdicts_recalled += recalled
            verdict = known or self._verifier.begin(key, body, fetch.deadline)
            if not isinstance(verdict, Verdict):
                self._leave_limit(fetched, received - started)
                verdict = await _in_time(verdict, fetch, received)
            document = self._document(verdict, body, lease)
        except Failure as failure:
            result = self._refuse(failure, span)
            raise
        except MemoryError as error:
            lack = FailureReason.OUT_OF_MEMORY.failure()
            result = self._refuse(lack, span)
            raise lack from error
        else:
            result = INTACT
            return document
        finally:
            if result is not INTACT:
                lease.release()
            ended = self._clock()
            if recalled is None:
                received = ended
            fetched.add_attempt(result, received - started, ended - received)
            self._metrics.attempts[result].observe(ended - started, fetch.exemplar)
            if span is not None:
                span.end(started, received, ended, recalled=recalled, intact=result is INTACT)

    def _leave_limit(self, fetched: FetchResult, latency: float) -> None:
        """Release the place: the upstream is done, and deep checks have a queue of their own."""
        if fetched.within_limit:
            fetched.within_limit = False
            first = not fetched.attempts
            self._limiter.release(latency if first else None)

    def _refuse(self, failure: Failure, span: AttemptSpan | None) -> str:
        """Return the result of an attempt that failed, and count what tier 0 refused.

        Later tiers count their own.
        """
        # Its frames refer to the refused body, and the cycle would keep it alive.
        failure.__traceback__ = None
        if span is not None:
            span.failure = failure
        if failure.media_type is None and failure.reason in _TIER_0:
            self._metrics.finding(_UNKNOWN, failure.reason, 0, refused=True)
        return failure.cause._value_

    def _document(self, verdict: Verdict, body: Bytes, lease: Lease) -> Document:
        """Return the document if the verdict accepts it, and count the findings.

        Raises:
            Failure: with the finding that rejects it.
        """
        media_type, findings, rejected, etag = verdict
        if findings:
            self._count_observations(findings, rejected, media_type or _UNKNOWN)
        if rejected is None and media_type is not None:
            return Document(body, media_type, _EXTENSIONS[media_type], etag, lease)
        damaged = rejected is not None and rejected.reason in _DAMAGED
        cause = Cause.CORRUPT if media_type or damaged else Cause.UNSUPPORTED
        reason = rejected.reason if rejected is not None else None
        tier = rejected.tier if rejected is not None else 1
        self._metrics.finding(media_type or _UNKNOWN, reason or cause, tier, refused=True)
        raise Failure(cause, reason, media_type=media_type)

    def _count_observations(
        self, findings: tuple[Finding, ...], rejected: Finding | None, media_type: str
    ) -> None:
        for finding in findings:
            if finding is not rejected:
                self._metrics.finding(media_type, finding.reason, finding.tier, refused=False)


def _unusable(status: int) -> Failure:
    """Return the failure for an answer without a document: by its status, or an empty body."""
    if status in DOCUMENT_STATUSES:
        return Failure(Cause.CORRUPT, Reason.EMPTY_BODY)
    if status in (404, 410):
        return Failure(Cause.NOT_FOUND)
    again = status >= 500 or status in _AGAIN
    return Failure(Cause.STATUS if again else Cause.STATUS_FINAL, status_reason(status))


async def _in_time(verifying: Coroutine[Any, Any, Verdict], fetch: Fetch, now: float) -> Verdict:
    try:
        async with asyncio.timeout(fetch.deadline.remaining(now)):
            return await verifying
    except TimeoutError as error:
        raise FailureReason.VERIFICATION_TIMEOUT.failure() from error
    except DeepChecksFullError as error:
        raise FailureReason.DEEP_CHECKS_FULL.failure() from error
