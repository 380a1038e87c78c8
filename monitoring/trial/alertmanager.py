"""A real Alertmanager on a configuration that the generator wrote."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from trial.programs import Program, tool
from trial.waiting import fetch


@dataclass(frozen=True)
class Alertmanager:
    """A running Alertmanager."""

    url: str

    def fire(self, alert: str, **labels: str) -> None:
        """Tell it of an alert, as Prometheus does."""
        named = [f"{name}={value}" for name, value in {"alertname": alert, **labels}.items()]
        subprocess.run(
            [tool("amtool"), f"--alertmanager.url={self.url}", "alert", "add", *named], check=True
        )

    def held_back(self, alert: str, **labels: str) -> bool:
        """Whether it has such alerts, and holds back every one of them."""
        wanted = {"alertname": alert, **labels}
        found = [
            each
            for each in fetch(f"{self.url}/api/v2/alerts")
            if wanted.items() <= each["labels"].items()
        ]
        return bool(found) and all(each["status"]["inhibitedBy"] for each in found)


@contextlib.contextmanager
def running_alertmanager(folder: Path, configuration: str) -> Iterator[Alertmanager]:
    """Run Alertmanager on the text of its configuration."""
    (folder / "alertmanager.yaml").write_text(configuration)
    program = Program(
        folder / "alertmanager.log",
        [
            tool("prometheus-alertmanager"),
            f"--config.file={folder}/alertmanager.yaml",
            f"--storage.path={folder}/alertmanager",
            "--web.listen-address=127.0.0.1:0",
            "--cluster.listen-address=",
        ],
    )
    with contextlib.ExitStack() as stack:
        stack.callback(program.stop)
        yield Alertmanager(f"http://127.0.0.1:{program.listening_port()}")
