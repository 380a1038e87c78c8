"""Parses PDF objects in the plain form that most writers use.

Source: ISO 32000-1, 7.2 (lexical conventions) and 7.3 (objects). Comments, escapes in names,
parentheses within parentheses, deep nesting and errors that readers tolerate are not plain. They
prove nothing about the file, and are left to the strict parser of tier 3.

One pattern checks that an object is plain at every depth; the items of an array or a dictionary are
parsed on demand.
"""

import re
from typing import Final

Value = bytes | int | tuple[int, int] | None
"""A name, an array or a dictionary as it is written; an integer; a reference; None for others."""
Dictionary = dict[bytes, Value]

MAX_DEPTH: Final = 4
"""How deep arrays and dictionaries may be nested."""
SPACE: Final = rb"[\0\t\n\f\r ]"
_ENDS: Final = rb"(?=[\0\t\n\f\r /<>\[\]()]|\Z)"
# Every printable character but delimiters and the number sign, which begins an escape.
_NAME: Final = rb"/[!\"$&'*-.0-;=?-Z\\^-z|~]++"
_INTEGER: Final = rb"[-+]?\d{1,9}" + _ENDS
_REFERENCE: Final = rb"\d{1,9}" + SPACE + rb"++\d{1,5}" + SPACE + rb"++R" + _ENDS
_OTHER: Final = (
    rb"(?:[-+]?(?:\d{1,9}\.\d{0,9}|\.\d{1,9})|true|false)"
    + _ENDS
    + rb"|\((?:[^()\\]|\\[^\r])*+\)|<[0-9A-Fa-f]*+>"
)


class NotPlainError(Exception):
    """Something is not in plain form; that does not make it wrong."""


def _container(depth: int) -> bytes:
    """Return the pattern of arrays and dictionaries nested up to `depth` deep."""
    one = b"|".join((_NAME, _REFERENCE, _INTEGER, _OTHER))
    if depth > 1:
        one += rb"|" + _container(depth - 1)
    values = {b"space": SPACE, b"name": _NAME, b"one": one}
    array = rb"\[(?:%(space)b*+(?:%(one)b))*+%(space)b*+\]" % values
    entry = rb"%(space)b*+%(name)b%(space)b*+(?:%(one)b)" % values
    return array + rb"|<<(?:" + entry + rb")*+" + SPACE + rb"*+>>"


def _object(depth: int) -> bytes:
    return rb"%b*+(?:(%b)|(\d{1,9})%b++(\d{1,5})%b++R%b|(%b)|(%b)|%b)" % (
        *(SPACE, _NAME, SPACE, SPACE, _ENDS, _INTEGER),
        *(_container(depth), _OTHER),
    )


_OBJECT: Final = re.compile(_object(MAX_DEPTH), re.DOTALL)
_ENTRY: Final = re.compile(
    SPACE + rb"*+(?:(?P<key>" + _NAME + rb")" + _object(MAX_DEPTH - 1) + rb"|>>)", re.DOTALL
)
_LAST: Final = re.compile(SPACE + rb"*+\]\Z")
_OF_REFERENCE: Final = 3
_OF_INTEGER: Final = 4


def parse(data: bytes, at: int) -> tuple[Value, int]:
    """Return the object at `at` and where it ends.

    Raises:
        NotPlainError: There is none, or it is not plain.
    """
    match = _OBJECT.match(data, at)
    if match is None:
        raise NotPlainError
    kind = match.lastindex
    if kind is None:
        return None, match.end()
    if kind == _OF_REFERENCE:
        return (int(match[2]), int(match[3])), match.end()
    return int(match[4]) if kind == _OF_INTEGER else match[kind], match.end()


def matched(pattern: re.Pattern[bytes], data: bytes, at: int) -> re.Match[bytes]:
    """Return the match of `pattern` at `at`. Raises `NotPlainError` if there is none."""
    match = pattern.match(data, at)
    if match is None:
        raise NotPlainError
    return match


def entries(data: bytes, at: int) -> tuple[Dictionary, int]:
    """Return the entries of the dictionary that begins at `at`, and where it ends.

    Raises:
        NotPlainError: There is none, or a key comes twice.
    """
    if not data.startswith(b"<<", at):
        raise NotPlainError
    at += len(b"<<")
    found: Dictionary = {}
    while (entry := _ENTRY.match(data, at)) is not None:
        at = entry.end()
        key, name, number, generation, digits, container = entry.groups()
        if key is None:
            return found, at
        if key in found:
            break
        if number is not None:
            found[key] = int(number), int(generation)
        else:
            found[key] = name or container or (None if digits is None else int(digits))
    raise NotPlainError


def dictionary(value: object) -> Dictionary:
    """Return the entries of `value`, which must be a dictionary. Raises `NotPlainError`."""
    if isinstance(value, dict):
        return value
    if not isinstance(value, bytes):
        raise NotPlainError
    return entries(value, 0)[0]


def array(value: object) -> list[Value]:
    """Return the items of an array. Raises `NotPlainError` if `value` is none."""
    if not isinstance(value, bytes) or not value.startswith(b"["):
        raise NotPlainError
    items: list[Value] = []
    at = len(b"[")
    while not _LAST.match(value, at):
        item, at = parse(value, at)
        items.append(item)
    return items


def integer(value: object) -> int:
    """Return `value`, which must be an integer. Raises `NotPlainError`."""
    if not isinstance(value, int):
        raise NotPlainError
    return value


def reference(value: object) -> tuple[int, int]:
    """Return `value`, which must be a reference. Raises `NotPlainError`."""
    if not isinstance(value, tuple):
        raise NotPlainError
    return value
