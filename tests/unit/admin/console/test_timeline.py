"""Since when something has held."""

from docwarden.admin.console.timeline import KEPT_SECONDS, Pulse, Timeline


def pulse(wall: float, good: float = 0.0, lost: float = 0.0) -> Pulse:
    return Pulse(wall, good, lost, good, 0.0, 0.0, 0.0, 0.0)


def began(made: Timeline) -> float | None:
    stretch = made.since(nothing_good)
    return None if stretch is None else stretch.began


def nothing_good(grown: Pulse) -> bool | None:
    return grown.good == 0 if grown.good + grown.lost else None


def timeline(*pulses: Pulse) -> Timeline:
    made = Timeline()
    for each in pulses:
        made.note(each)
    return made


def test_outage_began_with_the_last_reading_in_which_something_went_well():
    made = timeline(
        pulse(100, good=10), pulse(105, good=20), pulse(110, 20, lost=3), pulse(115, 20, lost=6)
    )
    stretch = made.since(nothing_good)
    assert stretch is not None
    assert (stretch.began, stretch.seconds, stretch.grown.lost) == (105, 10, 6)


def test_quiet_times_neither_begin_nor_end_it():
    made = timeline(
        pulse(100, good=10), pulse(105, 10, lost=3), pulse(110, 10, lost=3), pulse(115, 10, lost=4)
    )
    assert began(made) == 100
    assert began(timeline(pulse(100), pulse(105))) is None


def test_what_holds_no_more_has_no_beginning():
    made = timeline(pulse(100), pulse(105, lost=3), pulse(110, good=1, lost=3))
    assert made.since(nothing_good) is None


def test_readings_a_second_apart_are_kept_five_seconds_apart_and_the_latest_always():
    made = timeline(*(pulse(100 + second, lost=second) for second in range(61)))
    assert began(made) == 100
    assert len(made._pulses) <= 20
    made.note(pulse(161, good=1, lost=61))
    assert made.since(nothing_good) is None


def test_no_more_is_kept_than_a_quarter_of_an_hour():
    made = timeline(*(pulse(5.0 * number, lost=number) for number in range(1000)))
    stretch = made.since(nothing_good)
    assert stretch is not None
    assert 5.0 * 999 - stretch.began <= KEPT_SECONDS
