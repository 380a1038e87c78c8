"""The kinds of settings: how each is read, checked, written and described."""

import re
from collections.abc import Callable
from dataclasses import field
from typing import Any, Final
from urllib.parse import urlsplit

from docwarden.net.units import (
    format_duration,
    format_size,
    format_switch,
    parse_duration,
    parse_size,
    parse_switch,
)

_PASSWORD: Final = re.compile(r"^((?:[^:/@]*://)?+[^:@]*):.*@", re.DOTALL)
_LINK: Final = re.compile(r"https?://[\x21-\x7e]+")


def parse_upstream_url(text: str) -> str:
    """Return an http or https URL whose path may hold `{id}` once.

    Raises:
        ValueError: for anything else, including credentials, queries and fragments.
    """
    problem = "a URL such as http://documents:3000/{id}"
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").encode("idna")  # as a look-up would
        valid_port = parts.port != 0
    except ValueError:
        raise ValueError(problem) from None
    if parts.scheme not in ("http", "https") or not host or not valid_port:
        raise ValueError(problem)
    if not text.isascii() or any(ord(c) <= 32 for c in text):
        raise ValueError(problem)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"{problem}, without credentials, query or fragment")
    if text.count("{id}") > 1:
        raise ValueError(f"{problem}, with {{id}} once or not at all")
    if "{id}" in text and "{id}" not in parts.path:
        raise ValueError(f"{problem}, with {{id}} in its path only")
    return text


def parse_store_url(text: str) -> str:
    """Return the URL of a store.

    Raises:
        ValueError: for an unknown scheme, or an invalid URL.
    """
    if text == "memory://":
        return text
    if not text.startswith(("redis://", "rediss://")):
        raise ValueError("memory://, redis://HOST:PORT/DB or rediss://HOST:PORT/DB")
    # Imported only if Redis is configured.
    from docwarden.fetching.store.redis_url import address  # noqa: PLC0415 - see above

    address(text)
    return text


def parse_links(text: str) -> str:
    """Return titles and URLs such as `Grafana=https://grafana.example/d/docwarden`, with commas.

    Raises:
        ValueError: for a title without a URL of http or https, or a duplicate title.
    """
    titles = set()
    for item in filter(None, text.split(",")):
        title, _, url = item.partition("=")
        title = title.strip()
        if not title.isprintable() or not title or title in titles or not _LINK.fullmatch(url):
            raise ValueError("TITLE=URL,... with each title once and URLs of http or https")
        titles.add(title)
    return text


def mask(text: str) -> str:
    """Return a URL with its password hidden.

    It need not be a valid one: a slash in a password makes it none.
    """
    return _PASSWORD.sub(r"\1:********@", text)


def one_of(*allowed: str) -> Callable[[str], str]:
    """Return a parser that accepts only the `allowed` texts."""

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(" or ".join(allowed))
        return text

    return parse


def _between(
    minimum: float, maximum: float, parse: Callable[[str], Any], write: Callable[[Any], str]
) -> Callable[[str], Any]:
    def bounded(text: str) -> Any:
        value = parse(text)
        if not minimum <= value <= maximum:
            raise ValueError(f"at least {write(minimum)} and at most {write(maximum)}")
        return value

    return bounded


def _number_from(
    kind: type[int] | type[float], minimum: float, maximum: float
) -> Callable[[str], Any]:
    def parse(text: str) -> int | float:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"a number from {minimum} to {maximum}") from None

    return _between(minimum, maximum, parse, str)


def _duration(minimum: str, maximum: str) -> Callable[[str], float]:
    return _between(
        parse_duration(minimum), parse_duration(maximum), parse_duration, format_duration
    )


def _size(minimum: str, maximum: str) -> Callable[[str], int]:
    return _between(parse_size(minimum), parse_size(maximum), parse_size, format_size)


def _count(minimum: int, maximum: int) -> Callable[[str], int]:
    return _number_from(int, minimum, maximum)


def share(minimum: float, maximum: float) -> Callable[[str], float]:
    """Return a parser of numbers within bounds."""
    return _number_from(float, minimum, maximum)


def setting(
    default: str,
    about: str,
    *,
    parse: Callable[[str], Any] = str,
    write: Callable[[Any], str] = str,
    secret: bool = False,
) -> Any:
    """Return a dataclass field whose metadata says how its setting is read and shown."""
    return field(
        default_factory=lambda: parse(default),
        metadata={
            "default": default,
            "about": about,
            "parse": parse,
            "write": write,
            "secret": secret,
        },
    )


def time_setting(default: str, about: str, minimum: str, maximum: str) -> Any:
    """Return a dataclass field for a duration within bounds, in seconds."""
    return setting(default, about, parse=_duration(minimum, maximum), write=format_duration)


def size_setting(default: str, about: str, minimum: str, maximum: str) -> Any:
    """Return a dataclass field for a size within bounds, in bytes."""
    return setting(default, about, parse=_size(minimum, maximum), write=format_size)


def count_setting(default: int, about: str, minimum: int, maximum: int) -> Any:
    """Return a dataclass field for a whole number within bounds."""
    return setting(str(default), about, parse=_count(minimum, maximum))


def switch_setting(default: str, about: str) -> Any:
    """Return a dataclass field for a boolean."""
    return setting(default, about, parse=parse_switch, write=format_switch)
