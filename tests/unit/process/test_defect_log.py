"""Defects are told in the log, as many as nobody can fill a disk with."""

import json
import os

import pytest

from docwarden.process.defect_log import BURST, DefectLog
from docwarden.telemetry.logs import open_log


@pytest.fixture
def log(tmp_path):
    file = tmp_path / "log"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT)
    yield open_log(format_name="json", level="info", descriptor=descriptor)
    os.close(descriptor)


@pytest.fixture
def written(log, tmp_path):
    def read():
        log.close()
        return [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]

    return read


def test_defect_is_told_with_its_trace(log, written):
    defects = DefectLog(log, clock=lambda: 0.0)
    defects.note("something was not done", ValueError("a defect"))
    (event,) = written()
    assert (event["event.name"], event["severity"]) == ("defect", "error")
    assert event["message"] == "something was not done"
    assert event["exception.type"] == "ValueError"
    assert event["exception.stacktrace"].endswith("ValueError: a defect\n")


def test_what_is_too_much_is_counted_and_told_with_the_next(log, written):
    now = [0.0]
    defects = DefectLog(log, clock=lambda: now[0])
    for _ in range(BURST + 7):
        defects.note("again")
    now[0] = 1.0
    defects.note("later")
    events = written()
    assert len(events) == BURST + 1
    assert events[-1]["message"] == "later"
    assert events[-1]["suppressed"] == 7


def test_long_texts_are_cut(log, written):
    DefectLog(log, clock=lambda: 0.0).note("x" * 100_000)
    (event,) = written()
    assert len(event["message"]) <= 8000
