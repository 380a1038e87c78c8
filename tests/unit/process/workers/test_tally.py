"""Counters of all workers never go down."""

from docwarden.process.workers.tally import Tally

FIRST, SECOND, THIRD = object(), object(), object()


def text(delivered, in_flight=1):
    return (
        "# TYPE docwarden_documents_total counter\n"
        f'docwarden_documents_total{{outcome="delivered"}} {delivered}\n'
        "# TYPE docwarden_requests_in_flight gauge\n"
        f"docwarden_requests_in_flight {in_flight}\n"
        "# TYPE seconds histogram\n"
        f'seconds_bucket{{le="+Inf"}} {delivered}\nseconds_count {delivered}\nseconds_sum 0.5\n'
    )


def shown(tally, answers):
    return {
        sample.name: sample.value for family in tally.add_up(answers) for sample in family.samples
    }


def test_what_an_ended_worker_counted_stays_and_its_gauges_do_not():
    tally = Tally()
    shown(tally, {FIRST: text(100), SECOND: text(50)})
    after = shown(tally, {SECOND: text(60), THIRD: text(0)})
    assert after["docwarden_documents_total"] == after["seconds_count"] == 160
    assert after["seconds_sum"] == 1.5
    assert after["docwarden_requests_in_flight"] == 2
    again = shown(tally, {THIRD: text(1)})
    assert again["docwarden_documents_total"] == 161


def test_worker_that_does_not_answer_is_counted_as_it_was():
    tally = Tally()
    shown(tally, {FIRST: text(100), SECOND: text(50)})
    silent = shown(tally, {FIRST: None, SECOND: text(51)})
    assert silent["docwarden_documents_total"] == 151
    assert silent["docwarden_requests_in_flight"] == 1
    assert shown(tally, {FIRST: text(103), SECOND: text(51)})["docwarden_documents_total"] == 154


def test_worker_that_has_never_answered_counts_nothing():
    assert shown(Tally(), {FIRST: None}) == {}
