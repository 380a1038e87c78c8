"""Say which addresses a pod can connect to: reach.py open:HOST:PORT... closed:HOST:PORT...

It runs inside a pod. A cluster takes a second or two to let a new pod through and to hold it back,
so each address has 20 s to be as it should. Those that should be open are tried first. Prints a
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
    """Return why an address does not become open, or None."""
    until = time.monotonic() + PATIENCE
    while (why := attempt(address)) and time.monotonic() < until:
        time.sleep(0.3)
    return why


def unclosed(address):
    """Return why an address does not become closed, or None: three attempts in a row fail then."""
    until = time.monotonic() + PATIENCE
    while any(attempt(address) is None for _ in range(3)):
        if time.monotonic() > until:
            return "connections come about"
        time.sleep(0.3)
    return None


def main(*expected):
    wrong = {}
    for each in sorted(expected, key=lambda each: each.startswith("closed:")):
        how, _, address = each.partition(":")
        if why := (unopened if how == "open" else unclosed)(address):
            wrong[each] = why
    print(json.dumps(wrong))


if __name__ == "__main__":
    main(*sys.argv[1:])
