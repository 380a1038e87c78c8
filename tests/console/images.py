"""Takes the pictures of the console for its documentation: `make console-images`."""

import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import pytest
from PIL import Image

IMAGES = Path(__file__).parents[2] / "docs" / "images"
LARGEST = 260_000
# A chart holds three minutes; the pictures are taken when most of that has been seen.
CALM = 150.0
BROKEN = 9.0
LINKS = "Runbooks=https://docs.example/runbooks,Grafana=https://grafana.example/d/docwarden"


class Camera(Protocol):
    """The parts of `Browser` that take pictures."""

    def resize(self, width: int, height: int, scale: float = 1) -> None: ...
    def prefer(self, scheme: str) -> None: ...
    def picture(self) -> bytes: ...
    def run(self, script: str, *arguments: Any) -> Any: ...


def take(browser: Camera, name: str, scheme: str, width: int, height: int) -> None:
    """Write one picture."""
    browser.resize(width, height)
    browser.prefer(scheme)
    # Two frames: one to lay the page out for the new width, one for the charts drawn to fit it.
    browser.run(
        "return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    image = Image.open(io.BytesIO(browser.picture())).convert("RGB")
    packed = io.BytesIO()
    image.save(packed, "PNG", optimize=True)
    assert packed.tell() <= LARGEST, f"{name}: {packed.tell()} bytes"
    IMAGES.mkdir(exist_ok=True)
    (IMAGES / f"console-{name}.png").write_bytes(packed.getvalue())


@pytest.mark.timeout(500)
def test_pictures(
    browser: Any, start_upstream: Any, start_gateway: Any, clients: Callable[..., Any]
) -> None:
    upstream = start_upstream("--latency", "exponential=30ms", "--fault", "status=503:0.5%")
    gateway = start_gateway(
        upstream.url, stale_if_error="5m", log_success_share="0", console_links=LINKS
    )
    browser.open(f"{gateway.admin}/")
    clients(gateway, threads=4, pause=0.03)
    time.sleep(CALM)  # not a wait for something: the pictures show the time that has passed
    # A busy host makes the event loop stall, which the page then says for up to two minutes.
    browser.see("#verdict", "Serving", patience=150)
    take(browser, "light", "light", 1440, 1200)
    take(browser, "phone", "light", 390, 1500)
    upstream.behave(listening=False)
    browser.see("#concerns", "Upstream circuit open")
    time.sleep(BROKEN)  # as above
    take(browser, "dark", "dark", 1440, 1200)
    take(browser, "phone-dark", "dark", 390, 1500)
