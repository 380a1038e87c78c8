"""Finds the end of a message head, of a request or an answer."""

from typing import Final

END: Final = b"\r\n\r\n"


def end_of_split_head(before: bytearray, data: bytes) -> int:
    """Return where in `data` a head ends that began with `before`, or 0 if it does not."""
    # Up to three bytes of its end may have arrived before.
    tail = bytes(before[-3:])
    at = (tail + data).find(END)
    return at + len(END) - len(tail) if at >= 0 else 0
