"""How the simulator behaves: what it serves, which faults it injects, how slow it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from docwarden.net.units import format_duration
from docwarden.simulator import quantities
from docwarden.simulator.chance import Latency, latency
from docwarden.simulator.documents import CORRUPT, FILE, KINDS
from docwarden.simulator.faults.table import Chosen, parse

# On a normal day half of the answers are a PNG, two of five a PDF, one of ten a corrupt PDF.
USUAL_MIX: Mapping[str, float] = MappingProxyType({"png": 50, "pdf": 40, "corrupt-pdf": 10})
FOLDER_MIX: Mapping[str, float] = MappingProxyType({FILE: 90, CORRUPT + FILE: 10})

LARGEST_CAPACITY = 100_000


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How the simulator behaves; `changed` returns a variant.

    `mix` has the weight of each kind; `faults` their shares, 1 at most in total; `capacity` is how
    many requests are served at once while others queue; `accept_delay` (seconds) is how long a
    new connection is left unread; unless `listening`, connections are refused.
    """

    mix: Mapping[str, float] = field(default_factory=lambda: USUAL_MIX)
    faults: tuple[Chosen, ...] = ()
    latency: Latency = field(default_factory=Latency)
    capacity: int | None = None
    accept_delay: float = 0.0
    listening: bool = True

    def changed(self, changes: Mapping[str, Any]) -> "Behaviour":
        """Return this behaviour with some fields changed, given as JSON has them.

        Raises:
            ValueError: a field is unknown, or its value is invalid.
        """
        fields: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in _READERS:
                raise ValueError(f"no field {name!r}; there are {', '.join(_READERS)}")
            fields[name] = _READERS[name](value)
        return replace(self, **fields)

    def as_json(self) -> dict[str, Any]:
        """Return the fields as `changed` takes them."""
        return {
            "mix": dict(self.mix),
            "faults": [chosen.text for chosen in self.faults],
            "latency": self.latency.text,
            "capacity": self.capacity,
            "accept_delay": format_duration(self.accept_delay),
            "listening": self.listening,
        }


def mix(value: object) -> Mapping[str, float]:
    """Read weights by kind, from a mapping or from `png=50,pdf=40,corrupt-pdf=10`.

    Raises:
        ValueError: a kind is unknown, a weight is negative, or all are zero.
    """
    if isinstance(value, str):
        pairs = (part.partition("=") for part in value.split(","))
        value = {kind.strip(): weight for kind, _, weight in pairs}
    if not isinstance(value, Mapping):
        raise ValueError("the mix is a mapping of kinds to weights")  # noqa: TRY004 - user input
    weights: dict[str, float] = {}
    for kind, weight in value.items():
        if kind not in KINDS:
            raise ValueError(f"no kind of document: {kind!r}; there are {', '.join(KINDS)}")
        try:
            weights[kind] = float(weight)
        except (TypeError, ValueError):
            raise ValueError(f"the weight of {kind} is not a number: {weight!r}") from None
        except OverflowError:
            weights[kind] = float("inf")
        if not 0 <= weights[kind] < float("inf"):
            raise ValueError(f"the weight of {kind} is out of range: {weight!r}")
    if not 0 < sum(weights.values()) < float("inf"):
        raise ValueError("the mix is empty, or its weights are too large together")
    return MappingProxyType(weights)


def faults(value: object) -> tuple[Chosen, ...]:
    """Read a list of faults as `faults.table.parse` reads one.

    Raises:
        ValueError: one is invalid, or their shares exceed 1 in total.
    """
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError("faults are a list of NAME[=PARAMETER][:SHARE]")  # noqa: TRY004 - user input
    chosen = tuple(parse(str(text)) for text in value)
    if sum(one.share for one in chosen) > 1.000001:
        raise ValueError("the shares of the faults are more than 1 together: give each a :SHARE")
    return chosen


def _capacity(value: object) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("the capacity is a number, or null for none")  # noqa: TRY004 - user input
    if not 1 <= value <= LARGEST_CAPACITY:
        raise ValueError(f"the capacity is from 1 to {LARGEST_CAPACITY}")
    return value


def _listening(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("listening is true or false")  # noqa: TRY004 - user input
    return value


_READERS = MappingProxyType(
    {
        "mix": mix,
        "faults": faults,
        "latency": lambda value: latency(str(value)),
        "capacity": _capacity,
        "accept_delay": lambda value: quantities.seconds(str(value)),
        "listening": _listening,
    }
)
