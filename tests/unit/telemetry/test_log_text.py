"""Events for people: 100 columns, and nothing from outside steers the terminal."""

import re

import pytest

from docwarden.telemetry.log_text import COLUMNS, text_of

REQUEST_ID = "b1c9" * 8
CORRUPT = "502 /600917 corrupt pdf-startxref-wrong 4x 836 ms"


def lines(level="info", name="some.event", *, colour=False, **fields):
    text = text_of(level, name, 1.5e9, {"message": "words", **fields}, colour=colour)
    assert text.endswith("\n")
    return text[:-1].split("\n")


def request(message=CORRUPT, request_id=REQUEST_ID, **given):
    fields = {"request_id": request_id, "http.response.status_code": 502}
    return lines("error", "request.ended", message=message, **fields, **given)


def test_request_is_one_line_with_its_id():
    (line,) = request()
    assert re.fullmatch(rf"\d\d:\d\d:\d\d {CORRUPT} {REQUEST_ID}", line)


def test_long_id_is_shortened_where_the_line_has_no_room_for_it():
    (line,) = request(request_id="i" * 128)
    assert line.endswith(" iiiiiiii...")
    assert len(line) <= COLUMNS


@pytest.mark.parametrize("length", [70, 85, 91, 92, 300, 5000])
def test_nothing_is_wider_than_a_terminal(length):
    for found in (request("502 " + "x" * length), lines(message="word " * (length // 5))):
        assert max(map(len, found)) <= COLUMNS
        assert "".join(found).count("x") in (0, length)


def test_other_events_have_their_name_and_what_is_no_news_has_no_level():
    assert lines()[0][9:] == "some.event words"
    assert lines("warning")[0][9:] == "WARNING some.event words"


def test_stack_of_a_defect_follows_in_further_lines():
    trace = 'Traceback:\n  File "x.py", line 1\nValueError: ' + "long " * 40
    found = lines("error", "defect", **{"exception.stacktrace": trace})
    assert [each.strip() for each in found[1:3]] == ["Traceback:", 'File "x.py", line 1']
    assert max(map(len, found)) <= COLUMNS


def test_what_came_from_outside_can_neither_forge_a_line_nor_steer_the_terminal():
    found = request("404 /\x1b[2J\r\n08:00:00 200 /7\u202e 0 ms")
    assert len(found) == 1
    assert all(each.isprintable() for each in found)


def test_colour_takes_no_column():
    plain, coloured = request(), request(colour=True)
    assert coloured != plain
    assert [re.sub(r"\x1b\[[0-9;]*m", "", each) for each in coloured] == plain
