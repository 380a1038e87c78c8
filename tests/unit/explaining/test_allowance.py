"""The token bucket."""

import pytest

from docwarden.explaining.allowance import Allowance


def test_as_many_as_the_burst_pass_at_once_and_one_more_each_interval():
    allowance = Allowance(burst=2, seconds=5.0)
    assert [allowance.take(100.0), allowance.take(100.0)] == [0.0, 0.0]
    assert allowance.take(100.0) == pytest.approx(5.0)
    assert allowance.take(103.0) == pytest.approx(2.0)
    assert allowance.take(105.0) == 0.0
    assert allowance.take(105.0) == pytest.approx(5.0)


def test_long_silence_fills_it_no_further_than_the_burst():
    allowance = Allowance(burst=2, seconds=5.0)
    allowance.take(0.0)
    assert [allowance.take(1e6) for _ in range(2)] == [0.0, 0.0]
    assert allowance.take(1e6) > 0
