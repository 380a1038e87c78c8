"""One attempt: an exchange with the upstream, then proof that what came is an intact document."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final

from docwarden.core.document import Document, Lease, Memory
from docwarden.core.errors import Cause, Failure
from docwarden.core.fetch import Wanted
from docwarden.integrity.checks import MediaType
from docwarden.integrity.reasons import Reason
from docwarden.integrity.verdict import Finding, Verdict
from docwarden.integrity.verifier import Verifier
from docwarden.net.waiting import in_task
from docwarden.net.write_batch import Bytes
from docwarden.telemetry.catalog import INTACT
from docwarden.telemetry.metrics import Metrics
from docwarden.upstream.connection import STALE
from docwarden.upstream.pool import Pool

_UNKNOWN: Final = "unknown"
# Of attempts that end without an answer: their client left, or another attempt was faster.
_ABANDONED: Final = Cause.CLIENT_CLOSED.value
# RFC 9110 sections 15.5.9 and 15.6, RFC 6585 section 4: the same request may succeed later.
_AGAIN: Final = frozenset((408, 425, 429))
# A document of a supported type once, though its type can no longer be told.
_DAMAGED: Final = frozenset((Reason.SIGNATURE_DAMAGED, Reason.ZEROS_INSTEAD))
_EXTENSIONS: Final = {each: each.extension.encode("ascii") for each in MediaType}
_TIER_0: Final = frozenset(
    ("body-truncated", "bytes-after-body", "content-coded", "empty-body", "body-too-large")
)


class Attempts:
    """Makes attempts, and counts each under its result."""

    def __init__(  # noqa: PLR0913 - the parts that an attempt joins
        self,
        *,
        pool: Pool,
        verifier: Verifier,
        memory: Memory,
        metrics: Metrics,
        clock: Callable[[], float],
        forward_deadline: bool,
    ) -> None:
        self._pool = pool
        self._verifier = verifier
        self._memory = memory
        self._metrics = metrics
        self._clock = clock
        self._forward_deadline = forward_deadline

    async def make(  # noqa: C901, PLR0912, PLR0915 - what an attempt is, from end to end
        self, wanted: Wanted, started: float, timeout: float
    ) -> Document:
        """Fetch and verify the document within `timeout` seconds of `started`.

        The caller releases the lease of the document that it is given.

        Raises:
            Failure: with the cause; memory is given back.
        """
        lease = Lease(self._memory)
        span = None if wanted.trace is None else wanted.trace.attempt(wanted.document_id)
        received = 0.0
        verifying = recalled = False
        result = _ABANDONED
        try:
            fields = wanted.forward if span is None else wanted.forward + span.header
            request = self._pool.origin.request(
                wanted.document_id, fields, timeout if self._forward_deadline else None
            )
            status, body = await self._pool.exchange(request, lease, started, timeout)
            if status == STALE:
                status, body = await self._pool.replace(request, lease, started, timeout)
            received = self._clock()
            if span is not None:
                span.status = status
            if status != 200 or not body:
                raise _unusable(status)
            verifying = True
            key, verdict = self._verifier.recall(body)
            if verdict is None:
                found = self._verifier.begin(key, body)
                verdict = (
                    found if isinstance(found, Verdict) else await _in_time(found, wanted, received)
                )
            else:
                recalled = True
            document = self._judge(verdict, body, lease)
        except Failure as failure:
            if span is not None:
                span.failure = failure
            # Its frames hold the refused body, and the cycle through them would keep it.
            failure.__traceback__ = None
            result = failure.cause._value_
            self._count_refusal(failure)
            raise
        else:
            result = INTACT
            return document
        finally:
            if result is not INTACT:
                lease.release()
            if result is _ABANDONED:
                self._pool.give_up()
            ended = self._clock()
            if verifying:
                self._metrics.verdicts_recalled += recalled
                wanted.verify_seconds += ended - received
            else:
                received = ended
            wanted.upstream_seconds += received - started
            wanted.attempts.append((result, ended - started))
            self._metrics.attempts[result].observe(ended - started, wanted.exemplar)
            if span is not None:
                intact = result == INTACT
                recall = recalled if verifying else None
                span.end(started, received, ended, recalled=recall, intact=intact)

    def _judge(self, verdict: Verdict, body: Bytes, lease: Lease) -> Document:
        media_type, findings, rejected, etag = verdict
        if findings:
            self._count_observations(findings, rejected, media_type or _UNKNOWN)
        if rejected is None and media_type is not None:
            return Document(body, media_type, _EXTENSIONS[media_type], etag, lease)
        damaged = rejected is not None and rejected.reason in _DAMAGED
        cause = Cause.CORRUPT if media_type or damaged else Cause.UNSUPPORTED
        reason = rejected.reason if rejected is not None else None
        tier = rejected.tier if rejected is not None else 1
        self._metrics.finding(media_type or _UNKNOWN, reason or cause.value, tier, refused=True)
        raise Failure(cause, reason, media_type=media_type)

    def _count_observations(
        self, findings: tuple[Finding, ...], rejected: Finding | None, media_type: str
    ) -> None:
        for finding in findings:
            if finding is not rejected:
                self._metrics.finding(media_type, finding.reason, finding.tier, refused=False)

    def _count_refusal(self, failure: Failure) -> None:
        """Count what tier 0 refused; higher tiers are counted where they judge."""
        if failure.media_type is None and failure.reason in _TIER_0:
            self._metrics.finding(_UNKNOWN, failure.reason, 0, refused=True)


def _unusable(status: int) -> Failure:
    """Return why an answer brings no document: for its status, or because it is empty."""
    if status == 200:
        return Failure(Cause.CORRUPT, "empty-body")
    if status in (404, 410):
        return Failure(Cause.NOT_FOUND)
    again = status >= 500 or status in _AGAIN
    return Failure(Cause.STATUS if again else Cause.STATUS_FINAL, f"upstream-status-{status:03d}")


async def _in_time(verifying: Coroutine[Any, Any, Verdict], wanted: Wanted, now: float) -> Verdict:
    try:
        await in_task()
    except BaseException:
        verifying.close()
        raise
    try:
        async with asyncio.timeout(wanted.deadline.remaining(now)):
            return await verifying
    except TimeoutError as error:
        raise Failure(Cause.DEADLINE, "verification-timeout") from error
