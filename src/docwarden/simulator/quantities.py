"""Bounded quantities as people write them in a fault, a flag or the control endpoint."""

from docwarden.net.units import parse_duration, parse_size

LONGEST_SECONDS = 3600.0
LARGEST_BYTES = 1024**4  # never held in memory: large bodies are sent in pieces
LARGEST_COUNT = 1_000_000


def seconds(text: str) -> float:
    """Parse a duration such as `250ms` or `10s`.

    Raises:
        ValueError: it is invalid, or longer than an hour.
    """
    try:
        value = parse_duration(text)
    except ValueError as problem:
        raise ValueError(f"{text!r} is not {problem}") from None
    if value > LONGEST_SECONDS:
        raise ValueError(f"{text!r} is longer than an hour")
    return value


def size(text: str) -> int:
    """Parse a size such as `4096` or `64KiB`.

    Raises:
        ValueError: it is invalid, or more than 1 TiB.
    """
    try:
        value = parse_size(text)
    except ValueError as problem:
        raise ValueError(f"{text!r} is not {problem}") from None
    if value > LARGEST_BYTES:
        raise ValueError(f"{text!r} is more than 1 TiB")
    return value


def share(text: str) -> float:
    """Parse a share such as `0.1` or `10%`.

    Raises:
        ValueError: it is not from 0 to 1.
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ValueError(f"{text!r} is not a share: 0 to 1, or 0% to 100%")
    return value


def count(text: str) -> int:
    """Parse a count.

    Raises:
        ValueError: it is not from 1 to a million.
    """
    value = _whole(text)
    if not 1 <= value <= LARGEST_COUNT:
        raise ValueError(f"{text!r} is not a count from 1 to {LARGEST_COUNT}")
    return value


def status(text: str) -> int:
    """Parse a status of a final answer.

    Raises:
        ValueError: it is not from 200 to 999.
    """
    value = _whole(text)
    if not 200 <= value <= 999:
        raise ValueError(f"{text!r} is not a status from 200 to 999")
    return value


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else -1
