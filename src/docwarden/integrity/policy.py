"""Which checks run, and the consequence of each failure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

from docwarden.integrity.checks import CheckSet, Mode
from docwarden.integrity.registry import CHECKS

TOP_TIER: Final = 4
_CHECKS: Final = MappingProxyType({check.value: check for check in CHECKS})
_MODES: Final = MappingProxyType({mode.value: mode for mode in Mode})


def _default_modes() -> Mapping[CheckSet, Mode]:
    return MappingProxyType({check: check.default_mode for check in CHECKS})


@dataclass(frozen=True, slots=True)
class Policy:
    """The checks as the operator has configured them.

    Attributes:
        tier: The highest tier that runs, 1 to 4.
        modes: The mode of every check.
    """

    tier: int = 3
    modes: Mapping[CheckSet, Mode] = field(default_factory=_default_modes)

    def __post_init__(self) -> None:
        """Refuse a tier that does not exist.

        Raises:
            ValueError: `tier` is not 1 to 4.
        """
        if not 1 <= self.tier <= TOP_TIER:
            raise ValueError(f"the integrity tier is 1 to {TOP_TIER}, not {self.tier}")

    @classmethod
    def parse(cls, checks: str = "", *, tier: int = 3) -> Self:
        """Read a policy from settings.

        Args:
            checks: Changes to the default modes: `trailing-bytes=enforce,pdf-parse=observe`.
            tier: The highest tier that runs.

        Raises:
            ValueError: A part is not `check=mode`, names no check or mode, names one twice, or
                would observe what cannot be; the message says which part, and the names that there
                are.
        """
        modes = dict(_default_modes())
        changed: set[CheckSet] = set()
        for part in filter(None, (part.strip() for part in checks.split(","))):
            check, mode = _parse_part(part)
            if check in changed:
                raise ValueError(f"{part!r}: {check} is named twice")
            changed.add(check)
            modes[check] = mode
        return cls(tier=tier, modes=MappingProxyType(modes))


def _parse_part(part: str) -> tuple[CheckSet, Mode]:
    name, equals, mode = (piece.strip() for piece in part.partition("="))
    if not equals:
        raise ValueError(f"{part!r} is not written check=mode, like trailing-bytes=enforce")
    if name not in _CHECKS:
        raise ValueError(f"{part!r}: no check is named {name!r}; {_names(_CHECKS)}")
    if mode not in _MODES:
        raise ValueError(f"{part!r}: no mode is named {mode!r}; {_names(_MODES)}")
    check, chosen = _CHECKS[name], _MODES[mode]
    if chosen is Mode.OBSERVE and not check.may_observe:
        raise ValueError(f"{part!r}: what fails {name} cannot be delivered, so it is enforced")
    return check, chosen


def _names(table: Iterable[str]) -> str:
    return "there are " + ", ".join(table)
