"""Waiting with a deadline, and JSON over HTTP."""

import json
import time
import urllib.request
from collections.abc import Callable
from typing import Any, Final

PATIENCE: Final = 60.0


def until(what: str, condition: Callable[[], Any], patience: float = PATIENCE) -> Any:
    """Ask until the answer is true, and return it."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {patience} s: {what}")


def fetch(url: str, *, method: str = "GET", data: bytes | None = None) -> Any:
    """Return the JSON that `url` answers."""
    request = urllib.request.Request(url, data=data, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)
