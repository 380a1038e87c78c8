"""Log events as text for people: lines of at most 100 columns, in colour on a terminal."""

import textwrap
import time
from collections.abc import Mapping
from typing import Any, Final

COLUMNS: Final = 100
_COLOURS: Final = {"debug": "2", "info": "32", "warning": "33", "error": "31"}
# "08:26:03 " precedes each event, and as much space its further lines.
_CLOCK: Final = 9
_SHORT_ID: Final = 8
_ELLIPSIS: Final = "..."
# Only the event of a request has it.
_OF_REQUEST: Final = "http.response.status_code"
_TRACE: Final = "exception.stacktrace"


def text_of(level: str, name: str, at: float, fields: Mapping[str, Any], *, colour: bool) -> str:
    """Return the text of an event that happened at epoch second `at`, its line feed included."""
    message = _printable(fields["message"])
    if _OF_REQUEST in fields:
        head, rest = message[:3], _with_id(message, fields["request_id"])[3:]
    else:
        head = name if level == "info" else f"{level.upper()} {name}"
        rest = f" {message}"
    lines = _wrapped(head + rest)
    for each in fields.get(_TRACE, "").splitlines():
        lines += _wrapped(_printable(each))
    if colour:
        lines[0] = f"\x1b[{_COLOURS[level]}m{head}\x1b[0m{lines[0].removeprefix(head)}"
    clock = time.strftime("%H:%M:%S ", time.localtime(at))
    return clock + f"\n{' ' * _CLOCK}".join(lines) + "\n"


def _printable(text: str) -> str:
    """Return a text that can neither forge a line nor control the terminal."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _with_id(message: str, request_id: str) -> str:
    """Append the request's id to the message, shortened or omitted to fit the line."""
    room = COLUMNS - _CLOCK - len(message) - 1
    if len(request_id) > room:
        request_id = request_id[:_SHORT_ID] + _ELLIPSIS
    return f"{message} {request_id}" if len(request_id) <= room else message


def _wrapped(text: str) -> list[str]:
    indent = " " * (len(text) - len(text.lstrip(" ")))
    return textwrap.wrap(
        text, COLUMNS - _CLOCK, subsequent_indent=indent, break_on_hyphens=False
    ) or [""]
