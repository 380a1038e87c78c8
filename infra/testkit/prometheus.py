"""A real Prometheus that scrapes one address every second."""

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_CONFIGURATION = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: docwarden
    static_configs: [{{targets: ["{address}"]}}]
"""


@contextmanager
def running_prometheus(address: str, folder: Path) -> Iterator[str]:
    """Run it until the block ends, and yield its URL once it has scraped.

    Raises:
        TimeoutError: It did not scrape in time.
    """
    configuration = folder / "prometheus.yml"
    configuration.write_text(_CONFIGURATION.format(address=address))
    log = folder / "prometheus.log"
    with log.open("w") as errors:
        process = subprocess.Popen(  # noqa: S603  arguments are ours
            [  # noqa: S607  wherever the package put it
                "prometheus",
                f"--config.file={configuration}",
                f"--storage.tsdb.path={folder / 'data'}",
                "--web.listen-address=127.0.0.1:0",
                "--log.format=json",
            ],
            stderr=errors,
            stdout=errors,
        )
        try:
            url = _listening(log, process)
            _wait_for_scrape(url)
            yield url
        finally:
            process.terminate()
            process.wait(30)


def _listening(log: Path, process: "subprocess.Popen[bytes]") -> str:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        for line in log.read_text().splitlines():
            event = json.loads(line)
            if event.get("msg") == "Listening on":
                return f"http://{event['address']}"
        time.sleep(0.1)
    raise TimeoutError(log.read_text()[-2000:])


def _wait_for_scrape(url: str) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{url}/api/v1/query?query=up", timeout=5) as answer:  # noqa: S310  loopback
                found = json.load(answer)["data"]["result"]
            if found and found[0]["value"][1] == "1":
                return
        except (OSError, urllib.error.URLError):
            pass
        time.sleep(0.2)
    raise TimeoutError(f"{url} scraped nothing")
