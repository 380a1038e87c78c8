"""Where the head of a message ends, which a client and the upstream send alike."""

from typing import Final

END: Final = b"\r\n\r\n"


def end_of_split_head(before: bytearray, data: bytes) -> int:
    """Return where in `data` a head ends that began with `before`, or 0 where it does not."""
    # Up to three bytes of its end may have come before.
    tail = bytes(before[-3:])
    at = (tail + data).find(END)
    return at + len(END) - len(tail) if at >= 0 else 0
