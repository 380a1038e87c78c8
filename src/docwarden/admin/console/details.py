"""What the console shows beside the metrics, read from the parts that hold it."""

from dataclasses import dataclass

from docwarden.composition import Parts
from docwarden.fetching.resilience.breaker import State
from docwarden.fetching.store import MemoryStore
from docwarden.telemetry.health import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """A reading at one moment.

    Attributes:
        phase: where in its life the process is.
        stuck: seconds by which the oldest request is past its bounds, 0 when none is.
        breaker: the circuit breaker's state.
        breaker_wait: seconds until a probe may be let through.
        breaker_rejected: attempts that the breaker refused.
        limiter_refused: requests that found no place under the limit.
        corruption_budget: retries after corrupt documents that may start now.
        transport_refused, corruption_refused: retries that a budget did not allow.
        store_copies, store_bytes: what the store in memory holds; None for Redis, or without one.
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


def read_details(parts: Parts, now: float) -> Details:
    """Return the reading at the monotonic moment `now`."""
    health, breaker, store = parts.health, parts.breaker, parts.store
    memory = store if isinstance(store, MemoryStore) else None
    return Details(
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
