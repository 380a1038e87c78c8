"""Measure what a pod's first document costs, against later ones: first.py ADDRESS...

It runs inside a pod. Each address is a pod that has served nothing yet; its first document and
twenty later ones are asked for on one connection. Prints a JSON list of [first, median of later] in
milliseconds.
"""

# ruff: noqa: T201 - what it prints is its answer

import http.client
import json
import statistics
import sys
import time

LATER = 20
PATIENCE = 30.0


def connected(address):
    """Return a connection, once the cluster lets one through."""
    until = time.monotonic() + PATIENCE
    while True:
        connection = http.client.HTTPConnection(address, timeout=3)
        try:
            connection.connect()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)
        else:
            return connection


def timed(connection, number):
    began = time.perf_counter()
    connection.request("GET", f"/{number}")
    answer = connection.getresponse()
    answer.read()
    if answer.status != 200:
        sys.exit(f"document {number}: status {answer.status}")
    return 1000 * (time.perf_counter() - began)


def main(*addresses):
    measured = []
    for address in addresses:
        connection = connected(address)
        first, *later = (timed(connection, number) for number in range(1, LATER + 2))
        measured.append([round(first, 1), round(statistics.median(later), 1)])
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
