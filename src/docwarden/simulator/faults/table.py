"""Every fault by its name, and how it is written."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from docwarden.simulator import quantities
from docwarden.simulator.faults import content, framing, timing
from docwarden.simulator.faults.fault import Fault

FAULTS: Mapping[str, Fault] = MappingProxyType(
    {fault.name: fault for fault in (*content.FAULTS, *framing.FAULTS, *timing.FAULTS)}
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A fault with its parameter, and the share of answers that it affects."""

    fault: Fault
    parameter: float
    share: float = 1.0
    text: str = ""


def named(name: str, parameter: str | None = None) -> Chosen:
    """Return the fault of a name.

    Raises:
        ValueError: there is none of that name, or the parameter does not fit it.
    """
    fault = FAULTS.get(name)
    if fault is None:
        raise ValueError(f"no fault {name!r}; there are {', '.join(FAULTS)}")
    return Chosen(fault, fault.parameter(parameter))


def parse(text: str) -> Chosen:
    """Read `NAME[=PARAMETER][:SHARE]`, the share being `0.1` or `10%`.

    Raises:
        ValueError: the text is invalid.
    """
    spec, colon, share = text.partition(":")
    name, _, parameter = spec.partition("=")
    found = named(name, parameter or None)
    return Chosen(
        found.fault, found.parameter, quantities.share(share) if colon else 1.0, text=text
    )
