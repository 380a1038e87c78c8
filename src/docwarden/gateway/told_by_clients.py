"""What clients say of themselves, bounded and escaped, for the log."""

import re
from collections.abc import Sequence
from typing import Final

import orjson

from docwarden.core.request import Request

MAX_PATH: Final = 128
MAX_USER_AGENT: Final = 200
MAX_HEADER: Final = 128
"""Bytes that are told of a value; three dots stand for the rest."""
_CUT: Final = "..."
_REMEMBERED: Final = 512
_REMEMBERED_BYTES: Final = 1024
# What a URL writes as it is (RFC 3986 section 2), and % itself, which escapes already.
_NOT_OF_URL: Final = re.compile(r"[^!#-;=?-\[\]_a-z~]")
_AGENT: Final = b"user-agent"
_USER_AGENT: Final = "user_agent.original"


def shown_path(path: str) -> str:
    """Return the path of a request as a URL has it, with bytes that it should not have escaped."""
    escaped = _NOT_OF_URL.sub(lambda match: f"%{ord(match[0]):02X}", path[:MAX_PATH])
    return escaped + _CUT if len(path) > MAX_PATH else escaped


class Told:
    """Picks the header fields that the log tells; requests with the same ones are done once.

    Args:
        names: lower-case names of the fields that are told beside the user agent.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._names = (_AGENT, *(name.encode("ascii") for name in names))
        self._fields = (_USER_AGENT, *(f"http.request.header.{name}" for name in names))
        self._only_agent = not names
        self._limits = (MAX_USER_AGENT, *(MAX_HEADER for _ in names))
        self._known: dict[bytes | tuple[bytes | None, ...] | None, bytes] = {}

    def fields(self, request: Request) -> dict[str, str]:
        """Return the fields that the request has, by their name in the log."""
        values = map(request.headers.get, self._names)
        told = zip(self._fields, values, self._limits, strict=True)
        return {name: _text(value, limit) for name, value, limit in told if value is not None}

    def rendered(self, request: Request) -> bytes:
        """Return the same as the rest of a JSON object, each with a comma before it."""
        get = request.headers.get
        # Most gateways tell no other: a tuple of one would cost half as much again.
        key = get(_AGENT) if self._only_agent else tuple(map(get, self._names))
        known = self._known.get(key)
        return self._render(key, self.fields(request)) if known is None else known

    def _render(self, key: bytes | tuple[bytes | None, ...] | None, told: dict[str, str]) -> bytes:
        rendered = b"," + orjson.dumps(told)[1:-1] if told else b""
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        values = key if isinstance(key, tuple) else (key,)
        if sum(len(value or b"") for value in values) <= _REMEMBERED_BYTES:
            self._known[key] = rendered
        return rendered


def _text(value: bytes, limit: int) -> str:
    text = value[:limit].decode("ascii", "backslashreplace")
    return text + _CUT if len(value) > limit else text
