"""What the operator console shows, read from its feed as a browser does."""

import contextlib
import http.client
import json
import urllib.parse
from typing import Any

PATIENCE = 20.0


def verdict(admin: str) -> dict[str, Any]:
    """Return the next verdict: its level, title and concerns."""
    address = urllib.parse.urlsplit(admin)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request("GET", "/events")
        answer = connection.getresponse()
        kind = ""
        while line := answer.readline():
            name, _, value = line.decode().strip().partition(": ")
            if name == "event":
                kind = value
            elif name == "data" and kind == "sample":
                told: dict[str, Any] = json.loads(value)["verdict"]
                return told
    raise AssertionError("the console's feed ended without a reading")
