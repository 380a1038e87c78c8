"""A fault: its name, what its number means, and the steps it takes."""

from collections.abc import Callable
from dataclasses import dataclass

from docwarden.simulator import quantities
from docwarden.simulator.steps import Exchange, Steps

LARGEST_BYTES = 1024**4  # a fault never holds so much in memory; it sends in pieces
LARGEST_COUNT = 1_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to spoil an answer.

    `unit` says how the parameter is read (`seconds`, `bytes`, `count`, `share`, `status`), or is
    empty for a fault that takes none; `default` is the parameter as one would write it.
    """

    name: str
    summary: str
    steps: Callable[[Exchange, float], Steps]
    unit: str = ""
    default: str = ""

    def parameter(self, text: str | None) -> float:
        """Read this fault's parameter; without text its default.

        Raises:
            ValueError: the text does not fit the unit, or the fault takes none.
        """
        if not self.unit:
            if text:
                raise ValueError(f"fault {self.name} takes no parameter")
            return 0.0
        try:
            return _READERS[self.unit](text or self.default)
        except ValueError as problem:
            raise ValueError(f"fault {self.name}: {problem}") from None


def _bytes(text: str) -> float:
    value = quantities.size(text)
    if value > LARGEST_BYTES:
        raise ValueError(f"{text!r} is more than 1 TiB")
    return value


def _count(text: str) -> float:
    if not text.isdecimal() or not 1 <= int(text) <= LARGEST_COUNT:
        raise ValueError(f"{text!r} is no count from 1 to {LARGEST_COUNT}")
    return int(text)


def _status(text: str) -> float:
    if not text.isdecimal() or not 200 <= int(text) <= 999:
        raise ValueError(f"{text!r} is no status from 200 to 999")
    return int(text)


_READERS: dict[str, Callable[[str], float]] = {
    "seconds": quantities.seconds,
    "bytes": _bytes,
    "count": _count,
    "share": quantities.share,
    "status": _status,
}
