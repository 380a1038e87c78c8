"""Repeatable randomness: a draw depends on seed, number and purpose, and on no earlier draw.

So the n-th answer is the same in every run, whatever the answers before it and the faults
switched on. The mixing is SplitMix64 (Steele, Lea, Flood, 2014).
"""

import math
from dataclasses import dataclass

from docwarden.simulator import quantities

DOCUMENT, MEMBER, FAULT, LATENCY = 1, 2, 3, 4  # the purposes

_MASK = 2**64 - 1


def draw(seed: int, number: int, purpose: int) -> float:
    """Return a number from 0 up to, not including, 1."""
    z = (
        seed * 0xD1342543DE82EF95 + number * 0x9E3779B97F4A7C15 + purpose * 0xA0761D6478BD642F
    ) & _MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK
    return ((z ^ (z >> 31)) >> 11) / 2**53


@dataclass(frozen=True, slots=True)
class Latency:
    """How long answers take: `fixed`, `uniform` between two, or `exponential` with a mean."""

    shape: str = "fixed"
    low: float = 0.0
    high: float = 0.0
    text: str = "0s"

    def __bool__(self) -> bool:
        """Whether there is any."""
        return self.high > 0

    def seconds(self, chance: float) -> float:
        """Turn a draw into a latency."""
        if self.shape == "uniform":
            return self.low + (self.high - self.low) * chance
        if self.shape == "exponential":
            return -math.log1p(-chance) * self.high
        return self.high


def latency(text: str) -> Latency:
    """Read `50ms`, `fixed=50ms`, `uniform=10ms..90ms` or `exponential=50ms` (the mean).

    Raises:
        ValueError: the text is invalid.
    """
    shape, equals, value = text.partition("=")
    if not equals:
        shape, value = "fixed", text
    if shape == "uniform":
        low, dots, high = value.partition("..")
        span = quantities.seconds(low), quantities.seconds(high if dots else low)
        if span[0] > span[1]:
            raise ValueError(f"latency {text!r}: the first is above the second")
        return Latency(shape, *span, text=text)
    if shape in ("fixed", "exponential"):
        duration = quantities.seconds(value)
        return Latency(shape, duration, duration, text=text)
    raise ValueError(f"latency {text!r}: fixed=, uniform= or exponential=")
