"""Limits on client connections."""

from dataclasses import dataclass

from docwarden.core.request import READ_FIELDS


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """Limits on one listener's connections; times in seconds, sizes in bytes.

    Attributes:
        connections: how many may be open at once.
        header_bytes: largest request head.
        header_timeout: from a head's first byte to its last.
        idle_timeout: between an answer and the next request.
        send_timeout: without progress while sending an answer.
        kept_fields: lower-case names of the header fields that a request keeps.
    """

    connections: int
    header_bytes: int
    header_timeout: float
    idle_timeout: float
    send_timeout: float
    kept_fields: frozenset[bytes] = READ_FIELDS
