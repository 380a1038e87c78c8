"""The token bucket."""

import pytest

from docwarden.explaining.token_bucket import TokenBucket


def test_as_many_as_the_burst_pass_at_once_and_one_more_each_interval():
    bucket = TokenBucket(burst=2, seconds=5.0)
    assert [bucket.take(100.0), bucket.take(100.0)] == [0.0, 0.0]
    assert bucket.take(100.0) == pytest.approx(5.0)
    assert bucket.take(103.0) == pytest.approx(2.0)
    assert bucket.take(105.0) == 0.0
    assert bucket.take(105.0) == pytest.approx(5.0)


def test_long_silence_fills_it_no_further_than_the_burst():
    bucket = TokenBucket(burst=2, seconds=5.0)
    bucket.take(0.0)
    assert [bucket.take(1e6) for _ in range(2)] == [0.0, 0.0]
    assert bucket.take(1e6) > 0
