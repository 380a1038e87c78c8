"""The metrics of several processes added up."""

import pytest

from docwarden.process.workers.merging import merge, parse

ONE = """\
# HELP docwarden_documents_total Requests.
# TYPE docwarden_documents_total counter
docwarden_documents_total{outcome="delivered"} 3.0
docwarden_documents_total{outcome="corrupt"} 1.0
# HELP docwarden_event_loop_stall_seconds Stall.
# TYPE docwarden_event_loop_stall_seconds gauge
docwarden_event_loop_stall_seconds 0.2
# HELP docwarden_requests_in_flight In flight.
# TYPE docwarden_requests_in_flight gauge
docwarden_requests_in_flight 2.0
# HELP d Seconds.
# TYPE d histogram
d_bucket{le="1.0"} 1.0
d_bucket{le="+Inf"} 2.0
d_count 2.0
d_sum 5.0
"""
TWO = """\
# HELP docwarden_documents_total Requests.
# TYPE docwarden_documents_total counter
docwarden_documents_total{outcome="delivered"} 4.0
# HELP docwarden_event_loop_stall_seconds Stall.
# TYPE docwarden_event_loop_stall_seconds gauge
docwarden_event_loop_stall_seconds 0.1
# HELP docwarden_requests_in_flight In flight.
# TYPE docwarden_requests_in_flight gauge
docwarden_requests_in_flight 5.0
# HELP d Seconds.
# TYPE d histogram
d_bucket{le="1.0"} 3.0
d_bucket{le="+Inf"} 3.0
d_count 3.0
d_sum 1.5
"""


def samples(*texts):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in merge(map(parse, texts))
        for sample in family.samples
    }


def test_counters_gauges_and_histograms_are_added_up():
    merged = samples(ONE, TWO)
    assert merged["docwarden_documents_total", "delivered"] == 7
    assert merged["docwarden_documents_total", "corrupt"] == 1
    assert merged["docwarden_requests_in_flight",] == 7
    assert merged["d_bucket", "1.0"] == 4
    assert merged["d_bucket", "+Inf"] == merged["d_count",] == 5
    assert merged["d_sum",] == pytest.approx(6.5)


def test_of_a_stall_the_longest_counts():
    assert samples(ONE, TWO)["docwarden_event_loop_stall_seconds",] == 0.2


def test_one_text_stays_as_it_is_and_none_is_nothing():
    assert samples(ONE)["docwarden_documents_total", "delivered"] == 3
    assert merge([]) == []
