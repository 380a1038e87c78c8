"""The states of a client connection, and the transitions between them."""

import enum
from typing import Final


class State(enum.Enum):
    """The state of a client connection."""

    # Enum's own hash is Python code and runs on every look-up.
    __hash__ = object.__hash__

    READING = "reading"
    """Waiting for a request, or reading one."""
    ANSWERING = "answering"
    """The site is answering the request."""
    SENDING = "sending"
    """The answer, or a piece of it, is being handed to the kernel."""
    LINGERING = "lingering"
    """The last answer is sent; further input is discarded."""
    CLOSED = "closed"
    """Nothing is read or written any more."""


# Looking a member up in its class runs Enum's `__getattr__` up to Python 3.11: 70 ns instead of 2.
READING: Final = State.READING
ANSWERING: Final = State.ANSWERING
SENDING: Final = State.SENDING
LINGERING: Final = State.LINGERING
CLOSED: Final = State.CLOSED


class StateError(Exception):
    """A transition that the table does not allow: a defect of the connection."""


class _Following(dict[State, State]):
    """The states that may follow one; looking up any other raises `StateError`."""

    def __init__(self, state: State, *following: State) -> None:
        super().__init__((each, each) for each in following)
        self._state = state

    def __missing__(self, state: State) -> State:
        raise StateError(f"{self._state.value} -> {state.value}")


CHANGES: Final = {
    each[0]: _Following(*each)
    for each in (
        (READING, ANSWERING, CLOSED),
        (ANSWERING, SENDING, CLOSED),
        (SENDING, READING, LINGERING, CLOSED),
        (LINGERING, CLOSED),
        (CLOSED,),
    )
}
"""The states that may follow each state; a transition is `CHANGES[before][after]`."""
