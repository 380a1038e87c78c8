"""Stop calling an upstream that fails, and notice when it is well again.

    state      event             next state   action
    ---------  ----------------  -----------  --------------------------------------------------
    closed     tripped           open         begin opening n + 1 (the first after a calm time)
    open       opening over      half-open    offer a probe
    half-open  probe succeeded   closed       count from zero
    half-open  probe failed      open         begin opening n + 1
    half-open  probe abandoned   half-open    offer a probe

Every other pair changes nothing. `tripped` is five transport failures in a row, or 85 % of at
least 50 results within ten seconds. The values are those of Envoy's outlier detection
(`consecutive_5xx`, `failure_percentage_threshold`, `failure_percentage_request_volume`,
`interval`, `base_ejection_time`, `max_ejection_time`).

A permit belongs to the generation that gave it out: every transition and every new probe begins
another, and results of earlier ones count for nothing. So an answer that was under way when the
breaker opened neither closes it nor keeps it open.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from docwarden.fetching.resilience.failure_evidence import FailureEvidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class State(enum.Enum):
    """What the breaker lets through: everything, nothing, or one probe at a time."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Event(enum.Enum):
    """What may change the state."""

    TRIPPED = "tripped"
    OPENING_OVER = "opening over"
    PROBE_SUCCEEDED = "probe succeeded"
    PROBE_FAILED = "probe failed"
    PROBE_ABANDONED = "probe abandoned"


class Action(enum.Enum):
    """What a transition does beside changing the state."""

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
"""Seconds to name to a client that came while a probe was out: its result is near."""


class Permit:
    """Leave to make one attempt. While closed, the attempts of a generation share one object."""

    __slots__ = ("probe",)

    def __init__(self, *, probe: bool) -> None:
        self.probe = probe


class Breaker:
    """A circuit breaker for one upstream, for use from one thread.

    The holder of a permit reports exactly one of `succeeded`, `failed` and `abandoned`. For the
    breaker an upstream that answers is well: 404 and a corrupt document are `succeeded`.

    Args:
        consecutive_failures: Transport failures in a row that trip it.
        consecutive_span: Seconds that such a row has to last at least. Above zero, connections
            that all break in one instant (an upstream's quick restart) are not a dead upstream.
        failure_share: Share of failures in the window that trips it, from 0 to 1.
        least_results: Results in the window below which the share says nothing.
        window: Length of the sliding window, seconds.
        opening: Seconds of the first opening; the nth in a row lasts n times that.
        longest_opening: Upper limit of that, seconds, before jitter.
        jitter: Up to this share is added to an opening, so that processes do not probe in step.
        calm: Seconds closed after which openings count from one again.
        probe_timeout: Seconds after which a probe that nobody reported on is given up.
        random: Draws uniformly from [0, 1).

    Attributes:
        openings: Openings since the start.
        rejected: Attempts refused since the start.
    """

    __slots__ = (
        "_calm",
        "_closed_at",
        "_current",
        "_evidence",
        "_jitter",
        "_longest_opening",
        "_open_until",
        "_opening",
        "_openings_in_a_row",
        "_probe_given_at",
        "_probe_timeout",
        "_random",
        "_state",
        "openings",
        "rejected",
    )

    def __init__(  # noqa: PLR0913 - independent thresholds, all keywords with defaults
        self,
        *,
        random: Callable[[], float],
        consecutive_failures: int = 5,
        consecutive_span: float = 0.0,
        failure_share: float = 0.85,
        least_results: int = 50,
        window: float = 10.0,
        opening: float = 30.0,
        longest_opening: float = 300.0,
        jitter: float = 0.1,
        calm: float = 60.0,
        probe_timeout: float = 10.0,
    ) -> None:
        self._random = random
        self._opening = opening
        self._longest_opening = longest_opening
        self._jitter = jitter
        self._calm = calm
        self._probe_timeout = probe_timeout
        self._evidence = FailureEvidence(
            in_a_row=consecutive_failures,
            row_span=consecutive_span,
            share=failure_share,
            least_results=least_results,
            window=window,
        )
        self.openings = 0
        self.rejected = 0
        self._openings_in_a_row = 0
        self._open_until = 0.0
        self._probe_given_at = 0.0
        self._closed_at = float("-inf")
        self._state = State.CLOSED
        # The only permit whose result counts; None when no attempt may be under way.
        self._current: Permit | None = Permit(probe=False)

    def try_acquire(self, now: float) -> Permit | None:
        """Return a permit for one attempt, or None when the upstream is not to be called."""
        if self._state is State.CLOSED:
            return self._current
        if self.retry_after(now) > 0.0:
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

    def failed(self, permit: Permit, now: float) -> None:
        """Report a failure of the transport: no connection, a reset, a timeout, a 5xx."""
        if permit is not self._current:
            return
        if permit.probe:
            self._apply(Event.PROBE_FAILED, now)
        elif self._evidence.failed(now):
            self._apply(Event.TRIPPED, now)

    def abandoned(self, permit: Permit, now: float) -> None:
        """Report an attempt that ended without telling anything, such as a cancelled one."""
        if permit is self._current and permit.probe:
            self._apply(Event.PROBE_ABANDONED, now)

    def state(self, now: float) -> State:
        """Return the state; an opening that is over counts as half-open before any probe."""
        if self._state is State.OPEN and now >= self._open_until:
            return State.HALF_OPEN
        return self._state

    def retry_after(self, now: float) -> float:
        """Return the seconds until an attempt may be let through, 0 when one would be now."""
        if self._state is State.OPEN:
            return max(0.0, self._open_until - now)
        probe_is_out = self._state is State.HALF_OPEN and self._current is not None
        if probe_is_out and now < self._probe_given_at + self._probe_timeout:
            return PROBE_PENDING
        return 0.0

    def _apply(self, event: Event, now: float) -> None:
        self._state, action = TRANSITIONS[self._state, event]
        self._current = None
        if action is Action.BEGIN_OPENING:
            # Only a breaker that was closed for a while has proof that the upstream had recovered.
            if event is Event.TRIPPED and now - self._closed_at >= self._calm:
                self._openings_in_a_row = 0
            self._begin_opening(now)
        elif action is Action.COUNT_FROM_ZERO:
            self._evidence.clear()
            self._closed_at = now
            self._current = Permit(probe=False)

    def _begin_opening(self, now: float) -> None:
        self._openings_in_a_row += 1
        self.openings += 1
        length = min(self._opening * self._openings_in_a_row, self._longest_opening)
        self._open_until = now + length * (1.0 + self._jitter * self._random())
