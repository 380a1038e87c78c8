"""One fetch through the gateway's own code, with an observer."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from docwarden.core.deadline import Deadline
from docwarden.core.document import Memory, release
from docwarden.core.errors import Failure
from docwarden.core.fetch import Fetch, FetchResult
from docwarden.explaining.explanation import Attempted, Explanation
from docwarden.explaining.observer import Observer
from docwarden.fetching.pipeline import Fetching
from docwarden.fetching.resilience.breaker import Breaker
from docwarden.fetching.resilience.retry import RetryPolicy
from docwarden.fetching.resilience.retry_budget import RetryBudget
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.settings.settings import Settings

_DEEP_TIER: Final = 3


@dataclass(frozen=True, slots=True)
class Running:
    """The parts of a running gateway that an explanation shares.

    Attributes:
        deep: The deep checker, already started; None if no tier needs one.
        memory: The allowance for documents in progress.
    """

    deep: DeepChecker | None
    memory: Memory


async def explain(
    settings: Settings,
    document_id: str,
    on_attempt: Callable[[Attempted], None] = lambda _: None,
    *,
    running: Running | None = None,
) -> Explanation:
    """Fetch a document as a gateway of these settings would, without hedging and without a store.

    Args:
        settings: The gateway's.
        document_id: Decimal digits.
        on_attempt: Called with each attempt as it ends; an exception ends the fetch.
        running: Of the gateway that asks; with None, parts are started for this fetch.

    Raises:
        WorkerFailedError: The process of the deep checks does not start.
    """
    if running is not None:
        return await _explain(settings, document_id, on_attempt, running)
    deep = DeepChecker() if settings.integrity_tier >= _DEEP_TIER else None
    try:
        if deep is not None:
            await deep.start()
        own = Running(deep, Memory(settings.max_buffered_bytes))
        return await _explain(settings, document_id, on_attempt, own, warm_up=True)
    finally:
        if deep is not None:
            await deep.close()


async def _explain(
    settings: Settings,
    document_id: str,
    on_attempt: Callable[[Attempted], None],
    running: Running,
    *,
    warm_up: bool = False,
) -> Explanation:
    explanation = Explanation(document_id)
    observer = Observer(settings, running.deep, explanation, on_attempt, memory=running.memory)
    try:
        if warm_up:
            await observer.warm_up()
        await _fetch(settings, observer, explanation)
    finally:
        await observer.pool.close()
    return explanation


async def _fetch(settings: Settings, observer: Observer, explanation: Explanation) -> None:
    def in_flight() -> int:
        return 1

    fetching = Fetching(
        attempt=observer.make,
        limiter=observer.limiter,
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
        metrics=observer.metrics,
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
