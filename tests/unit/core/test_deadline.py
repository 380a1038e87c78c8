import pytest
from hypothesis import given
from hypothesis import strategies as st

from docwarden.core.deadline import Deadline

seconds = st.floats(min_value=0, max_value=1e6)


@given(at=seconds, now=seconds, timeout=seconds)
def test_bound_exceeds_neither_the_timeout_nor_what_is_left(at, now, timeout):
    deadline = Deadline(at)
    assert deadline.bound(timeout, now) == min(timeout, deadline.remaining(now))
    assert deadline.remaining(now) >= 0


def test_deadline_cannot_be_moved():
    with pytest.raises(AttributeError):
        Deadline(1.0).at = 2.0  # type: ignore[attr-defined] # the assignment under test
