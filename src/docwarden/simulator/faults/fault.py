"""A fault: its name, what its number means, and the steps it takes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from docwarden.simulator import quantities
from docwarden.simulator.steps import Exchange, Steps


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to make an answer fail.

    `unit` says how the parameter is parsed (`seconds`, `bytes`, `count`, `share`, `status`), or is
    empty for a fault that takes none; `default` is the parameter as one would write it.
    """

    name: str
    summary: str
    steps: Callable[[Exchange, float], Steps]
    unit: str = ""
    default: str = ""

    def parameter(self, text: str | None) -> float:
        """Parse this fault's parameter, or its default.

        Raises:
            ValueError: the text does not fit the unit, or the fault takes no parameter.
        """
        if not self.unit:
            if text:
                raise ValueError(f"fault {self.name} takes no parameter")
            return 0.0
        try:
            return _READERS[self.unit](text or self.default)
        except ValueError as problem:
            raise ValueError(f"fault {self.name}: {problem}") from None


_READERS: Mapping[str, Callable[[str], float]] = MappingProxyType(
    {
        "seconds": quantities.seconds,
        "bytes": quantities.size,
        "count": quantities.count,
        "share": quantities.share,
        "status": quantities.status,
    }
)
