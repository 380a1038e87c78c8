"""What client connections may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientLimits:
    """What one listener's connections may take; times in seconds, sizes in bytes.

    Attributes:
        connections: most of them at once.
        header_bytes: largest request head.
        header_timeout: from a head's first byte to its last.
        idle_timeout: between an answer and the next request.
        send_timeout: without progress in sending an answer.
    """

    connections: int
    header_bytes: int
    header_timeout: float
    idle_timeout: float
    send_timeout: float
