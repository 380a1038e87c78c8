"""All formats, and what follows from their records.

Every module of `formats` that has a `FORMAT` is a format: adding one is adding its module. A
record with gaps, or a name used twice, raises when this module is imported.
"""

import importlib
import pkgutil
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from docwarden.integrity import formats
from docwarden.integrity.checks import Check, CheckSet
from docwarden.integrity.reasons import Reason, ReasonSet
from docwarden.integrity.record import Format


def _discover() -> Iterable[Format]:
    for found in pkgutil.iter_modules(formats.__path__):
        module = importlib.import_module(f"{formats.__name__}.{found.name}")
        record = vars(module).get("FORMAT")
        if record is not None:
            yield _checked(record, module.__name__)


def _checked(record: object, module: str) -> Format:
    if not isinstance(record, Format):
        raise TypeError(f"FORMAT of {module} is no Format")
    return record


def _unique(names: Sequence[str]) -> None:
    """Raise `ValueError` for a name that is used twice."""
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError(f"declared by two records: {', '.join(sorted(twice))}")


FORMATS: Final[tuple[Format, ...]] = tuple(
    # Those whose signature may have an offset are tried last.
    sorted(_discover(), key=lambda each: (each.leading, each.name))
)
MEDIA_TYPES: Final[Mapping[str, Format]] = MappingProxyType(
    {each.media_type: each for each in FORMATS}
)
CHECKS: Final[tuple[CheckSet, ...]] = tuple(
    sorted(
        (*Check, *(check for each in FORMATS for check in each.checks or ())),
        key=lambda check: check.tier,
    )
)
REASONS: Final[tuple[ReasonSet, ...]] = tuple(
    sorted(
        (*Reason, *(reason for each in FORMATS for reason in each.reasons or ())),
        key=lambda reason: reason.check.tier,
    )
)
for _names in (
    [each.media_type for each in FORMATS],
    [each.extension for each in FORMATS],
    [str(check) for check in CHECKS],
    [str(reason) for reason in REASONS],
):
    _unique(_names)


def formats_of(check: CheckSet) -> tuple[Format, ...]:
    """Return the formats that a check applies to."""
    if not isinstance(check, Check):
        return tuple(each for each in FORMATS if each.checks is type(check))
    return tuple(each for each in FORMATS if _applies(check, each))


def _applies(check: Check, of: Format) -> bool:
    if check is Check.LEADING_BYTES:
        return of.leading > 0
    if check in {Check.TAIL_MARKER, Check.CLOSING_MARK}:
        return of.end_mark is not None
    if check is Check.TRAILING_BYTES:
        return not of.open_ended
    return check is not Check.IMAGE_DECODE or of.decode_check is check
