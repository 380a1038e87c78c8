"""Measure what a pod's first document costs, against later ones: first.py ADDRESS...

It runs inside a pod. Each address is a pod that has served nothing yet. Its first document comes
after a rest, so later ones are asked for after as long a rest: processors that have slept are slow
for a moment, whatever runs on them. Others are asked for in a row. All come on one connection.

Prints a JSON list of [first, median after a rest, median in a row] in milliseconds.
"""

# ruff: noqa: T201 - what it prints is its answer

import json
import re
import socket
import statistics
import sys
import time

RESTED = 9
IN_A_ROW = 21
REST = 0.5
PATIENCE = 30.0
LENGTH = re.compile(rb"\r\ncontent-length: (\d+)\r\n", re.IGNORECASE)


def connected(address):
    """Return a connection, once the cluster lets one through."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return socket.create_connection((host, int(port)), timeout=3)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.3)


def timed(connection, number, rest=0.0):
    """Return the milliseconds from a request's first byte to its answer's last."""
    # By bare sockets: the first answer would warm up an HTTP library here as well.
    time.sleep(rest)
    began = time.perf_counter()
    connection.sendall(b"GET /%d HTTP/1.1\r\nHost: pod\r\n\r\n" % number)
    answer = bytearray()
    whole = None
    while whole is None or len(answer) < whole:
        piece = connection.recv(1 << 18)
        if not piece:
            sys.exit(f"document {number}: the connection was closed")
        answer += piece
        end = answer.find(b"\r\n\r\n")
        declared = LENGTH.search(answer, 0, end + 2) if whole is None and end >= 0 else None
        if declared is not None:
            whole = end + 4 + int(declared[1])
    took = 1000 * (time.perf_counter() - began)
    if not answer.startswith(b"HTTP/1.1 200 "):
        sys.exit(f"document {number}: {bytes(answer[:80])!r}")
    return took


def main(*addresses):
    measured = []
    for address in addresses:
        connection = connected(address)
        first, *rested = (timed(connection, number, REST) for number in range(RESTED + 1))
        in_a_row = [timed(connection, 100 + number) for number in range(IN_A_ROW)]
        times = first, statistics.median(rested), statistics.median(in_a_row)
        measured.append([round(each, 2) for each in times])
        connection.close()
    print(json.dumps(measured))


if __name__ == "__main__":
    main(*sys.argv[1:])
