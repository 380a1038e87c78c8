"""Validates Redis URLs. No message quotes one, as it may hold a password."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

RIGHT_FORM: Final = "redis://[[USER]:PASSWORD@]HOST[:PORT][/DB], or rediss:// for TLS"

TLS_FILES: Final = frozenset({"ssl_ca_certs", "ssl_certfile", "ssl_keyfile"})
"""Query parameters that are passed on: files for a private authority and a client certificate."""


def address(url: str) -> str:
    """Return host, port and database of a valid URL, fit for logs.

    Raises:
        ValueError: The URL is not valid; the message says what would be.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError:
        raise ValueError(RIGHT_FORM) from None
    database = parts.path.removeprefix("/")
    if (
        parts.scheme not in {"redis", "rediss"}
        or not parts.hostname
        or parts.fragment
        or not (database == "" or (database.isascii() and database.isdigit()))
    ):
        raise ValueError(RIGHT_FORM)
    names = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    if names and (parts.scheme == "redis" or not names <= TLS_FILES):
        raise ValueError(f"no parameters but, with rediss://, {', '.join(sorted(TLS_FILES))}")
    return f"{parts.hostname}:{port}/{database or 0}"
