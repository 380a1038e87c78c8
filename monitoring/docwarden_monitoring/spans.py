"""Stretches of time as PromQL writes them, all of them scalable by one factor."""

from dataclasses import dataclass
from typing import Final

_UNITS: Final = (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1))


def write_duration(seconds: float) -> str:
    """Write `seconds` in the largest unit that fits a whole number of times, as Prometheus does.

    Raises:
        ValueError: for less than a millisecond, which no query can ask for.
    """
    milliseconds = round(seconds * 1000)
    for unit, length in _UNITS:
        if milliseconds >= length and milliseconds % length == 0:
            return f"{milliseconds // length}{unit}"
    raise ValueError(f"{seconds} s is no duration that Prometheus can read")


def read_duration(text: str) -> float:
    """Return the seconds of one number with one unit, such as `5m`.

    Raises:
        ValueError: for anything else.
    """
    for unit, length in reversed(_UNITS):
        number = text.removesuffix(unit)
        if number != text and number.isdecimal():
            return int(number) * length / 1000
    raise ValueError(f"{text!r} is no duration")


@dataclass(frozen=True, slots=True)
class Scale:
    """By what every window and wait is multiplied: 1 in production, less in tests.

    Names of recording rules keep the unscaled window, so that one set of queries reads both.
    """

    factor: float = 1.0

    def __call__(self, duration: str) -> str:
        """Return `duration` (`5m`), scaled."""
        return write_duration(read_duration(duration) * self.factor)

    def seconds(self, duration: str) -> float:
        """Return the seconds of `duration`, scaled."""
        return read_duration(duration) * self.factor
