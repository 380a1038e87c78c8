"""File descriptors, of which every connection takes one."""

import os
import resource
import sys

# Log, listeners, the event loop's own, the deep checker's pipes, the store's connections.
RESERVED = 64


def raise_limit(needed: int) -> int:
    """Raise the soft limit of open files to `needed` if it is lower, and return the limit.

    The hard limit is the operator's (setrlimit(2)), and is not exceeded.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return needed
    if soft >= needed:
        return soft
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    except (OSError, ValueError):
        return soft
    return allowed


def clients_within(room: int, *, configured: int, others: int) -> int:
    """Return how many clients may be connected.

    Args:
        room: files that may be open.
        configured: the limit on clients from the settings.
        others: files for everything else; at most half of `room` is reserved for them.
    """
    return min(configured, room - min(others, room // 2))


def open_standard() -> None:
    """Open standard input and error on /dev/null where they are closed.

    The event loop's own descriptors would get their numbers, and libuv aborts the process when it
    closes one of those. A closed standard output is an error instead, as log events go there.
    """
    for number in (0, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            os.set_inheritable(number, True)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - for the process's life
