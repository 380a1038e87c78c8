"""A real Chromium, driven through WebDriver, before a real gateway and a real simulator.

WebDriver is JSON over HTTP and half a dozen of its commands are all that is needed, so the tests
need Debian's chromium and chromium-driver and no package beyond those of the other tests.
"""

import base64
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

T = TypeVar("T")
PATIENCE = 20.0
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars",
)  # fmt: skip


def call(url: str, method: str = "GET", body: Any = None, timeout: float = PATIENCE) -> bytes:
    """Make a request and return the body, whatever the status."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return bytes(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return bytes(error.read())


def until(found: Callable[[], T], what: str, patience: float = PATIENCE) -> T:
    """Poll until something is found."""
    end = time.monotonic() + patience
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < end, f"not seen within {patience} s: {what}"
        time.sleep(0.02)


class Browser:
    """One WebDriver session (https://www.w3.org/TR/webdriver2/)."""

    def __init__(self, driver: str, profile: Path) -> None:
        self._driver = driver
        options = {
            "binary": shutil.which("chromium"),
            "args": [*FLAGS, f"--user-data-dir={profile}"],
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        answer = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self._session = f"/session/{answer['sessionId']}"

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = json.loads(call(self._driver + path, method, body, timeout=60))["value"]
        if isinstance(answer, dict) and "error" in answer:
            raise AssertionError(f"{path}: {answer['error']}: {answer['message'][:500]}")
        return answer

    def close(self) -> None:
        self._ask("DELETE", self._session)

    def open(self, url: str) -> None:
        self._ask("POST", f"{self._session}/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run the body of a function in the page."""
        body = {"script": script, "args": list(arguments)}
        return self._ask("POST", f"{self._session}/execute/sync", body)

    def text(self, selector: str) -> str:
        """Return an element's text, empty when there is none."""
        return str(
            self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)
        )

    def press(self, *keys: str) -> None:
        """Press keys one after the other; special ones by their WebDriver code points."""
        steps = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        body = {"actions": [{"type": "key", "id": "keyboard", "actions": steps}]}
        self._ask("POST", f"{self._session}/actions", body)

    def devtools(self, command: str, **parameters: Any) -> Any:
        body = {"cmd": command, "params": parameters}
        return self._ask("POST", f"{self._session}/goog/cdp/execute", body)

    def resize(self, width: int, height: int, scale: float = 1) -> None:
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=scale, mobile=False,
        )  # fmt: skip

    def prefer(self, scheme: str) -> None:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.devtools("Emulation.setEmulatedMedia", features=[feature])

    def zoom(self, width: int, height: int, factor: float) -> None:
        """Show a window of so many pixels as a browser zoomed in by `factor` shows it."""
        self.resize(round(width / factor), round(height / factor), scale=factor)

    def complaints(self) -> list[str]:
        """Return what the console was told since the last call: errors, warnings, violations."""
        entries = self._ask("POST", f"{self._session}/se/log", {"type": "browser"})
        return [entry["message"] for entry in entries if entry["level"] in ("SEVERE", "WARNING")]

    def picture(self) -> bytes:
        """Return the viewport as PNG."""
        return base64.b64decode(self._ask("GET", f"{self._session}/screenshot"))

    def see(self, selector: str, text: str, patience: float = PATIENCE) -> None:
        """Wait until an element contains a text."""
        end = time.monotonic() + patience
        while text not in (seen := self.text(selector)):
            assert time.monotonic() < end, f"{selector} says {seen!r} and not {text!r}"
            time.sleep(0.02)


@pytest.fixture(scope="session")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a running chromedriver."""
    program = shutil.which("chromedriver")
    assert program, "chromedriver is missing (make test-console installs chromium-driver)"
    output = tmp_path_factory.mktemp("driver") / "output"
    # It takes a free IPv4 port and ends when another holds the same one of IPv6.
    for _ in range(5):
        with started([program, "--port=0"], output) as process:
            said = until(lambda: _port_or_end(process, output), "chromedriver listens")
            if said.isdecimal():
                yield f"http://127.0.0.1:{said}"
                return
    pytest.fail(output.read_text())


def _port_or_end(process: subprocess.Popen[bytes], output: Path) -> str:
    found = re.search(r"successfully on port (\d+)", output.read_text())
    if found:
        return found[1]
    return "" if process.poll() is None else "ended"


@pytest.fixture(scope="session")
def chromium(driver: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(driver, tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """Return the browser with nothing left of the last test."""
    chromium.resize(1280, 900)
    chromium.prefer("light")
    chromium.complaints()
    yield chromium
    chromium.open("about:blank")


@contextlib.contextmanager
def started(
    command: list[str], output: Path, **environment: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **environment}
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


class Upstream:
    """A running simulator."""

    def __init__(self, url: str, control: str) -> None:
        self.url = url
        self._control = control

    def behave(self, **fields: Any) -> None:
        """Change how it behaves, through its control endpoint."""
        state = json.loads(call(self._control, "PUT", fields))
        assert "error" not in state, state


class Gateway:
    """A running gateway."""

    def __init__(self, process: subprocess.Popen[bytes], public: str, admin: str) -> None:
        self.process = process
        self.public = public
        self.admin = admin

    def get(self, path: str) -> bytes:
        return call(self.public + path)

    def metrics(self) -> dict[tuple[str, tuple[str, ...]], float]:
        """Return every sample by its name and label values."""
        text = call(f"{self.admin}/metrics").decode()
        families = text_string_to_metric_families(text)
        return {
            (sample.name, tuple(sample.labels.values())): sample.value
            for family in families
            for sample in family.samples
        }

    def stop(self, number: int = signal.SIGKILL) -> None:
        self.process.send_signal(number)
        self.process.wait(PATIENCE)


class StartUpstream(Protocol):
    def __call__(self, *options: str) -> Upstream: ...


class StartGateway(Protocol):
    def __call__(self, upstream: str, *, admin: str = ..., **settings: str) -> Gateway: ...


@pytest.fixture
def start_upstream(tmp_path: Path) -> Iterator[StartUpstream]:
    with contextlib.ExitStack() as stack:

        def start(*options: str) -> Upstream:
            output = tmp_path / f"simulator-{len(list(tmp_path.iterdir()))}"
            anywhere = ("--listen", "127.0.0.1:0", "--control", "127.0.0.1:0")
            command = [sys.executable, "-m", "docwarden", "simulate", *anywhere, *options]
            stack.enter_context(started(command, output))
            url = until(lambda: _after(output, "listening on "), "the simulator listens")
            return Upstream(url, _after(output, "curl -s "))

        yield start


@pytest.fixture
def start_gateway(tmp_path: Path) -> Iterator[StartGateway]:
    with contextlib.ExitStack() as stack:

        def start(upstream: str, *, admin: str = "127.0.0.1:0", **settings: str) -> Gateway:
            output = tmp_path / f"gateway-{len(list(tmp_path.iterdir()))}"
            command = [sys.executable, "-m", "docwarden", "serve", "--listen", "127.0.0.1:0"]
            command += ["--admin-listen", admin, "--upstream-url", f"{upstream}/{{id}}"]
            environment = {f"DOCWARDEN_{name.upper()}": value for name, value in settings.items()}
            process = stack.enter_context(started(command, output, **environment))

            def ready() -> dict[str, str]:
                assert process.poll() is None, output.read_text()
                lines = output.read_text().splitlines()
                return next((json.loads(line) for line in lines if "process.ready" in line), {})

            event = until(ready, "the gateway is ready")
            return Gateway(process, event["listen"], event["admin_listen"])

        yield start


def _after(output: Path, mark: str) -> str:
    lines = output.read_text().splitlines()
    return next((line.partition(mark)[2] for line in lines if mark in line), "")


@pytest.fixture
def upstream(start_upstream: StartUpstream) -> Upstream:
    return start_upstream()


@pytest.fixture
def gateway(start_gateway: StartGateway, upstream: Upstream) -> Gateway:
    return start_gateway(upstream.url)


class Clients:
    """Threads that ask for documents until they are told to stop."""

    def __init__(self, gateway: Gateway, threads: int, pause: float) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(gateway, pause)) for _ in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, gateway: Gateway, pause: float) -> None:
        number = 1
        while not self._stop.wait(pause):
            number += 1
            with contextlib.suppress(OSError):
                gateway.get(f"/{number}")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(PATIENCE)


@pytest.fixture
def clients() -> Iterator[Callable[..., Clients]]:
    with contextlib.ExitStack() as stack:

        def begin(gateway: Gateway, *, threads: int = 2, pause: float = 0.01) -> Clients:
            crowd = Clients(gateway, threads, pause)
            stack.callback(crowd.stop)
            return crowd

        yield begin


@pytest.fixture
def poll() -> Callable[..., None]:
    """Return a wait until something holds; what is seen instead is told when it does not."""

    def wait(
        holds: Callable[[], Any], instead: Callable[[], Any], patience: float = PATIENCE
    ) -> None:
        end = time.monotonic() + patience
        while not holds():
            assert time.monotonic() < end, f"not within {patience} s; seen: {instead()}"
            time.sleep(0.05)

    return wait
