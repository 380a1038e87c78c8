"""Reads the settings, and reports each invalid one with what would be valid."""

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

from docwarden.net.units import format_duration, format_size
from docwarden.settings.settings import PREFIX, Settings, variables

# Variables that Kubernetes sets in every pod for a Service named docwarden ("service links").
_SERVICE_LINK: Final = re.compile(r"DOCWARDEN_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_\w+)?)")
_CREDENTIALS: Final = re.compile(r"^([^:/@]*://)?.*@", re.DOTALL)


class SettingError(ValueError):
    """Settings that cannot be used; the message has a line for each.

    Attributes:
        problems: one text per variable, with its value and what would be valid.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


def load(
    overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Read the settings from `environ`; `overrides`, by field name, come from the command line.

    Raises:
        SettingError: for values that cannot be used, and unknown DOCWARDEN_ variables.
    """
    given = overrides or {}
    problems = _unknown(environ)
    values: dict[str, Any] = {}
    for each in fields(Settings):
        variable = PREFIX + each.name.upper()
        text = given.get(each.name, environ.get(variable))
        if text is None:
            continue
        try:
            values[each.name] = each.metadata["parse"](text)
            text.encode()  # as the console and the metrics must
        except ValueError as error:
            values.pop(each.name, None)
            expected = "UTF-8" if isinstance(error, UnicodeError) else str(error)
            problems.append(_problem(variable, text, expected))
    settings = Settings(**values)
    problems += _conflicts(settings, values)
    if problems:
        raise SettingError(problems)
    return settings


def _unknown(environ: Mapping[str, str]) -> list[str]:
    known = variables()
    return [
        f"{variable}: unknown setting; {_nearest(variable, known)}"
        for variable in environ
        if variable.startswith(PREFIX)
        and variable not in known
        and not _SERVICE_LINK.fullmatch(variable)
    ]


def _nearest(variable: str, known: Mapping[str, str]) -> str:
    import difflib  # noqa: PLC0415 - only on the way to an error

    close = difflib.get_close_matches(variable, known, n=1)
    return f"did you mean {close[0]}?" if close else "`docwarden config` lists them"


def _conflicts(settings: Settings, given: Mapping[str, Any]) -> list[str]:
    """Return problems of settings that are valid by themselves but not together."""
    problems = []
    try:
        settings.policy()
    except ValueError as error:
        name = f"{PREFIX}INTEGRITY_CHECKS"
        problems.append(_problem(name, settings.integrity_checks, str(error)))
    if settings.max_document_bytes > settings.max_buffered_bytes:
        minimum = f"{PREFIX}MAX_DOCUMENT_BYTES ({format_size(settings.max_document_bytes)})"
        buffered = format_size(settings.max_buffered_bytes)
        problems.append(_problem(f"{PREFIX}MAX_BUFFERED_BYTES", buffered, f"at least {minimum}"))
    # The default gives way to a shorter deadline; what somebody set does not.
    if "attempt_timeout" in given and settings.attempt_timeout > settings.request_timeout:
        longest = f"{PREFIX}REQUEST_TIMEOUT ({format_duration(settings.request_timeout)})"
        attempt = format_duration(settings.attempt_timeout)
        problems.append(_problem(f"{PREFIX}ATTEMPT_TIMEOUT", attempt, f"at most {longest}"))
    return problems


def _problem(variable: str, value: str, expected: str) -> str:
    return f"{variable}={_without_secrets(value)!r} is invalid: expected {expected}"


def _without_secrets(text: str) -> str:
    """Return an invalid text without possible secrets: a URL's credentials and query."""
    hidden = _CREDENTIALS.sub(r"\1********@", text)
    return hidden.partition("?")[0] if "://" in text or "@" in text else hidden
