"""What the console shows of one process at one moment, or of several merged into one."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, Protocol, Self

import orjson
from prometheus_client.registry import CollectorRegistry

from docwarden.admin.console.counts import Numbers, read
from docwarden.composition import Parts
from docwarden.fetching.resilience.breaker import State
from docwarden.fetching.store import MemoryStore
from docwarden.gateway.recent_failures import FailedRequest
from docwarden.gateway.recent_successes import KEPT as SUCCESSES
from docwarden.gateway.request_record import RequestRecord
from docwarden.telemetry.health import Phase

FAILURES: Final = 50
"""Failures that a page shows at most."""
# From good to bad: merged processes have the worst state of any.
_BREAKER: Final = (State.CLOSED, State.HALF_OPEN, State.OPEN)
_LARGEST: Final = frozenset(("stuck", "breaker_wait"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """The state of the parts, in addition to the metrics.

    Attributes:
        phase: where in its life the process is.
        stuck: seconds by which the oldest request is past its bounds, 0 when none is.
        breaker: the circuit breaker's state.
        breaker_wait: seconds until a probe may be let through.
        breaker_rejected: attempts that the breaker refused.
        limiter_refused: requests that found no place under the limit.
        corruption_budget: retries after corrupt documents that may start now.
        transport_refused, corruption_refused: retries that a budget did not allow.
        store_copies, store_bytes: content of the store in memory; None for Redis, or without one.
        store_dropped: copies that were not kept.
        store_error: type of the last failure of the store.
    """

    phase: Phase
    stuck: float
    breaker: State
    breaker_wait: float
    breaker_rejected: int
    limiter_refused: int
    corruption_budget: int
    transport_refused: int
    corruption_refused: int
    store_copies: int | None
    store_bytes: int | None
    store_dropped: int | None
    store_error: str

    @classmethod
    def of(cls, parts: Parts, now: float) -> Self:
        """Return the details at the monotonic moment `now`."""
        health, breaker, store = parts.health, parts.breaker, parts.store
        memory = store if isinstance(store, MemoryStore) else None
        return cls(
            phase=health.phase,
            stuck=health.stuck_seconds(),
            breaker=breaker.state(now),
            breaker_wait=breaker.retry_after(now),
            breaker_rejected=breaker.rejected,
            limiter_refused=parts.limiter.refused,
            corruption_budget=parts.corruption_budget.remaining,
            transport_refused=parts.transport_budget.refused,
            corruption_refused=parts.corruption_budget.refused,
            store_copies=None if memory is None else len(memory),
            store_bytes=None if memory is None else memory.size,
            store_dropped=store.dropped if store is not None else None,
            store_error=getattr(store, "last_error", ""),
        )

    @classmethod
    def merged(cls, several: Sequence[Self]) -> Self:
        """Return the details of several processes: the worst of each state, sums of each count."""
        merged: dict[str, Any] = {}
        for name in (each.name for each in dataclasses.fields(cls)):
            values = [value for each in several if (value := getattr(each, name)) is not None]
            if name == "phase":
                merged[name] = min(values, key=list(Phase).index)
            elif name == "breaker":
                merged[name] = max(values, key=_BREAKER.index)
            elif name == "store_error":
                merged[name] = next(filter(None, values), "")
            else:
                add = max if name in _LARGEST else sum
                merged[name] = add(values) if values else None
        return cls(**merged)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Everything that the console shows is derived from this.

    Attributes:
        numbers: what a scrape would show.
        delivery: deliveries by their duration (see `Counts.delivery`).
        details: the state of the parts.
        failures: the last requests that failed, newest first.
        failed: requests that failed since the start, to notice new ones.
        successes: the last successful requests, newest first, if requested.
    """

    numbers: Numbers
    delivery: Sequence[float]
    details: Details
    failures: Sequence[FailedRequest]
    failed: int
    successes: Sequence[RequestRecord]

    def as_json(self) -> bytes:
        """Return what `merged` reads, without the numbers, which come from `/metrics`."""
        names = ("delivery", "details", "failures", "failed", "successes")
        shown = {name: getattr(self, name) for name in names}
        return orjson.dumps(shown)

    @classmethod
    def merged(cls, numbers: Numbers, readings: Sequence[bytes]) -> Self | None:
        """Merge the readings of several processes; None if there are none.

        Args:
            numbers: what a scrape shows of all of them.
            readings: of each, from `as_json`.
        """
        rows = [orjson.loads(each) for each in readings]
        if not rows:
            return None
        failures = [_failed(each) for row in rows for each in row["failures"]]
        failures.sort(key=attrgetter("at"), reverse=True)
        successes = [_succeeded(each) for row in rows for each in row["successes"]]
        successes.sort(key=attrgetter("at"), reverse=True)
        return cls(
            numbers=numbers,
            delivery=[
                sum(counts) for counts in zip(*(row["delivery"] for row in rows), strict=True)
            ],
            details=Details.merged([_details(row["details"]) for row in rows]),
            failures=failures[:FAILURES],
            failed=sum(row["failed"] for row in rows),
            successes=successes[:SUCCESSES],
        )


class Source(Protocol):
    """Where readings come from: one process, or several."""

    async def read(self, *, tail: bool) -> Reading | None:
        """Return a reading, or None if there is none at the moment.

        Args:
            tail: whether to include successful requests, which are kept from now on until a reading
                without.
        """
        ...


class OwnProcess:
    """Reads this process's own parts."""

    def __init__(self, parts: Parts, registry: CollectorRegistry) -> None:
        self._parts = parts
        self._registry = registry

    async def read(self, *, tail: bool) -> Reading:
        """Return a reading."""
        return self.now(tail=tail)

    def now(self, *, tail: bool) -> Reading:
        """Return a reading; see `Source`."""
        parts = self._parts
        return Reading(
            numbers=read(self._registry),
            delivery=parts.metrics.deliveries(),
            details=Details.of(parts, parts.clock()),
            failures=parts.failures.newest_first(),
            failed=parts.failures.total,
            successes=parts.successes.newest_first(watched=tail),
        )


def _details(row: Mapping[str, Any]) -> Details:
    return Details(**{**row, "phase": Phase(row["phase"]), "breaker": State(row["breaker"])})


def _failed(row: Mapping[str, Any]) -> FailedRequest:
    return FailedRequest(**{**row, "attempts": tuple(row["attempts"])})


def _succeeded(row: Mapping[str, Any]) -> RequestRecord:
    return RequestRecord(**{**row, "attempts": tuple(row["attempts"])})
