"""Every setting, from the fields of `Settings`."""

import re
from collections.abc import Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, Final

from docwarden.net.units import format_duration, format_size, parse_address
from docwarden.settings.settings import PREFIX, Settings
from reference_pages.markdown import page, table

# A value of the right kind that is beyond every bound, so that the answer names the bounds.
_BEYOND: Final = MappingProxyType({format_duration: "1000000d", format_size: "1000000GiB"})
_BOUNDS: Final = re.compile(r"at least (\S+) and at most (\S+)")
# Free text: the parser takes everything, and what it means is checked elsewhere or not at all.
_FREE_TEXT: Final = MappingProxyType(
    {
        "admin_hosts": "comma-separated names",
        "integrity_checks": "`check=mode` pairs, see [the checks](integrity-checks.md)",
        "revision": "any text",
    }
)
_INTRODUCTION: Final = f"""\
Every setting is an environment variable; unset ones have their default. `docwarden config` shows
the effective values and their source. With an invalid value or an unknown `{PREFIX}` variable the
gateway exits with status 2 and one line per problem.

Durations read `250ms`, `10s`, `5m`, `1h`, `7d`; sizes `4096`, `64KiB`, `32MiB`, `1GiB`.
[Configure the gateway](../how-to/configure.md) says which settings to consider first."""


def settings_page() -> str:
    """Return the page."""
    rows = [
        (
            f"`{PREFIX}{each.name.upper()}`",
            f"`{each.metadata['default']}`" if each.metadata["default"] else "none",
            _takes(each.name, each.metadata),
            each.metadata["about"],
        )
        for each in fields(Settings)
    ]
    head = ("setting", "default", "takes", "meaning")
    return page("Settings", "docwarden.settings.settings", _INTRODUCTION, table(head, rows))


def _takes(name: str, meta: Mapping[str, Any]) -> str:
    """Return what a setting takes, in the words that a wrong value is answered with.

    Raises:
        ValueError: for a new setting that takes everything and is not in _FREE_TEXT.
    """
    if name in _FREE_TEXT:
        return _FREE_TEXT[name]
    if meta["parse"] is parse_address:
        return "HOST:PORT"
    try:
        meta["parse"](_BEYOND.get(meta["write"], "\0"))
    except ValueError as error:
        return _BOUNDS.sub(r"\1 to \2", str(error))
    raise ValueError(f"{name} takes everything: say so in _FREE_TEXT")
