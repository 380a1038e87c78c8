"""Observes the attempts of the gateway's own code."""

import random
import time
from collections.abc import Callable, Coroutine
from typing import Any, Final

from docwarden import __version__
from docwarden.core.document import Document, Lease, Memory
from docwarden.core.errors import Failure
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.explaining.explanation import Attempted, Explanation
from docwarden.fetching.attempt import Attempts
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.integrity.checks import Mode
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.registry import REASONS
from docwarden.integrity.specimens import specimens
from docwarden.integrity.verdict import Data, Finding, Verdict
from docwarden.integrity.verifier import Verifier
from docwarden.settings.settings import Settings
from docwarden.telemetry.metrics import Metrics
from docwarden.upstream.connection import Received
from docwarden.upstream.origin import Origin
from docwarden.upstream.pool import Pool

_REASONS: Final = {str(reason): reason for reason in REASONS}


class _WatchedPool(Pool):
    """Remembers the last exchange's answer."""

    answer: Received | None = None

    async def exchange(
        self,
        request: bytes,
        lease: Lease,
        started: float,
        timeout: float,
        fresh: bool = False,  # noqa: FBT001, FBT002 - as the pool has it
    ) -> Received:
        self.answer = await super().exchange(request, lease, started, timeout, fresh)
        return self.answer


class _WatchedVerifier(Verifier):
    """Remembers the last verdict."""

    __slots__ = ("recalled", "verdict")

    verdict: Verdict | None
    recalled: bool

    def recall(self, key: int) -> Verdict | None:
        self.verdict = super().recall(key)
        self.recalled = self.verdict is not None
        return self.verdict

    def begin(
        self, key: int, data: Data, deadline: float = float("inf")
    ) -> Verdict | Coroutine[Any, Any, Verdict]:
        found = super().begin(key, data, deadline)
        if isinstance(found, Verdict):
            self.verdict = found
            return found
        return self._watch(found)

    async def _watch(self, finding: Coroutine[Any, Any, Verdict]) -> Verdict:
        self.verdict = await finding
        return self.verdict


class Observer:
    """Makes attempts as the gateway does, and reports each."""

    def __init__(
        self,
        settings: Settings,
        deep: DeepChecker | None,
        explanation: Explanation,
        on_attempt: Callable[[Attempted], None],
        *,
        memory: Memory,
    ) -> None:
        self._policy: Policy = settings.policy()
        self._explanation = explanation
        self._on_attempt = on_attempt
        self._verifier = _WatchedVerifier(policy=self._policy, deep=deep)
        self.pool = _WatchedPool(
            Origin.parse(settings.upstream_url, agent=f"docwarden/{__version__}"),
            max_connections=settings.upstream_connections,
            max_body=settings.max_document_bytes,
            connect_timeout=settings.connect_timeout,
            max_age=settings.upstream_max_connection_age,
            random=random.random,
            digest=self._verifier.digest,
        )
        self.limiter = AdaptiveLimiter(longest_wait=settings.queue_timeout)
        self.metrics = Metrics(version=__version__, revision=settings.revision)
        self._attempts = Attempts(
            pool=self.pool,
            verifier=self._verifier,
            limiter=self.limiter,
            memory=memory,
            metrics=self.metrics,
            clock=time.monotonic,
            forward_deadline=settings.forward_deadline,
        )

    async def warm_up(self) -> None:
        """Load the checks in advance, as a gateway does."""
        for _, document in specimens():
            await self._verifier.verify(document)

    async def make(
        self,
        fetch: Fetch,
        fetched: FetchResult,
        started: float,
        timeout: float,
        fresh: bool = False,  # noqa: FBT001, FBT002 - the signature of an attempt
    ) -> Document:
        """Make one attempt, as `Attempts.make` does."""
        self.pool.answer = self._verifier.verdict = None
        self._verifier.recalled = False
        before = fetched.upstream_seconds, fetched.verify_seconds
        try:
            document = await self._attempts.make(fetch, fetched, started, timeout, fresh)
        except Failure as failure:
            self._note(failure, fetched, before)
            raise
        self._note(None, fetched, before)
        return document

    def _note(
        self, failure: Failure | None, fetched: FetchResult, before: tuple[float, float]
    ) -> None:
        status, body, _ = self.pool.answer or (None, None, None)
        verdict = self._verifier.verdict
        if body:
            self._explanation.body = body
        attempted = Attempted(
            number=len(self._explanation.attempts) + 1,
            status=status,
            size=None if body is None else len(body),
            media_type=None if verdict is None else verdict.media_type,
            findings=self._findings(verdict, failure),
            failure=failure,
            recalled=self._verifier.recalled,
            upstream_seconds=fetched.upstream_seconds - before[0],
            verify_seconds=fetched.verify_seconds - before[1],
        )
        self._explanation.attempts.append(attempted)
        self._on_attempt(attempted)

    def _findings(
        self, verdict: Verdict | None, failure: Failure | None
    ) -> tuple[tuple[Finding, Mode], ...]:
        if verdict is not None:
            return tuple((each, self._policy.modes[each.check]) for each in verdict.findings)
        # Tier 0 refuses while the answer is read, without a verdict.
        reason = None if failure is None else _REASONS.get(failure.reason)
        if reason is None:
            return ()
        return ((Finding.of(reason, reason.meaning), self._policy.modes[reason.check]),)
