"""Say which addresses a pod can connect to: reach.py open:HOST:PORT... closed:HOST:PORT...

It runs inside a pod. An address that should be open is tried for 20 s, as a cluster takes a second
or two to let a new pod through; only then is one that should be closed tried, three times. Prints a
JSON object of what does not behave as it should, and why.
"""

# ruff: noqa: T201 - what it prints is its answer

import json
import socket
import sys
import time

PATIENCE = 20.0
TIMEOUT = 2.0


def attempt(address):
    """Return why no connection came about, or None."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=TIMEOUT).close()
    except OSError as error:
        return str(error) or type(error).__name__
    return None


def unopened(address):
    until = time.monotonic() + PATIENCE
    while (why := attempt(address)) and time.monotonic() < until:
        time.sleep(0.3)
    return why


def main(*expected):
    wrong = {}
    for each in sorted(expected, key=lambda each: each.startswith("closed:")):
        how, _, address = each.partition(":")
        if how == "open":
            if why := unopened(address):
                wrong[each] = why
        elif any(attempt(address) is None for _ in range(3)):
            wrong[each] = "a connection came about"
    print(json.dumps(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
