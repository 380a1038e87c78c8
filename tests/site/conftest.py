"""The documentation as `make docs` built it, served, and a real Chromium before it."""

import functools
import importlib.util
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SITE = Path(__file__).parents[2] / "build/site"
BROWSING = Path(__file__).parents[1] / "console/conftest.py"

# The browser is that of the console's tests.
_spec = importlib.util.spec_from_file_location("browsing", BROWSING)
assert _spec
assert _spec.loader
browsing = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = browsing
_spec.loader.exec_module(browsing)
driver, chromium, browser = browsing.driver, browsing.chromium, browsing.browser


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """Return the address of the built documentation."""
    assert (SITE / "index.html").is_file(), "make docs"
    handler = functools.partial(_Quiet, directory=str(SITE))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
