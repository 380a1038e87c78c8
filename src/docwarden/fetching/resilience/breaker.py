"""Stops calls to an upstream that fails, and detects its recovery.

    state      event             next state   action
    ---------  ----------------  -----------  --------------------------------------------------
    closed     tripped           open         begin opening n + 1 (the first after a calm time)
    open       opening over      half-open    offer a probe
    half-open  probe succeeded   closed       count from zero
    half-open  probe failed      open         begin opening n + 1
    half-open  probe abandoned   half-open    offer a probe

Every other pair changes nothing. `tripped` is five transport failures in a row, or 85 % of at
least 50 results within ten seconds; `failure_evidence` says which failures count. The values are
those of Envoy's outlier detection (`consecutive_5xx`, `failure_percentage_threshold`,
`failure_percentage_request_volume`, `interval`, `base_ejection_time`, `max_ejection_time`).

A probe whose failure may be its document's fault neither closes nor opens: another document may
probe, until three have failed. A document whose probe failed lets others go first for a second, so
that one which always fails does not use up the probes.

A permit belongs to the generation that issued it: every transition and every new probe begins
another, and results of earlier ones are ignored. So an attempt that was in flight when the breaker
opened neither closes it nor keeps it open.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final, NamedTuple

from docwarden.fetching.resilience.failure_evidence import Evidence, FailureEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class State(enum.Enum):
    """What the breaker lets through: everything, nothing, or one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


# Looking a member up in its class runs Enum's `__getattr__` up to Python 3.11.
_CLOSED: Final = State.CLOSED


class Event(enum.Enum):
    """What may change the state."""

    TRIPPED = "tripped"
    OPENING_OVER = "opening over"
    PROBE_SUCCEEDED = "probe succeeded"
    PROBE_FAILED = "probe failed"
    PROBE_ABANDONED = "probe abandoned"


class Action(enum.Enum):
    """The side effect of a transition."""

    BEGIN_OPENING = "begin opening"
    OFFER_PROBE = "offer a probe"
    COUNT_FROM_ZERO = "count from zero"


TRANSITIONS: Final[Mapping[tuple[State, Event], tuple[State, Action]]] = {
    (State.CLOSED, Event.TRIPPED): (State.OPEN, Action.BEGIN_OPENING),
    (State.OPEN, Event.OPENING_OVER): (State.HALF_OPEN, Action.OFFER_PROBE),
    (State.HALF_OPEN, Event.PROBE_SUCCEEDED): (State.CLOSED, Action.COUNT_FROM_ZERO),
    (State.HALF_OPEN, Event.PROBE_FAILED): (State.OPEN, Action.BEGIN_OPENING),
    (State.HALF_OPEN, Event.PROBE_ABANDONED): (State.HALF_OPEN, Action.OFFER_PROBE),
}

PROBE_PENDING: Final = 1.0
"""Seconds to wait while a probe is in flight: its result is near."""

GIVE_WAY: Final = 1.0
"""Seconds for which a document whose probe failed leaves the next probe to others."""

PROBES_TO_REOPEN: Final = 3
"""Documents whose probes must fail before that counts against the upstream."""


class Change(NamedTuple):
    """The breaker has opened or closed.

    Attributes:
        state: the new one.
        cause: of the last failure, for an opening.
        seconds: how long it stays open; for a closing, how long it was not closed.
        openings: how many in a row.
    """

    state: State
    cause: str
    seconds: float
    openings: int


class Permit:
    """Permission for one attempt. While closed, the attempts of a generation share one object."""

    __slots__ = ("probe",)

    def __init__(self, *, probe: bool) -> None:
        self.probe = probe


class Breaker:
    """A circuit breaker for one upstream, for use from one thread.

    The holder of a permit reports exactly one of `succeeded`, `failed` and `abandoned`. An upstream
    that answers counts as healthy: 404 and a corrupt document are `succeeded`.

    Args:
        consecutive_failures: Transport failures in a row that trip it.
        failure_share: Share of failures in the window that trips it, from 0 to 1.
        min_results: Results in the window from which on the share counts.
        window: Length of the sliding window, seconds.
        chance: Probability below which a row of failures trips it, given their usual share.
        opening: Seconds of the first opening; the nth in a row lasts n times that.
        longest_opening: Upper limit of that, seconds, before jitter.
        jitter: Up to this share is added to an opening, so that processes do not probe in step.
        calm: Seconds closed after which openings count from one again.
        probe_timeout: Seconds after which a probe without a report is given up.
        random: Draws uniformly from [0, 1).
        on_change: Called when it opens or closes.

    Attributes:
        open_until: Monotonic time of the next probe while it is open.
        openings: Openings since the start.
        rejected: Attempts refused since the start.
    """

    __slots__ = (
        "_calm",
        "_closed_at",
        "_current",
        "_evidence",
        "_failed_probes",
        "_jitter",
        "_longest_opening",
        "_offered_at",
        "_on_change",
        "_opened_at",
        "_opening",
        "_openings_in_a_row",
        "_probe_given_at",
        "_probe_timeout",
        "_random",
        "_state",
        "open_until",
        "openings",
        "rejected",
    )

    def __init__(  # noqa: PLR0913 - independent thresholds, all keywords with defaults
        self,
        *,
        random: Callable[[], float],
        consecutive_failures: int = 5,
        failure_share: float = 0.85,
        min_results: int = 50,
        window: float = 10.0,
        chance: float = 1e-6,
        opening: float = 30.0,
        longest_opening: float = 300.0,
        jitter: float = 0.1,
        calm: float = 60.0,
        probe_timeout: float = 10.0,
        on_change: Callable[[Change], None] | None = None,
    ) -> None:
        self._random = random
        self._opening = opening
        self._longest_opening = longest_opening
        self._jitter = jitter
        self._calm = calm
        self._probe_timeout = probe_timeout
        self._evidence = FailureEvidence(
            in_a_row=consecutive_failures,
            share=failure_share,
            min_results=min_results,
            window=window,
            chance=chance,
        )
        self.openings = 0
        self.rejected = 0
        self._openings_in_a_row = 0
        self._opened_at = 0.0
        self._offered_at = 0.0
        self._failed_probes: set[str] = set()
        self._on_change = on_change
        self.open_until = 0.0
        self._probe_given_at = 0.0
        self._closed_at = float("-inf")
        self._state = State.CLOSED
        # The only permit whose result counts; None while no attempt is allowed.
        self._current: Permit | None = Permit(probe=False)

    def try_acquire(self, now: float, document_id: str | None = None) -> Permit | None:
        """Return a permit for one attempt, or None if the upstream must not be called."""
        if self._state is _CLOSED:
            return self._current
        if self.retry_after(now, document_id) > 0.0:
            self.rejected += 1
            return None
        if self._state is State.OPEN:
            self._apply(Event.OPENING_OVER, now)
        self._current = Permit(probe=True)
        self._probe_given_at = now
        return self._current

    def succeeded(self, permit: Permit, now: float) -> None:
        """Report that the upstream answered."""
        if permit is not self._current:
            return
        if permit.probe:
            self._apply(Event.PROBE_SUCCEEDED, now)
        else:
            self._evidence.succeeded(now)

    def failed(self, permit: Permit, now: float, evidence: Evidence | None = None) -> None:
        """Report a transport failure: no connection, a reset, a timeout, a 5xx."""
        if permit is not self._current:
            return
        cause = "" if evidence is None else evidence.cause
        if not permit.probe:
            if self._evidence.failed(now, evidence):
                self._apply(Event.TRIPPED, now, cause)
        elif self._counts_against_upstream(evidence):
            self._apply(Event.PROBE_FAILED, now, cause)
        else:
            self._apply(Event.PROBE_ABANDONED, now)

    def abandoned(self, permit: Permit, now: float) -> None:
        """Report an attempt that ended without a result, such as a cancelled one."""
        if permit is self._current and permit.probe:
            self._apply(Event.PROBE_ABANDONED, now)

    def state(self, now: float) -> State:
        """Return the state; it counts as half-open once the opening is over, probe or not."""
        if self._state is State.OPEN and now >= self.open_until:
            return State.HALF_OPEN
        return self._state

    def retry_after(self, now: float, document_id: str | None = None) -> float:
        """Return the seconds until an attempt may be allowed, 0 if one would be now."""
        if self._state is State.CLOSED:
            return 0.0
        if self._state is State.OPEN and now < self.open_until:
            return self.open_until - now
        probe_is_out = self._state is State.HALF_OPEN and self._current is not None
        if probe_is_out and now < self._probe_given_at + self._probe_timeout:
            return PROBE_PENDING
        if document_id in self._failed_probes:
            return max(0.0, self._offered_at + GIVE_WAY - now)
        return 0.0

    def _counts_against_upstream(self, evidence: Evidence | None) -> bool:
        """Record a failed probe; return whether it counts against the upstream."""
        if evidence is None:
            return True
        self._failed_probes.add(evidence.document_id)
        of_connection = not evidence.of_document or evidence.silent_since is not None
        if not of_connection and len(self._failed_probes) < PROBES_TO_REOPEN:
            return False
        self._failed_probes = {evidence.document_id}
        return True

    def _apply(self, event: Event, now: float, cause: str = "") -> None:
        self._state, action = TRANSITIONS[self._state, event]
        self._current = None
        if action is Action.BEGIN_OPENING:
            if event is Event.TRIPPED:
                self._opened_at = now
                self._failed_probes.clear()
                # Only a breaker that stayed closed for a while has proof of a recovery.
                if now - self._closed_at >= self._calm:
                    self._openings_in_a_row = 0
            self._begin_opening(now, cause)
        elif action is Action.OFFER_PROBE:
            self._offered_at = self.open_until if event is Event.OPENING_OVER else now
        elif action is Action.COUNT_FROM_ZERO:
            self._evidence.clear()
            self._closed_at = now
            self._failed_probes.clear()
            self._current = Permit(probe=False)
            self._notify(State.CLOSED, "", now - self._opened_at)

    def _begin_opening(self, now: float, cause: str) -> None:
        self._openings_in_a_row += 1
        self.openings += 1
        length = min(self._opening * self._openings_in_a_row, self._longest_opening)
        length *= 1.0 + self._jitter * self._random()
        self.open_until = self._offered_at = now + length
        self._notify(State.OPEN, cause, length)

    def _notify(self, state: State, cause: str, seconds: float) -> None:
        if self._on_change is not None:
            self._on_change(Change(state, cause, seconds, self._openings_in_a_row))
