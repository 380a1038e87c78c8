"""What a scrape finds before anything has happened, and after."""

from docwarden.telemetry.catalog import TIMED_RESULTS
from docwarden.telemetry.metrics import Metrics, registry_of


def test_time_of_the_first_attempt_that_hangs_is_an_increase():
    metrics = Metrics(version="1", revision="r")
    registry = registry_of(metrics)
    count = "docwarden_upstream_attempt_duration_seconds_count"
    before = {each: registry.get_sample_value(count, {"result": each}) for each in TIMED_RESULTS}
    assert before == dict.fromkeys(TIMED_RESULTS, 0)
    metrics.attempts["attempt-timeout"].observe(3.0)
    assert registry.get_sample_value(count, {"result": "attempt-timeout"}) == 1
