"""Reading and writing durations, sizes, addresses and switches as people write them in settings."""

import re
from typing import Final, NamedTuple

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE: Final = re.compile(r"(\d+)\s*(B|KiB|MiB|GiB|KB|MB|GB)?")
_BYTES: Final = {
    "B": 1,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
}
_SWITCH: Final = {"true": True, "on": True, "1": True, "false": False, "off": False, "0": False}


class Address(NamedTuple):
    """A host and a port to listen on or to connect to."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_duration(text: str) -> float:
    """Return seconds for `250ms`, `10s`, `5m`, `1h`, `7d`, or plain `0`.

    Raises:
        ValueError: for anything else, including a number without a unit.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or (match[2] is None and float(match[1]) != 0):
        raise ValueError("a duration with its unit, such as 250ms, 10s or 5m")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads back as `seconds`, in whole ms."""
    if seconds == 0:
        return "0s"
    for unit in ("d", "h", "m", "s"):
        if seconds >= _SECONDS[unit] and seconds % _SECONDS[unit] == 0:
            return f"{seconds / _SECONDS[unit]:.0f}{unit}"
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    return f"{seconds:.3f}".rstrip("0") + "s"


def parse_size(text: str) -> int:
    """Return bytes for `4096`, `64KiB`, `32MiB`, `1GiB` or their decimal relatives.

    Raises:
        ValueError: for anything else.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError("a size such as 4096, 64KiB or 32MiB")
    return int(match[1]) * _BYTES[match[2] or "B"]


def format_size(size: int) -> str:
    """Return the shortest text that `parse_size` reads back as `size`."""
    for unit in ("GiB", "MiB", "KiB"):
        if size and size % _BYTES[unit] == 0:
            return f"{size // _BYTES[unit]}{unit}"
    return str(size)


def parse_address(text: str) -> Address:
    """Return the address for `127.0.0.1:8080`, `localhost:80` or `[::1]:8080`.

    Raises:
        ValueError: host or port is missing, the port is not 0 to 65535, or the host is not a valid
            name.
    """
    host, colon, port = text.strip().rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    plain = ":" not in host and bool(host)
    if not (colon and (bracketed or plain) and port.isascii() and port.isdigit()):
        raise ValueError("HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    if int(port) > 65535:
        raise ValueError("HOST:PORT with a port from 0 to 65535")
    host = host.strip("[]")
    try:
        host.encode("idna")  # as a look-up would
    except UnicodeError:
        raise ValueError("HOST:PORT with a host whose labels have 1 to 63 characters") from None
    return Address(host, int(port))


def parse_switch(text: str) -> bool:
    """Return the boolean for `true`, `on`, `1`, `false`, `off` or `0`.

    Raises:
        ValueError: for anything else.
    """
    try:
        return _SWITCH[text.strip().lower()]
    except KeyError:
        raise ValueError("true or false") from None


def format_switch(value: bool) -> str:  # noqa: FBT001 - the value to write is the whole argument
    """Return the text that `parse_switch` reads back as `value`."""
    return "true" if value else "false"
