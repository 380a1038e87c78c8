"""The order of the policies around an attempt, outermost first.

deadline > single flight > last verified copy > limiter > retry > hedge > breaker > attempt

Each policy is one method that calls the next, in this file's order. The deadline is no method of
its own: it is a point in time that bounds every wait below. docs/explanation/resilience.md says
why the order is this one.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from docwarden.core.document import Document, release
from docwarden.core.errors import Cause, Detail, Failure, Retry
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.core.reasons import FailureReason
from docwarden.core.single_flight import SingleFlight
from docwarden.fetching.resilience.breaker import Breaker, Permit
from docwarden.fetching.resilience.failure_evidence import Evidence
from docwarden.fetching.resilience.hedging import Hedge, race
from docwarden.fetching.resilience.limiter import AdaptiveLimiter, Overloaded
from docwarden.fetching.resilience.retry import RetryPolicy, RetryState
from docwarden.fetching.resilience.retry_budget import RetryBudget
from docwarden.fetching.stale_copies import Copies
from docwarden.telemetry.metrics import Metrics

# Causes that arise on this side of the connection.
_LOCAL_CAUSES: Final = frozenset(
    (Cause.MEMORY, Cause.DEADLINE, Cause.OVERLOADED, Cause.STALLED, Cause.CLIENT_CLOSED)
)
# A shared call ends at its deadline, or one sweep of the pool later. Callers that wait until then
# learn why it failed, and so does the breaker.
_GRACE_SECONDS: Final = 0.1
# Definitive answers of the upstream, which another attempt would only repeat.
_ANSWERS: Final = frozenset((Cause.NOT_FOUND, Cause.TOO_LARGE, Cause.STATUS_FINAL))

# Causes for which an attempt was not made, or its document not verified.
_REFUSALS: Final = frozenset((Cause.CIRCUIT_OPEN, Cause.OVERLOADED))

Attempt = Callable[[Fetch, FetchResult, float, float, bool], Coroutine[Any, Any, Document]]
"""Takes the fetch, its result so far, the monotonic time, the timeout in seconds, and whether to
open a new connection."""


class Fetching:
    """Fetches documents under every policy."""

    def __init__(  # noqa: PLR0913 - the policies that it orders
        self,
        *,
        attempt: Attempt,
        limiter: AdaptiveLimiter,
        breaker: Breaker,
        retries: RetryPolicy,
        hedge: Hedge | None,
        hedge_budget: RetryBudget,
        single_flight: SingleFlight[Document] | None,
        copies: Copies | None,
        metrics: Metrics,
        transport_budget: RetryBudget,
        corruption_budget: RetryBudget,
        attempt_timeout: float,
        clock: Callable[[], float],
        random: Callable[[], float],
    ) -> None:
        self._attempt = attempt
        self._limiter = limiter
        self._breaker = breaker
        self._retries = retries
        self._hedge = hedge
        self._hedge_budget = hedge_budget
        self._single_flight = single_flight
        self._copies = copies
        self._metrics = metrics
        self._budgets = {
            Retry.TRANSPORT: transport_budget,
            Retry.CORRUPTION: corruption_budget,
        }
        self._attempt_timeout = attempt_timeout
        # Policies that are switched off are skipped.
        self._try_once = self._behind_breaker if hedge is None else self._hedged
        self._fetch_once = self._within_limit if copies is None else self._or_last_copy
        self._clock = clock
        self._random = random

    def fetch(self, fetch: Fetch, fetched: FetchResult) -> Coroutine[Any, Any, Document]:
        """Fetch an intact document before the deadline; the caller releases its lease.

        Args:
            fetch: what to fetch.
            fetched: collects the result.

        Raises:
            Failure: with the cause of the last attempt, or of the policy that refused one.
        """
        if self._single_flight is None:
            return self._fetch_once(fetch, fetched)
        return self._shared(fetch, fetched)

    async def _shared(self, fetch: Fetch, fetched: FetchResult) -> Document:
        flight = cast("SingleFlight[Document]", self._single_flight)

        def call() -> Coroutine[Any, Any, Document]:
            fetched.shared = False
            return self._fetch_once(fetch, fetched)

        fetched.shared = True
        longest_wait = fetch.deadline.remaining(self._clock()) + _GRACE_SECONDS
        pending = flight.run(fetch.document_id, call, longest_wait=longest_wait)
        try:
            document = await pending
        except TimeoutError as error:
            refusal = FailureReason.SINGLE_FLIGHT_TIMEOUT.failure()
            copy = await self._copies.find(fetch.document_id) if self._copies is not None else None
            if copy is None:
                raise refusal from error
            fetched.replaced = refusal
            return copy
        else:
            # Set by the request whose fetch this one may have shared.
            fetched.replaced = document.replaces
            return document

    async def _or_last_copy(self, fetch: Fetch, fetched: FetchResult) -> Document:
        """Store a verified document; on failure, return the stored copy if there is one."""
        copies = cast("Copies", self._copies)
        try:
            document = await self._within_limit(fetch, fetched)
        except Failure as failure:
            refusal = failure
        else:
            copies.keep(fetch.document_id, document)
            return document
        copy = await copies.find(fetch.document_id) if refusal.rule.stale else None
        if copy is None:
            raise refusal
        # Its traceback refers to this frame, which would keep the copy alive.
        refusal.__traceback__ = None
        fetched.replaced = copy.replaces = refusal
        return copy

    async def _within_limit(self, fetch: Fetch, fetched: FetchResult) -> Document:
        limiter = self._limiter
        if not limiter.try_acquire():
            await self._queue(fetch, fetched)
        fetched.within_limit = True
        latency = None
        try:
            # Retries begin with the first failure: nothing is set up before.
            try:
                document = await self._try_once(fetch, fetched)
            except Failure as failure:
                first = failure
            else:
                if len(fetched.attempts) == 1:
                    _, latency = fetched.attempts[0]
                return document
            return await self._with_retries(fetch, fetched, first)
        finally:
            # An attempt that went on to a deep check has released it already.
            if fetched.within_limit:
                fetched.within_limit = False
                limiter.release(latency)

    async def _queue(self, fetch: Fetch, fetched: FetchResult) -> None:
        started = self._clock()
        try:
            await self._limiter.acquire(fetch.deadline.remaining(started))
        except Overloaded as error:
            raise Failure(Cause.OVERLOADED) from error
        finally:
            fetched.queue_seconds += self._clock() - started

    async def _with_retries(self, fetch: Fetch, fetched: FetchResult, failure: Failure) -> Document:
        """Make further attempts after the first failed, as far as limits and budgets allow."""
        state = RetryState(self._retries)
        while True:
            kind = failure.rule.retry
            remaining = fetch.deadline.remaining(self._clock())
            delay = state.may_retry(kind, remaining=remaining, random=self._random)
            if delay is None or not self._budgets[kind].try_take():
                raise failure
            try:
                if delay:
                    await asyncio.sleep(delay)
                await self._again_within_limit(fetch, fetched)
                return await self._try_once(fetch, fetched)
            except Failure as next_failure:
                # A refused retry ends the request; the failure that called for it is the better
                # answer.
                if next_failure.cause in _REFUSALS:
                    raise failure from None
                failure = next_failure
            finally:
                self._budgets[kind].release()

    async def _again_within_limit(self, fetch: Fetch, fetched: FetchResult) -> None:
        """Take a place for a further attempt, if the one before has released it."""
        if fetched.within_limit:
            return
        if not self._limiter.try_acquire():
            await self._queue(fetch, fetched)
        fetched.within_limit = True

    async def _hedged(self, fetch: Fetch, fetched: FetchResult) -> Document:
        hedge = cast("Hedge", self._hedge)
        shedding = self._limiter.waiting > 0
        delay = hedge.delay(shedding=shedding)
        first = self._observed(hedge, fetch, fetched)
        if delay is None:
            return await first
        document, second_won = await race(
            first,
            lambda: self._second(fetch, fetched),
            delay,
            settles=_is_answer,
            discard=release,
        )
        if second_won:
            self._metrics.hedges["won"] += 1
        return document

    async def _observed(self, hedge: Hedge, fetch: Fetch, fetched: FetchResult) -> Document:
        """Make the first attempt, and record its latency unless it failed early."""
        started = self._clock()
        early = False
        try:
            return await self._behind_breaker(fetch, fetched)
        except Failure as failure:
            early = failure.cause is not Cause.ATTEMPT_TIMEOUT
            raise
        finally:
            if not early:
                hedge.observe(self._clock() - started)

    def _second(self, fetch: Fetch, fetched: FetchResult) -> Coroutine[Any, Any, Document] | None:
        """Start a second attempt, if the budget allows it."""
        if not self._hedge_budget.try_take():
            return None
        self._metrics.hedges["started"] += 1
        return self._second_attempt(fetch, fetched)

    async def _second_attempt(self, fetch: Fetch, fetched: FetchResult) -> Document:
        try:
            return await self._behind_breaker(fetch, fetched)
        finally:
            self._hedge_budget.release()

    async def _behind_breaker(self, fetch: Fetch, fetched: FetchResult) -> Document:
        """Make one attempt, bounded by the attempt timeout and the deadline."""
        now = self._clock()
        timeout = fetch.deadline.bound(self._attempt_timeout, now)
        if timeout <= 0:
            raise Failure(Cause.DEADLINE)
        breaker = self._breaker
        permit = breaker.try_acquire(now, fetch.document_id)
        if permit is None:
            raise Failure(
                Cause.CIRCUIT_OPEN, retry_after=breaker.retry_after(now, fetch.document_id)
            )
        try:
            # A probe takes a new connection: an old one says little about the upstream now.
            document = await self._attempt(fetch, fetched, now, timeout, permit.probe)
        except Failure as failure:
            # Cut short by the deadline, it says more about this request than about the upstream.
            if failure.cause is Cause.ATTEMPT_TIMEOUT and timeout < self._attempt_timeout / 2:
                breaker.abandoned(permit, self._clock())
                raise Failure(Cause.DEADLINE) from failure
            self._report(breaker, permit, failure, fetch.document_id, now)
            raise
        except BaseException:
            breaker.abandoned(permit, self._clock())
            raise
        breaker.succeeded(permit, self._clock())
        return document

    def _report(
        self, breaker: Breaker, permit: Permit, failure: Failure, document_id: str, began: float
    ) -> None:
        """Report a failed attempt to the breaker."""
        now = self._clock()
        if failure.cause in _LOCAL_CAUSES:
            breaker.abandoned(permit, now)
        elif not failure.rule.trips:
            breaker.succeeded(permit, now)
        else:
            breaker.failed(permit, now, evidence_of(failure, document_id, began))


def evidence_of(failure: Failure, document_id: str, began: float) -> Evidence:
    """Return what a transport failure counts against: the upstream, or this document.

    A refused connection has nothing to do with the document. Silence may, if other documents were
    delivered meanwhile. A partial answer is the document's.
    """
    cause = failure.reason if failure.detail is None else f"{failure.reason}: {failure.detail}"
    if failure.cause is Cause.CONNECT:
        return Evidence(cause, document_id)
    since = began if failure.detail is Detail.NO_ANSWER else None
    return Evidence(cause, document_id, of_document=True, silent_since=since)


def _is_answer(error: Exception) -> bool:
    return isinstance(error, Failure) and error.cause in _ANSWERS
