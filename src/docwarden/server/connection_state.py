"""Where a client connection stands, and which state may follow which."""

import enum
from typing import Final


class State(enum.Enum):
    """What a client connection does."""

    # Enum's own hash is Python code and stands in every look-up.
    __hash__ = object.__hash__

    READING = "reading"
    """Waits for a request or reads one."""
    ANSWERING = "answering"
    """A task has the request."""
    SENDING = "sending"
    """The answer, or a piece of it, is on its way to the kernel."""
    LINGERING = "lingering"
    """The last answer is sent; what the client still sends is thrown away."""
    CLOSED = "closed"
    """Nothing is read or written any more."""


class StateError(Exception):
    """A change that the table does not allow: a defect of the connection."""


class _Following(dict[State, State]):
    """The states that may follow one, each under itself: asking for another is a defect."""

    def __init__(self, state: State, *following: State) -> None:
        super().__init__((each, each) for each in following)
        self._state = state

    def __missing__(self, state: State) -> State:
        raise StateError(f"{self._state.value} -> {state.value}")


CHANGES: Final = {
    each[0]: _Following(*each)
    for each in (
        (State.READING, State.ANSWERING, State.CLOSED),
        (State.ANSWERING, State.SENDING, State.CLOSED),
        (State.SENDING, State.READING, State.LINGERING, State.CLOSED),
        (State.LINGERING, State.CLOSED),
        (State.CLOSED,),
    )
}
"""The states that may follow each state; a change is `CHANGES[before][after]`."""
