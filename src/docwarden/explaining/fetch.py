"""One fetch through the gateway's own code, with onlookers."""

import random
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final

from docwarden import __version__
from docwarden.core.deadline import Deadline
from docwarden.core.document import Document, Lease, Memory, release
from docwarden.core.errors import Failure
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.fetching.attempt import Attempts
from docwarden.fetching.pipeline import Fetching
from docwarden.fetching.resilience.breaker import Breaker
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.fetching.resilience.retry import RetryPolicy
from docwarden.fetching.resilience.retry_budget import RetryBudget
from docwarden.integrity.checks import Mode
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.policy import Policy
from docwarden.integrity.registry import REASONS
from docwarden.integrity.specimens import specimens
from docwarden.integrity.verdict import Data, Finding, Verdict
from docwarden.integrity.verifier import Verifier
from docwarden.settings.settings import Settings
from docwarden.telemetry.catalog import INTACT
from docwarden.telemetry.metrics import Metrics
from docwarden.upstream.origin import Origin
from docwarden.upstream.pool import Pool
from docwarden.upstream.response_parser import Answer

_DEEP_TIER: Final = 3
_REASONS: Final = {str(reason): reason for reason in REASONS}


@dataclass(frozen=True, slots=True)
class Attempted:
    """What one attempt brought.

    Attributes:
        number: Counted from 1.
        status: Of the upstream's answer; None where none was read to its end.
        size: Bytes of its body; None where none was read.
        media_type: What the bytes are; None where that is unknown or was not looked at.
        findings: Every failed check with its mode, the one that refuses included.
        failure: Why the attempt brought no document; None where it did.
        recalled: Whether equal bytes came before, so that their verdict was known.
        upstream_seconds: Until the answer was there.
        verify_seconds: Until the verdict was.
    """

    number: int
    status: int | None
    size: int | None
    media_type: str | None
    findings: tuple[tuple[Finding, Mode], ...]
    failure: Failure | None
    recalled: bool
    upstream_seconds: float
    verify_seconds: float

    @property
    def result(self) -> str:
        """As the metric of attempts has it."""
        return INTACT if self.failure is None else self.failure.cause.value


@dataclass(slots=True)
class Explanation:
    """What came of a document, and what a client would get.

    Attributes:
        document_id: Decimal digits.
        attempts: In their order.
        media_type: Of the document, where it would be delivered.
        failure: Why it would not.
        body: The last body that came, of a document or not.
    """

    document_id: str
    attempts: list[Attempted] = field(default_factory=list)
    media_type: str | None = None
    failure: Failure | None = None
    body: bytes | bytearray | None = None


class _WatchedPool(Pool):
    """Remembers the last exchange's answer."""

    answer: Answer | None = None

    async def exchange(
        self, request: bytes, lease: Lease, started: float, timeout: float, *, fresh: bool = False
    ) -> Answer:
        self.answer = await super().exchange(request, lease, started, timeout, fresh=fresh)
        return self.answer


class _WatchedVerifier(Verifier):
    """Remembers the last verdict."""

    __slots__ = ("recalled", "verdict")

    verdict: Verdict | None
    recalled: bool

    def recall(self, data: Data) -> tuple[int, Verdict | None]:
        key, self.verdict = super().recall(data)
        self.recalled = self.verdict is not None
        return key, self.verdict

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


class _Onlooker:
    """Makes attempts as the gateway does, and tells of each."""

    def __init__(
        self,
        settings: Settings,
        deep: DeepChecker | None,
        explanation: Explanation,
        tell: Callable[[Attempted], None],
        *,
        memory: Memory,
    ) -> None:
        self._policy: Policy = settings.policy()
        self._explanation = explanation
        self._tell = tell
        self.pool = _WatchedPool(
            Origin.parse(settings.upstream_url, agent=f"docwarden/{__version__}"),
            max_connections=settings.upstream_connections,
            max_body=settings.max_document_bytes,
            connect_timeout=settings.connect_timeout,
            max_age=settings.upstream_max_connection_age,
            random=random.random,
        )
        self._verifier = _WatchedVerifier(policy=self._policy, deep=deep)
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
        """Have the checks loaded, as those of a gateway are before its first client asks."""
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
        status, body = self.pool.answer or (None, None)
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
        self._tell(attempted)

    def _findings(
        self, verdict: Verdict | None, failure: Failure | None
    ) -> tuple[tuple[Finding, Mode], ...]:
        if verdict is not None:
            return tuple((each, self._policy.modes[each.check]) for each in verdict.findings)
        # Tier 0 refuses while the answer is read, and leaves no verdict.
        reason = None if failure is None else _REASONS.get(failure.reason)
        if reason is None:
            return ()
        return ((Finding.of(reason, reason.meaning), self._policy.modes[reason.check]),)


@dataclass(frozen=True, slots=True)
class Running:
    """What an explanation shares with a gateway that runs.

    Attributes:
        deep: The deep checker, which has started; None where no tier needs one.
        memory: The allowance for documents in progress.
    """

    deep: DeepChecker | None
    memory: Memory


async def explain(
    settings: Settings,
    document_id: str,
    tell: Callable[[Attempted], None] = lambda _: None,
    *,
    running: Running | None = None,
) -> Explanation:
    """Fetch a document as a gateway of these settings would, without hedging and without a store.

    Args:
        settings: The gateway's.
        document_id: Decimal digits.
        tell: Is told of each attempt as it ends; what it raises ends the fetch.
        running: Of the gateway that asks; None has what is needed started and ended.

    Raises:
        WorkerFailedError: The process of the deep checks does not start.
    """
    if running is not None:
        return await _explain(settings, document_id, tell, running)
    deep = DeepChecker() if settings.integrity_tier >= _DEEP_TIER else None
    try:
        if deep is not None:
            await deep.start()
        own = Running(deep, Memory(settings.max_buffered_bytes))
        return await _explain(settings, document_id, tell, own, warm_up=True)
    finally:
        if deep is not None:
            await deep.close()


async def _explain(
    settings: Settings,
    document_id: str,
    tell: Callable[[Attempted], None],
    running: Running,
    *,
    warm_up: bool = False,
) -> Explanation:
    explanation = Explanation(document_id)
    onlooker = _Onlooker(settings, running.deep, explanation, tell, memory=running.memory)
    try:
        if warm_up:
            await onlooker.warm_up()
        await _fetch(settings, onlooker, explanation)
    finally:
        await onlooker.pool.close()
    return explanation


async def _fetch(settings: Settings, onlooker: _Onlooker, explanation: Explanation) -> None:
    def in_flight() -> int:
        return 1

    fetching = Fetching(
        attempt=onlooker.make,
        limiter=onlooker.limiter,
        breaker=Breaker(random=random.random, opening=settings.breaker_open),
        retries=RetryPolicy(
            transport_attempts=settings.transport_attempts,
            corruption_attempts=settings.corrupt_attempts,
        ),
        transport_budget=RetryBudget(in_flight),
        corruption_budget=RetryBudget.for_corruption(in_flight),
        hedge=None,
        hedge_budget=RetryBudget(in_flight),
        single_flight=None,
        copies=None,
        metrics=onlooker.metrics,
        attempt_timeout=min(settings.attempt_timeout, settings.request_timeout),
        clock=time.monotonic,
        random=random.random,
    )
    deadline = Deadline(time.monotonic() + settings.request_timeout)
    try:
        document = await fetching.fetch(Fetch(explanation.document_id, deadline), FetchResult())
    except Failure as failure:
        explanation.failure = failure
    else:
        explanation.media_type = document.media_type
        release(document)
