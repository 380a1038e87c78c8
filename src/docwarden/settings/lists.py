"""Settings that are lists: networks of proxies, and names of header fields."""

import re
from ipaddress import ip_network
from typing import Final

from docwarden.core.client_address import Network

MAX_HEADERS: Final = 8
# RFC 9110 section 5.1, without characters that no common field has.
_FIELD_NAME: Final = re.compile(r"[a-z0-9_-]{1,64}")
# Credentials must not be logged.
_SECRET: Final = re.compile(r"authorization|cookie|token|secret|password|api-?key|credential")


def parse_networks(text: str) -> tuple[Network, ...]:
    """Return networks such as `10.0.0.0/8,2001:db8::/32`; a single address is a network too.

    Raises:
        ValueError: for anything else, including a network with host bits set.
    """
    try:
        return tuple(ip_network(item.strip()) for item in text.split(",") if item.strip())
    except ValueError:
        raise ValueError("networks such as 10.0.0.0/8, separated by commas") from None


def write_networks(networks: tuple[Network, ...]) -> str:
    """Return the text that `parse_networks` reads."""
    return ",".join(map(str, networks))


def parse_header_names(text: str) -> tuple[str, ...]:
    """Return the lower-case names of header fields, each once.

    Raises:
        ValueError: for invalid names, too many, or fields that hold credentials.
    """
    names = tuple(dict.fromkeys(item.strip().lower() for item in text.split(",") if item.strip()))
    if len(names) > MAX_HEADERS or not all(map(_FIELD_NAME.fullmatch, names)):
        raise ValueError(f"at most {MAX_HEADERS} header field names, separated by commas")
    if any(map(_SECRET.search, names)):
        raise ValueError("names of header fields that hold no credentials")
    return names


def write_header_names(names: tuple[str, ...]) -> str:
    """Return the text that `parse_header_names` reads."""
    return ",".join(names)
