"""Lines on their way to a descriptor."""

import json
import os
import threading
import time

from docwarden.telemetry.logs import open_log

# More than a pipe holds (64 KiB).
LINES = 2_000


def test_pipe_that_does_not_block_loses_no_line_to_a_late_reader():
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    log = open_log(format_name="json", level="info", descriptor=writing)
    for number in range(LINES):
        log.event("info", "test", "a line", number=number, text="a" * 100)
    closing = threading.Thread(target=log.close)
    closing.start()
    got = bytearray()
    while got.count(b"\n") < LINES:
        piece = os.read(reading, 1 << 16)
        assert piece
        got += piece
    closing.join()
    os.close(writing)
    os.close(reading)
    assert log.dropped == 0


def test_events_of_two_threads_in_one_second_have_their_own_times(monkeypatch):
    strftime = time.strftime
    seen = []

    def interrupted(form, moment):
        monkeypatch.undo()
        other = threading.Thread(target=lambda: seen.append(log.timestamp(1_000_000_000.5)))
        other.start()
        other.join()
        return strftime(form, moment)

    descriptor = os.open(os.devnull, os.O_WRONLY)
    log = open_log(format_name="json", level="info", descriptor=descriptor)
    monkeypatch.setattr("docwarden.telemetry.logs.time.strftime", interrupted)
    seen.append(log.timestamp(1_000_000_000.25))
    seen.append(log.timestamp(1_000_000_000.5))
    log.close()
    os.close(descriptor)
    assert seen == [f"2001-09-09T01:46:40.{part}Z" for part in ("500", "250", "500")]


def test_lost_lines_are_told_in_the_log_itself_once_there_is_room(monkeypatch, tmp_path):
    monkeypatch.setattr("docwarden.telemetry.logs.QUEUE_BYTES", 50)
    monkeypatch.setattr("docwarden.telemetry.logs.BATCH_SECONDS", 0.01)
    file = tmp_path / "log"
    with file.open("wb") as out:
        log = open_log(format_name="json", level="info", descriptor=out.fileno())
        for number in range(100):
            log.event("info", "test", "a line", number=number)
        log.close()
    events = [json.loads(line) for line in file.read_text().splitlines()]
    lost = sum(event["lines"] for event in events if event["event.name"] == "log.lines_lost")
    assert lost == log.dropped > 0
    assert sum(event["event.name"] == "test" for event in events) == 100 - lost
