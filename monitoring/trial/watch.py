"""Prometheus and Alertmanager, with what the generator writes for short windows."""

import contextlib
import signal
import urllib.parse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from docwarden_monitoring.alertmanager import Receivers
from docwarden_monitoring.documents import generate
from docwarden_monitoring.rules import Places
from docwarden_monitoring.spans import Scale
from trial.alertmanager import Alertmanager, running_alertmanager
from trial.gateway import Gateway
from trial.programs import Program, tool
from trial.receiver import Receiver
from trial.waiting import fetch, until

SCALE: Final = Scale(1 / 60)
"""A minute of production is a second here; windows, waits and intervals shrink alike."""

PLACES: Final = Places(runbooks="https://books.test/", dashboards="https://grafana.test/")


@dataclass
class Watch:
    """Prometheus, Alertmanager and the receiver behind them."""

    prometheus: str
    alertmanager: Alertmanager
    receiver: Receiver
    gateway: Gateway

    def query(self, expr: str) -> list[dict[str, Any]]:
        answer = fetch(f"{self.prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expr})}")
        assert answer["status"] == "success", answer
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def firing(self, alert: str, **labels: str) -> list[dict[str, Any]]:
        """Alerts of that name that fire in Prometheus."""
        wanted = {"alertname": alert, **labels}
        alerts = fetch(f"{self.prometheus}/api/v1/alerts")["data"]["alerts"]
        return [
            each
            for each in alerts
            if each["state"] == "firing" and wanted.items() <= each["labels"].items()
        ]

    def held_back(self, alert: str, **labels: str) -> bool:
        """Whether Alertmanager has such alerts, and holds back every one of them."""
        return self.alertmanager.held_back(alert, **labels)

    def pages(self, status: str = "firing") -> list[dict[str, Any]]:
        """What the pager was told, oldest first."""
        return [each for each in self.receiver.alerts("/pager") if each["status"] == status]


@contextlib.contextmanager
def running_watch(folder: Path, gateway: Gateway, targets: Sequence[str] = ()) -> Iterator[Watch]:
    """Run Prometheus and Alertmanager on what the generator writes for short windows.

    Args:
        folder: Where they keep what they write.
        gateway: What is watched.
        targets: URLs to scrape where it is not that gateway alone.
    """
    with contextlib.ExitStack() as stack:
        receiver = Receiver()
        stack.callback(receiver.close)
        files = generate(
            PLACES,
            Receivers(
                pager=f"{receiver.url}/pager",
                tickets=f"{receiver.url}/tickets",
                heartbeat=f"{receiver.url}/heartbeat",
            ),
            SCALE,
        )
        (folder / "rules.later").write_text(files["rules.yaml"])
        alertmanager = stack.enter_context(running_alertmanager(folder, files["alertmanager.yaml"]))
        prometheus = _start_prometheus(folder, stack, alertmanager.url, targets or [gateway.admin])
        yield Watch(prometheus, alertmanager, receiver, gateway)


def _start_prometheus(
    folder: Path, stack: contextlib.ExitStack, alertmanager: str, targets: Sequence[str]
) -> str:
    rules = folder / "rules.later"
    configuration = {
        "global": {
            # As in production, scaled: windows of two minutes need more than two samples.
            "scrape_interval": SCALE("30s"),
            "scrape_timeout": SCALE("30s"),
            "evaluation_interval": SCALE("15s"),
        },
        "rule_files": [f"{folder}/rules*.yaml"],
        "scrape_configs": [
            {
                "job_name": "docwarden",
                "static_configs": [{"targets": [each.split("//")[1] for each in targets]}],
            }
        ],
        "alerting": {
            "alertmanagers": [{"static_configs": [{"targets": [alertmanager.split("//")[1]]}]}]
        },
    }
    (folder / "prometheus.conf").write_text(yaml.safe_dump(configuration))
    program = Program(
        folder / "prometheus.log",
        [
            tool("prometheus"),
            f"--config.file={folder}/prometheus.conf",
            f"--storage.tsdb.path={folder}/prometheus",
            "--web.listen-address=127.0.0.1:0",
            # A minute by default. What is sent before Alertmanager is found gets lost.
            "--rules.alert.resend-delay=2s",
        ],
    )
    stack.callback(program.stop)
    url = f"http://127.0.0.1:{program.listening_port()}"
    program.find("Server is ready to receive web requests")
    # Prometheus takes five seconds to find its targets, which are five minutes of these rules.
    up, found = f"{url}/api/v1/query?query=up", f"{url}/api/v1/alertmanagers"
    until("a first scrape", lambda: fetch(up)["data"]["result"])
    rules.rename(rules.with_suffix(".yaml"))
    program.process.send_signal(signal.SIGHUP)
    until("the rules to be read", lambda: fetch(f"{url}/api/v1/rules")["data"]["groups"])
    # Reading the configuration again forgets Alertmanager, before the rules are there.
    until("Alertmanager to be found", lambda: fetch(found)["data"]["activeAlertmanagers"])
    return url
