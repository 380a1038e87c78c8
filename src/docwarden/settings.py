"""Every setting: its variable, default, meaning and the values it takes.

One frozen `Settings` is read at the entry point and handed on in narrow pieces. The reference page
docs/reference/settings.md is generated from the fields below.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from docwarden.integrity.policy import Policy
from docwarden.units import (
    Address,
    format_duration,
    format_size,
    format_switch,
    parse_address,
    parse_duration,
    parse_size,
    parse_switch,
)

PREFIX: Final = "DOCWARDEN_"
# What Kubernetes puts into every pod beside a Service named docwarden ("service links").
_SERVICE_LINK: Final = re.compile(r"DOCWARDEN_(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT(_\d+_\w+)?)")


class SettingError(ValueError):
    """A setting that cannot be used: names the variable, its value and what would be right."""

    def __init__(self, variable: str, value: str, expected: str) -> None:
        super().__init__(f"{variable}={value!r} is not usable: it takes {expected}")


def _url(text: str) -> str:
    parts = urlsplit(text)
    problem = "a URL such as http://documents:3000/{id}"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(problem)
    try:
        valid_port = parts.port != 0
    except ValueError:
        valid_port = False
    if not valid_port or not text.isascii() or any(ord(c) <= 32 for c in text):
        raise ValueError(problem)
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(f"{problem}, without credentials, query or fragment")
    return text


def _store_url(text: str) -> str:
    if text != "memory://" and not text.startswith(("redis://", "rediss://")):
        raise ValueError("memory://, redis://HOST:PORT/DB or rediss://HOST:PORT/DB")
    return text


def _mask(text: str) -> str:
    parts = urlsplit(text)
    if parts.password is None:
        return text
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:********@{host}"))


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(" or ".join(allowed))
        return text

    return parse


def _between(
    least: float, most: float, parse: Callable[[str], Any], write: Callable[[Any], str]
) -> Callable[[str], Any]:
    def bounded(text: str) -> Any:
        value = parse(text)
        if not least <= value <= most:
            raise ValueError(f"at least {write(least)} and at most {write(most)}")
        return value

    return bounded


def _number_from(kind: type[int] | type[float], least: float, most: float) -> Callable[[str], Any]:
    def parse(text: str) -> int | float:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"a number from {least} to {most}") from None

    return _between(least, most, parse, str)


def _duration(least: str, most: str) -> Callable[[str], float]:
    return _between(parse_duration(least), parse_duration(most), parse_duration, format_duration)


def _size(least: str, most: str) -> Callable[[str], int]:
    return _between(parse_size(least), parse_size(most), parse_size, format_size)


def _count(least: int, most: int) -> Callable[[str], int]:
    return _number_from(int, least, most)


def _share(least: float, most: float) -> Callable[[str], float]:
    return _number_from(float, least, most)


def _setting(
    default: str,
    about: str,
    *,
    parse: Callable[[str], Any] = str,
    write: Callable[[Any], str] = str,
    secret: bool = False,
) -> Any:
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


def _time(default: str, about: str, least: str, most: str) -> Any:
    return _setting(default, about, parse=_duration(least, most), write=format_duration)


def _bytes(default: str, about: str, least: str, most: str) -> Any:
    return _setting(default, about, parse=_size(least, most), write=format_size)


def _number(default: int, about: str, least: int, most: int) -> Any:
    return _setting(str(default), about, parse=_count(least, most))


def _switch(default: str, about: str) -> Any:
    return _setting(default, about, parse=parse_switch, write=format_switch)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The effective settings; durations in seconds, sizes in bytes."""

    listen: Address = _setting("127.0.0.1:8080", "Public listener: documents.", parse=parse_address)
    admin_listen: Address = _setting(
        "127.0.0.1:8081",
        "Operator listener: health, metrics, console. Keep it away from clients.",
        parse=parse_address,
    )
    upstream_url: str = _setting(
        "http://127.0.0.1:3000/{id}",
        "Where documents come from; `{id}` stands for the document id and may be left out.",
        parse=_url,
    )
    request_timeout: float = _time(
        "10s", "Deadline of a whole request, every attempt and wait included.", "100ms", "10m"
    )
    attempt_timeout: float = _time(
        "3s", "Longest single attempt; never past the request's deadline.", "50ms", "10m"
    )
    connect_timeout: float = _time(
        "1s", "Longest wait for a connection to the upstream.", "10ms", "1m"
    )
    forward_deadline: bool = _switch(
        "true", "Tell the upstream in X-Request-Timeout-Ms how much time is left."
    )
    max_document_bytes: int = _bytes("32MiB", "Largest document.", "1KiB", "1GiB")
    max_buffered_bytes: int = _bytes(
        "128MiB",
        "Memory for all documents in progress together; requests wait for room, then are refused.",
        "1MiB",
        "64GiB",
    )
    upstream_connections: int = _number(256, "Most connections to the upstream at once.", 1, 10_000)
    transport_attempts: int = _number(
        3, "Most attempts where the upstream cannot be reached or answers an error.", 1, 10
    )
    corrupt_attempts: int = _number(
        4, "Most attempts where the upstream sends a corrupt document.", 1, 10
    )
    breaker_open: float = _time(
        "30s", "First pause of the circuit breaker; repeated openings last longer.", "100ms", "5m"
    )
    max_concurrency: int = _number(
        200, "Ceiling of the adaptive limit on requests in flight.", 1, 10_000
    )
    queue_timeout: float = _time(
        "100ms", "Longest wait for a place under the concurrency limit.", "0s", "10s"
    )
    hedging: bool = _switch(
        "false", "Start a second attempt when the first is slower than the 95th percentile."
    )
    single_flight: bool = _switch(
        "false", "Let requests for one id that are in flight at the same moment share a fetch."
    )
    stale_if_error: float = _time(
        "0s",
        "Serve the last verified copy of a document up to this age when it cannot be fetched;"
        " 0s keeps no copies.",
        "0s",
        "30d",
    )
    store_url: str = _setting(
        "memory://",
        "Where last verified copies are kept: `memory://`, `redis://` or `rediss://`.",
        parse=_store_url,
        write=_mask,
        secret=True,
    )
    store_max_bytes: int = _bytes("64MiB", "Size of the store in memory.", "1MiB", "64GiB")
    integrity_tier: int = _number(3, "Highest tier of integrity checks that runs.", 1, 4)
    integrity_checks: str = _setting(
        "",
        "Checks whose mode differs from its default: `trailing-bytes=enforce,pdf-parse=observe`.",
    )
    drain_delay: float = _time(
        "10s", "After SIGTERM: how long to serve on while not ready.", "0s", "10m"
    )
    drain_timeout: float = _time(
        "20s", "After the drain delay: how long requests in flight may take to end.", "0s", "10m"
    )
    workers: int = _number(1, "Processes that share the public port.", 1, 64)
    server: str = _setting(
        "native", "HTTP server: `native` or `uvicorn`.", parse=_one_of("native", "uvicorn")
    )
    max_client_connections: int = _number(
        10_000, "Most client connections at once; more are closed at once.", 1, 1_000_000
    )
    max_header_bytes: int = _bytes(
        "16KiB", "Largest request head, request line included.", "1KiB", "1MiB"
    )
    header_timeout: float = _time(
        "10s", "Longest time from a request head's first byte to its last.", "100ms", "10m"
    )
    idle_timeout: float = _time(
        "75s", "Longest time that a kept-alive client connection may idle.", "100ms", "1h"
    )
    send_timeout: float = _time(
        "30s", "Longest time without progress in sending an answer to a client.", "100ms", "1h"
    )
    log_format: str = _setting(
        "auto",
        "`json`, `console`, or `auto`: console on a terminal, json elsewhere.",
        parse=_one_of("auto", "json", "console"),
    )
    log_level: str = _setting(
        "info",
        "Least severe events that are written.",
        parse=_one_of("debug", "info", "warning", "error"),
    )
    log_success_share: float = _setting(
        "1", "Share of successful requests that is logged; failures always are.", parse=_share(0, 1)
    )

    revision: str = _setting(
        "unknown", "Source revision that `docwarden_build_info` shows; the image sets it."
    )

    def policy(self) -> Policy:
        """Return the integrity policy that the settings describe."""
        return Policy.parse(self.integrity_checks, tier=self.integrity_tier)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting as documents and the `config` command show it."""

    name: str
    variable: str
    default: str
    about: str
    value: str
    origin: str


def variables() -> dict[str, str]:
    """Return each variable's name with the name of its field."""
    return {PREFIX + each.name.upper(): each.name for each in fields(Settings)}


def load(
    overrides: Mapping[str, str] | None = None, environ: Mapping[str, str] = os.environ
) -> Settings:
    """Read the settings from `environ`; `overrides`, by field name, come from the command line.

    Raises:
        SettingError: for a value that cannot be used, or an unknown DOCWARDEN_ variable.
    """
    given = overrides or {}
    known = variables()
    for variable in environ:
        if not variable.startswith(PREFIX) or _SERVICE_LINK.fullmatch(variable):
            continue
        if variable not in known:
            raise SettingError(variable, environ[variable], _nearest(variable, known))
    values: dict[str, Any] = {}
    for each in fields(Settings):
        variable = PREFIX + each.name.upper()
        text = given.get(each.name, environ.get(variable))
        if text is None:
            continue
        try:
            values[each.name] = each.metadata["parse"](text)
        except ValueError as error:
            shown = _mask(text) if each.metadata["secret"] else text
            raise SettingError(variable, shown, str(error)) from None
    settings = Settings(**values)
    _agree(settings)
    return settings


def _nearest(variable: str, known: Mapping[str, str]) -> str:
    import difflib  # noqa: PLC0415 - only on the way to an error

    close = difflib.get_close_matches(variable, known, n=1)
    return (
        f"no value: there is no such setting (meant {close[0]}?)"
        if close
        else ("no value: there is no such setting (`docwarden config` lists them)")
    )


def _agree(settings: Settings) -> None:
    """Check what single values cannot: that the settings fit each other.

    Raises:
        SettingError: naming the setting to change.
    """
    try:
        settings.policy()
    except ValueError as error:
        raise SettingError(
            f"{PREFIX}INTEGRITY_CHECKS", settings.integrity_checks, str(error)
        ) from None
    if settings.max_document_bytes > settings.max_buffered_bytes:
        raise SettingError(
            f"{PREFIX}MAX_BUFFERED_BYTES",
            format_size(settings.max_buffered_bytes),
            f"at least {PREFIX}MAX_DOCUMENT_BYTES ({format_size(settings.max_document_bytes)})",
        )


def describe(settings: Settings, environ: Mapping[str, str] = os.environ) -> list[Setting]:
    """Return every setting with its effective value, secrets masked, and where it came from."""
    described = []
    for each in fields(Settings):
        variable = PREFIX + each.name.upper()
        meta = each.metadata
        value = meta["write"](getattr(settings, each.name))
        default = meta["write"](meta["parse"](meta["default"]))
        origin = "environment" if variable in environ else "default"
        if origin == "default" and value != default:
            origin = "command line"
        described.append(
            Setting(
                name=each.name,
                variable=variable,
                default=default,
                about=meta["about"],
                value=value,
                origin=origin,
            )
        )
    return described
