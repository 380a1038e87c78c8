"""The header fields of clients that log events show."""

from collections.abc import Sequence
from typing import Final

from docwarden.core.request import Request
from docwarden.gateway.log_fields import CUT

MAX_USER_AGENT: Final = 200
MAX_HEADER: Final = 128
"""Bytes of a value that are logged; three dots replace the rest."""
_AGENT: Final = b"user-agent"
_USER_AGENT: Final = "user_agent.original"


class HeaderFields:
    """Picks the header fields to log.

    Args:
        names: lower-case names of the fields to log besides the user agent.

    Attributes:
        names: the names of all of them, as in a request's headers.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = (_AGENT, *(name.encode("ascii") for name in names))
        self._fields = (_USER_AGENT, *(f"http.request.header.{name}" for name in names))
        self._limits = (MAX_USER_AGENT, *(MAX_HEADER for _ in names))

    def fields(self, request: Request) -> dict[str, str]:
        """Return those that the request has, by their name in the log."""
        values = map(request.headers.get, self.names)
        found = zip(self._fields, values, self._limits, strict=True)
        return {name: _text(value, limit) for name, value, limit in found if value is not None}


def _text(value: bytes, limit: int) -> str:
    text = value[:limit].decode("ascii", "backslashreplace")
    return text + CUT if len(value) > limit else text
