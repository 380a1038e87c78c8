"""The composition root: every part is built and connected here, and knows only what it is given.

`observability` builds what operators see on top of them.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable
from typing import Final

from docwarden import __version__
from docwarden.core.document import Memory, add_holder, release
from docwarden.core.single_flight import SingleFlight
from docwarden.fetching.attempt import Attempts
from docwarden.fetching.pipeline import Fetching
from docwarden.fetching.resilience.breaker import Breaker
from docwarden.fetching.resilience.gradient_limit import GradientLimit
from docwarden.fetching.resilience.hedging import Hedge
from docwarden.fetching.resilience.limiter import AdaptiveLimiter
from docwarden.fetching.resilience.retry import RetryPolicy
from docwarden.fetching.resilience.retry_budget import RetryBudget
from docwarden.fetching.stale_copies import Copies
from docwarden.fetching.store import open_store
from docwarden.fetching.transitions import Transitions
from docwarden.gateway.public_site import PublicSite
from docwarden.gateway.recent_failures import RecentFailures
from docwarden.gateway.recent_successes import RecentSuccesses
from docwarden.gateway.request_log import RequestLog
from docwarden.integrity.deep.cores import usable_cores
from docwarden.integrity.deep.supervisor import DeepChecker
from docwarden.integrity.verifier import Verifier
from docwarden.settings.settings import Settings
from docwarden.telemetry.health import Health, LoopWatch
from docwarden.telemetry.logs import Log
from docwarden.telemetry.metrics import Metrics
from docwarden.tracing import open_tracing
from docwarden.upstream.origin import Origin
from docwarden.upstream.pool import Pool

# Tiers from here on run in the deep checker's process.
_DEEP_TIER: Final = 3


class Parts:
    """The parts of one gateway process, for the running event loop.

    Raises:
        RedisMissingError: Redis is configured and its client is not installed.
        TracingError: tracing is configured, but not possible.
    """

    def __init__(self, settings: Settings, log: Log) -> None:
        clock = self.clock = time.monotonic
        # Jitter, sampling and request ids: nothing secret.
        self.random = random.Random()  # noqa: S311
        self.log = log
        self.transitions = Transitions(log, clock)
        self.metrics = Metrics(version=__version__, revision=settings.revision)
        self.memory = Memory(settings.max_buffered_bytes)
        self.health = Health(clock=clock, longest_request=settings.request_timeout)
        self.watch = LoopWatch(asyncio.get_running_loop())
        self.deep = self._build_deep(settings)
        self.verifier = Verifier(policy=settings.policy(), deep=self.deep)
        self.pool = Pool(
            Origin.parse(settings.upstream_url, agent=f"docwarden/{__version__}"),
            max_connections=settings.upstream_connections,
            max_body=settings.max_document_bytes,
            connect_timeout=settings.connect_timeout,
            max_age=settings.upstream_max_connection_age,
            random=self.random.random,
            digest=self.verifier.digest,
        )
        self._build_policies(settings)
        self.copies = self._build_copies(settings)
        self.fetching = self._build_fetching(settings, clock)
        self.failures = RecentFailures()
        self.successes = RecentSuccesses()
        self.tracing = open_tracing(
            os.environ, upstream_url=settings.upstream_url, log=log, random=self.random
        )
        self.public = PublicSite(
            fetching=self.fetching,
            health=self.health,
            metrics=self.metrics,
            request_log=RequestLog(
                log,
                success_share=settings.log_success_share,
                recent=self.failures,
                random=self.random,
                headers=settings.log_request_headers,
            ),
            successes=self.successes,
            log=log,
            request_timeout=settings.request_timeout,
            clock=clock,
            random=self.random,
            tracing=self.tracing,
            proxies=settings.proxies(),
        )

    def _build_deep(self, settings: Settings) -> DeepChecker | None:
        if settings.integrity_tier < _DEEP_TIER:
            return None
        share = max(1, usable_cores() // settings.workers)
        return DeepChecker(
            workers=settings.deep_workers or share, on_replace=self.transitions.deep_checker
        )

    def _build_policies(self, settings: Settings) -> None:
        ceiling = settings.max_concurrency
        self.limiter = AdaptiveLimiter(
            GradientLimit(start=min(20, ceiling), minimum=min(4, ceiling), maximum=ceiling),
            longest_wait=settings.queue_timeout,
            on_floor=self.transitions.limiter,
        )
        self.breaker = Breaker(
            random=self.random.random,
            opening=settings.breaker_open,
            on_change=self.transitions.breaker,
        )

        def in_flight() -> int:
            return self.limiter.in_flight

        self.transport_budget = RetryBudget(in_flight)
        self.corruption_budget = RetryBudget.for_corruption(in_flight)
        self.hedge_budget = RetryBudget(in_flight, ratio=0.1, floor=1)
        self.single_flight = (
            SingleFlight(share=add_holder, discard=release) if settings.single_flight else None
        )

    def _build_copies(self, settings: Settings) -> Copies | None:
        self.store = open_store(
            settings.store_url,
            ttl=settings.stale_if_error,
            max_bytes=settings.store_max_bytes,
            clock=time.monotonic,
            wall_clock=time.time,
            random=self.random.random,
            on_change=self.transitions.store,
        )
        if self.store is None:
            return None
        return Copies(
            self.store,
            max_age=settings.stale_if_error,
            memory=self.memory,
            metrics=self.metrics,
            wall_clock=time.time,
        )

    def _build_fetching(self, settings: Settings, clock: Callable[[], float]) -> Fetching:
        attempts = Attempts(
            pool=self.pool,
            verifier=self.verifier,
            limiter=self.limiter,
            memory=self.memory,
            metrics=self.metrics,
            clock=clock,
            forward_deadline=settings.forward_deadline,
        )
        return Fetching(
            attempt=attempts.make,
            limiter=self.limiter,
            breaker=self.breaker,
            retries=RetryPolicy(
                transport_attempts=settings.transport_attempts,
                corruption_attempts=settings.corrupt_attempts,
            ),
            transport_budget=self.transport_budget,
            corruption_budget=self.corruption_budget,
            hedge=Hedge(self.hedge_budget) if settings.hedging else None,
            hedge_budget=self.hedge_budget,
            single_flight=self.single_flight,
            copies=self.copies,
            metrics=self.metrics,
            attempt_timeout=min(settings.attempt_timeout, settings.request_timeout),
            clock=clock,
            random=self.random.random,
        )
